package cms

import (
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// AddUnsignedAttribute gives the message with one more unsigned attribute on
// one signer. Everything that was there stays byte for byte, in its order, and
// only the lengths of what encloses the attribute are written anew: signatures
// and earlier timestamps keep holding. The new attribute goes last, because an
// archive timestamp may depend on the order of those before it.
//
// A message that came in BER is refused: to keep its bytes its enclosing
// lengths would have to stay BER.
func AddUnsignedAttribute(message []byte, signer int, a Attribute) ([]byte, error) {
	m, err := Parse(message)
	switch {
	case err != nil:
		return nil, err
	case m.BER:
		return nil, fault.New(fault.NotAvailable, "/", "adding to a message in BER")
	case signer < 0 || signer >= len(m.Signers):
		return nil, fault.New(fault.BadArgument, "/signerInfos", "no signer %d of %d", signer, len(m.Signers))
	}
	addition, err := a.marshal()
	if err != nil {
		return nil, err
	}
	return marshal(func(b *cryptobyte.Builder) {
		addContentInfo(b, func(b *cryptobyte.Builder) {
			b.AddBytes(m.head)
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				for i, s := range m.Signers {
					if i == signer {
						s.addWith(b, addition)
					} else {
						b.AddBytes(s.Raw)
					}
				}
			})
		})
	})
}

// addWith writes the SignerInfo with one more encoded unsigned attribute.
func (s *Signer) addWith(b *cryptobyte.Builder, addition []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(s.head)
		b.AddASN1(tagUnsignedAttributes, func(b *cryptobyte.Builder) {
			for _, a := range s.UnsignedAttributes {
				b.AddBytes(a.Raw)
			}
			b.AddBytes(addition)
		})
	})
}

// addContentInfo writes a ContentInfo that holds a SignedData.
func addContentInfo(b *cryptobyte.Builder, signedData func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(OIDSignedData)
		b.AddASN1(tagContent, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, signedData)
		})
	})
}

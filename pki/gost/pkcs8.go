package gost

import (
	"slices"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// ParsePrivateKey reads a PrivateKeyInfo of PKCS#8 (RFC 5208) of either family.
// The number d stands inside its OCTET STRING in one of three ways:
//
//	OCTET STRING d   least significant byte first: Kazakhstan's 2015 series, RFC 9548
//	d itself         least significant byte first: OpenSSL's gost-engine
//	INTEGER d        Kazakhstan's 2004 series
//
// They are told apart by tag and length alone. Attributes are ignored. A key
// under masks (RFC 9548 §5.1) is refused as encoding_invalid, for its length.
func ParsePrivateKey(pkcs8 []byte) (*PrivateKey, error) {
	input := cryptobyte.String(pkcs8)
	var body, inner cryptobyte.String
	var version int
	if !input.ReadASN1(&body, der.SEQUENCE) || !input.Empty() ||
		!body.ReadASN1Integer(&version) || version != 0 {
		return nil, malformed("PrivateKeyInfo")
	}
	id, err := readIdentifier(&body)
	if err != nil {
		return nil, err
	}
	if !body.ReadASN1(&inner, der.OCTET_STRING) ||
		!body.SkipOptionalASN1(der.Tag(0).Constructed().ContextSpecific()) || !body.Empty() {
		return nil, malformed("privateKey")
	}
	d, ok := readNumber(inner, id.curve.size)
	if !ok {
		return nil, malformed("the number in privateKey")
	}
	key, err := NewPrivateKey(id.key, id.curve, d)
	if err != nil {
		return nil, err
	}
	key.public.curveOID, key.public.digestOID = id.curveOID, id.digestOID
	return key, nil
}

// readNumber returns d least significant byte first.
func readNumber(inner cryptobyte.String, size int) ([]byte, bool) {
	if len(inner) == size {
		return inner, true
	}
	var octets cryptobyte.String
	switch {
	case inner.PeekASN1Tag(der.OCTET_STRING):
		ok := inner.ReadASN1(&octets, der.OCTET_STRING) && inner.Empty() && len(octets) == size
		return octets, ok
	case inner.PeekASN1Tag(der.INTEGER):
		var number []byte // refuses a negative one
		if !inner.ReadASN1Integer(&number) || !inner.Empty() || len(number) > size {
			return nil, false
		}
		d := make([]byte, size)
		copy(d[size-len(number):], number)
		slices.Reverse(d)
		return d, true
	}
	return nil, false
}

// Marshal writes the PrivateKeyInfo in the way of Kazakhstan's 2015 series and RFC
// 9548, or for a key of the 2004 series as its INTEGER.
func (k *PrivateKey) Marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		k.public.addIdentifier(b)
		b.AddASN1(der.OCTET_STRING, func(b *cryptobyte.Builder) {
			if k.public.algorithm == KZ2004 {
				b.AddASN1(der.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(integer(k.d)) })
				return
			}
			b.AddASN1OctetString(k.d)
		})
	})
	out, err := b.Bytes()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "write a PrivateKeyInfo")
	}
	return out, nil
}

// integer is the content of a DER INTEGER for a positive number given least
// significant byte first: no zero byte in front but the one that keeps the sign.
func integer(d []byte) []byte {
	out := append([]byte{0}, d...)
	slices.Reverse(out[1:])
	for out[0] == 0 && out[1] < 0x80 {
		out = out[1:]
	}
	return out
}

package algo

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

var oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

// saltLengthMax bounds the salt: no digest of the table is longer than 64
// bytes and the salt must fit beside it into the smallest modulus.
const saltLengthMax = 512

// parsePSS reads RSASSA-PSS-params (RFC 4055 §3.1). MGF1 over another digest
// than the message's and an empty salt are allowed there but not computed
// here.
func parsePSS(params []byte) (*Signature, error) {
	hash := SHA1.Identifier()
	mgf := Identifier{OID: oidMGF1}
	mgfHash := SHA1
	salt, trailer := 20, 1

	bad := fault.New(fault.AlgorithmParametersInvalid, "", "not RSASSA-PSS-params")
	s := cryptobyte.String(params)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, bad
	}
	var field cryptobyte.String
	var present, ok bool
	if !body.ReadOptionalASN1(&field, &present, explicit(0)) {
		return nil, bad
	}
	if present {
		if hash, ok = ReadIdentifier(&field); !ok || !field.Empty() {
			return nil, bad
		}
	}
	digest, err := DigestByIdentifier(hash)
	if err != nil {
		return nil, err
	}
	if !body.ReadOptionalASN1(&field, &present, explicit(1)) {
		return nil, bad
	}
	if present {
		if mgf, ok = ReadIdentifier(&field); !ok || !field.Empty() {
			return nil, bad
		}
		if !mgf.OID.Equal(oidMGF1) {
			return nil, unsupportedOID(mgf.OID)
		}
		inner, err := ParseIdentifier(mgf.Parameters)
		if err != nil {
			return nil, bad
		}
		if mgfHash, err = DigestByIdentifier(inner); err != nil {
			return nil, err
		}
	}
	if !body.ReadOptionalASN1Integer(&salt, explicit(2), 20) || !body.ReadOptionalASN1Integer(&trailer, explicit(3), 1) || !body.Empty() {
		return nil, bad
	}
	return newPSS(digest, mgfHash, salt, trailer)
}

func newPSS(digest, mgfHash *Digest, salt, trailer int) (*Signature, error) {
	switch {
	case trailer != 1 || salt < 0 || salt > saltLengthMax:
		return nil, fault.New(fault.AlgorithmParametersInvalid, "", "RSA-PSS trailer %d, salt of %d bytes", trailer, salt)
	case mgfHash != digest:
		return nil, fault.New(fault.AlgorithmUnsupported, "", "RSA-PSS of %s with MGF1 of %s", digest.Name, mgfHash.Name)
	case salt == 0:
		return nil, fault.New(fault.AlgorithmUnsupported, "", "RSA-PSS without salt")
	}
	s, err := PSS(digest)
	if err != nil || s.saltLength == salt {
		return s, err
	}
	own := *s
	own.URI, own.JWA, own.saltLength = "", "", salt
	return &own, nil
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }

// pssParameters writes RSASSA-PSS-params; DER leaves defaults out, and the
// trailer is always the default.
func pssParameters(d *Digest, salt int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if d != SHA1 {
			b.AddASN1(explicit(0), d.Identifier().AddTo)
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidMGF1)
					d.Identifier().AddTo(b)
				})
			})
		}
		if salt != 20 {
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(salt)) })
		}
	})
	return b.BytesOrPanic()
}

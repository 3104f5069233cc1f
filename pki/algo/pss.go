package algo

import (
	"bytes"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

var oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

// saltLengthMax bounds the salt: even beside the shortest digest a longer one
// fits into no modulus of this package.
const saltLengthMax = rsaBitsMax / 8

// pssParameters are those of RSASSA-PSS besides the digest.
type pssParameters struct {
	mgf        *Digest // of the mask generation function MGF1
	saltLength int     // in bytes
}

// pssSignatures are RSASSA-PSS as XML-DSig and JWA fix it: MGF1 over the same
// digest, a salt as long as the digest (RFC 9231 §2.3.10, RFC 7518 §3.5).
var pssSignatures = []*Signature{
	fixedPSS(SHA1, xmldsig2007+"sha1-rsa-MGF1", ""),
	fixedPSS(SHA224, xmldsig2007+"sha224-rsa-MGF1", ""),
	fixedPSS(SHA256, xmldsig2007+"sha256-rsa-MGF1", "PS256"),
	fixedPSS(SHA384, xmldsig2007+"sha384-rsa-MGF1", "PS384"),
	fixedPSS(SHA512, xmldsig2007+"sha512-rsa-MGF1", "PS512"),
	fixedPSS(SHA512x224, "", ""),
	fixedPSS(SHA512x256, "", ""),
	fixedPSS(SHA3x224, xmldsig2007+"sha3-224-rsa-MGF1", ""),
	fixedPSS(SHA3x256, xmldsig2007+"sha3-256-rsa-MGF1", ""),
	fixedPSS(SHA3x384, xmldsig2007+"sha3-384-rsa-MGF1", ""),
	fixedPSS(SHA3x512, xmldsig2007+"sha3-512-rsa-MGF1", ""),
}

func fixedPSS(d *Digest, uri, jwa string) *Signature {
	return &Signature{
		Name: d.Name + " with RSA-PSS", URI: uri, JWA: jwa, OID: oidPSS, Digest: d,
		scheme: rsaPSS, pss: pssParameters{d, d.Size()},
	}
}

// PSS is RSASSA-PSS with MGF1 over the same digest and a salt of its length.
func PSS(d *Digest) (*Signature, error) {
	for _, s := range pssSignatures {
		if s.Digest == d {
			return s, nil
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no RSA-PSS with %s", d.Name)
}

// PSSWith is RSASSA-PSS with a digest for MGF1 and a length of the salt, in bytes,
// of its own.
func PSSWith(digest, mgf *Digest, saltLength int) (*Signature, error) {
	return newPSS(digest, mgf, saltLength, 1)
}

// parsePSS reads RSASSA-PSS-params (RFC 4055 §3.1).
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

func newPSS(digest, mgf *Digest, salt, trailer int) (*Signature, error) {
	if trailer != 1 || salt < 0 || salt > saltLengthMax {
		return nil, fault.New(fault.AlgorithmParametersInvalid, "", "RSA-PSS trailer %d, salt of %d bytes", trailer, salt)
	}
	s, err := PSS(digest)
	if err != nil {
		return nil, err
	}
	if _, err := PSS(mgf); err != nil {
		return nil, err
	}
	parameters := pssParameters{mgf, salt}
	if s.pss == parameters {
		return s, nil
	}
	own := *s
	own.URI, own.JWA, own.pss = "", "", parameters
	return &own, nil
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }

// encode writes RSASSA-PSS-params; DER leaves defaults out, and the trailer is
// always the default.
func (p pssParameters) encode(d *Digest) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if d != SHA1 {
			b.AddASN1(explicit(0), d.Identifier().AddTo)
		}
		if p.mgf != SHA1 {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidMGF1)
					p.mgf.Identifier().AddTo(b)
				})
			})
		}
		if p.saltLength != 20 {
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(p.saltLength)) })
		}
	})
	return b.BytesOrPanic()
}

// verify is EMSA-PSS-VERIFY (RFC 8017 §9.1.2) with a salt of exactly the length
// of the parameters, where crypto/rsa takes no empty salt and no second digest.
// em is the encoded message, of as many bytes as the modulus, which has bits
// bits.
func (p pssParameters) verify(d *Digest, digest, em []byte, bits int) bool {
	emBits := bits - 1
	if emBits%8 == 0 { // the modulus has a byte more, which is zero
		if em[0] != 0 {
			return false
		}
		em = em[1:]
	}
	hashLength := d.Size()
	if len(em) < hashLength+p.saltLength+2 || em[len(em)-1] != 0xbc {
		return false
	}
	masked, h := em[:len(em)-hashLength-1], em[len(em)-hashLength-1:len(em)-1]
	unused := 8*len(em) - emBits // bits above emBits, which are zero
	if masked[0]>>(8-unused) != 0 {
		return false
	}
	block := p.mgf.mask(h, len(masked))
	for i := range block {
		block[i] ^= masked[i]
	}
	block[0] &= 0xff >> unused
	// DB is zeros, a one and the salt.
	zeros := len(block) - p.saltLength - 1
	if !bytes.Equal(block[:zeros], make([]byte, zeros)) || block[zeros] != 1 {
		return false
	}
	hash := d.New()
	hash.Write(make([]byte, 8))
	hash.Write(digest)
	hash.Write(block[zeros+1:])
	return bytes.Equal(hash.Sum(nil), h)
}

// mask is MGF1 (RFC 8017 §B.2.1).
func (d *Digest) mask(seed []byte, length int) []byte {
	out := make([]byte, 0, length+d.Size())
	hash := d.New()
	for counter := byte(0); len(out) < length; counter++ { // 256 · 20 bytes reach beyond any modulus
		hash.Reset()
		hash.Write(seed)
		hash.Write([]byte{0, 0, 0, counter})
		out = hash.Sum(out)
	}
	return out[:length]
}

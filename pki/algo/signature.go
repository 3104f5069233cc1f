package algo

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// scheme is how a signature is computed.
type scheme uint8

const (
	rsaPKCS1 scheme = iota + 1
	rsaPSS
	ecdsaScheme
)

// Signature is a signature algorithm together with its digest. Rows of the
// table are shared; a PSS with parameters of its own is made on the way.
type Signature struct {
	Name   string // as policies write it: "SHA-256 with RSA"
	URI    string // XML-DSig, RFC 9231; "" if it has none
	JWA    string // RFC 7518; "" if it has none
	OID    asn1.ObjectIdentifier
	Digest *Digest

	scheme     scheme
	saltLength int // PSS only, in bytes
}

var (
	oidRSA         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidECPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
)

const (
	xmldsig     = "http://www.w3.org/2000/09/xmldsig#"
	xmldsigMore = "http://www.w3.org/2001/04/xmldsig-more#"
	xmldsig2007 = "http://www.w3.org/2007/05/xmldsig-more#"
)

// signatures are the algorithms whose OID names the digest.
var signatures = []*Signature{
	{"SHA-1 with RSA", xmldsig + "rsa-sha1", "", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, SHA1, rsaPKCS1, 0},
	{"SHA-224 with RSA", xmldsigMore + "rsa-sha224", "", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 14}, SHA224, rsaPKCS1, 0},
	{"SHA-256 with RSA", xmldsigMore + "rsa-sha256", "RS256", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, SHA256, rsaPKCS1, 0},
	{"SHA-384 with RSA", xmldsigMore + "rsa-sha384", "RS384", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, SHA384, rsaPKCS1, 0},
	{"SHA-512 with RSA", xmldsigMore + "rsa-sha512", "RS512", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, SHA512, rsaPKCS1, 0},
	{"SHA-1 with ECDSA", xmldsigMore + "ecdsa-sha1", "", asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}, SHA1, ecdsaScheme, 0},
	{"SHA-224 with ECDSA", xmldsigMore + "ecdsa-sha224", "", asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 1}, SHA224, ecdsaScheme, 0},
	{"SHA-256 with ECDSA", xmldsigMore + "ecdsa-sha256", "ES256", asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, SHA256, ecdsaScheme, 0},
	{"SHA-384 with ECDSA", xmldsigMore + "ecdsa-sha384", "ES384", asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, SHA384, ecdsaScheme, 0},
	{"SHA-512 with ECDSA", xmldsigMore + "ecdsa-sha512", "ES512", asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, SHA512, ecdsaScheme, 0},
}

// pssSignatures are RSASSA-PSS as XML-DSig and JWA fix it: MGF1 over the same
// digest, a salt as long as the digest (RFC 9231 §2.3.10, RFC 7518 §3.5).
var pssSignatures = []*Signature{
	{"SHA-1 with RSA-PSS", xmldsig2007 + "sha1-rsa-MGF1", "", oidPSS, SHA1, rsaPSS, 20},
	{"SHA-224 with RSA-PSS", xmldsig2007 + "sha224-rsa-MGF1", "", oidPSS, SHA224, rsaPSS, 28},
	{"SHA-256 with RSA-PSS", xmldsig2007 + "sha256-rsa-MGF1", "PS256", oidPSS, SHA256, rsaPSS, 32},
	{"SHA-384 with RSA-PSS", xmldsig2007 + "sha384-rsa-MGF1", "PS384", oidPSS, SHA384, rsaPSS, 48},
	{"SHA-512 with RSA-PSS", xmldsig2007 + "sha512-rsa-MGF1", "PS512", oidPSS, SHA512, rsaPSS, 64},
}

// SignatureByIdentifier finds the algorithm that an AlgorithmIdentifier names.
// digest is the digest that its surroundings name (digestAlgorithm of a CMS
// SignerInfo), nil if they name none (certificates, CRLs, OCSP). Where the
// identifier names a digest too, the two must agree. Where it is that of a key
// (rsaEncryption, which RFC 3370 §3.2 demands and Kalkan writes, or
// id-ecPublicKey), the digest comes from the surroundings alone.
func SignatureByIdentifier(id Identifier, digest *Digest) (*Signature, error) {
	switch {
	case id.OID.Equal(oidPSS):
		s, err := parsePSS(id.Parameters)
		if err != nil {
			return nil, err
		}
		return s.agreeing(digest)
	case id.OID.Equal(oidRSA), id.OID.Equal(oidECPublicKey):
		return signatureByKeyOID(id, digest)
	}
	for _, s := range signatures {
		if s.OID.Equal(id.OID) {
			if err := s.checkParameters(id); err != nil {
				return nil, err
			}
			return s.agreeing(digest)
		}
	}
	return nil, unsupportedOID(id.OID)
}

// agreeing is s, unless the surroundings name a digest other than its own: two
// readers would hash the same message differently.
func (s *Signature) agreeing(digest *Digest) (*Signature, error) {
	if digest != nil && digest != s.Digest {
		return nil, fault.New(fault.AlgorithmMismatch, "", "%s beside the digest %s", s.Name, digest.Name)
	}
	return s, nil
}

// checkParameters: NULL or absent for RSA (RFC 4055 §5), absent for ECDSA
// (RFC 5758 §3.2).
func (s *Signature) checkParameters(id Identifier) error {
	if s.scheme == rsaPKCS1 && id.emptyParameters() || len(id.Parameters) == 0 {
		return nil
	}
	return fault.New(fault.AlgorithmParametersInvalid, "", "%s takes no parameters", s.Name)
}

func signatureByKeyOID(id Identifier, digest *Digest) (*Signature, error) {
	if digest == nil {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "%s names no digest", id.Name())
	}
	if id.OID.Equal(oidRSA) {
		if !id.emptyParameters() {
			return nil, fault.New(fault.AlgorithmParametersInvalid, "", "rsaEncryption takes no parameters")
		}
		return row(rsaPKCS1, digest)
	}
	return row(ecdsaScheme, digest)
}

// row finds the table's algorithm of a scheme and digest.
func row(s scheme, d *Digest) (*Signature, error) {
	for _, sig := range signatures {
		if sig.scheme == s && sig.Digest == d {
			return sig, nil
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no signature algorithm with %s", d.Name)
}

// SignatureByURI finds the algorithm of an XML-DSig SignatureMethod.
func SignatureByURI(uri string) (*Signature, error) {
	for _, table := range [][]*Signature{signatures, pssSignatures} {
		for _, s := range table {
			if s.URI == uri {
				return s, nil
			}
		}
	}
	return nil, unsupportedURI(uri)
}

// SignatureFor chooses the algorithm that a key of ours signs with: PKCS#1
// v1.5 for RSA, ECDSA for the elliptic curves.
func SignatureFor(pub crypto.PublicKey, d *Digest) (*Signature, error) {
	switch pub.(type) {
	case *rsa.PublicKey:
		return row(rsaPKCS1, d)
	case *ecdsa.PublicKey:
		return row(ecdsaScheme, d)
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "a key of type %T", pub)
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

// Identifier is the AlgorithmIdentifier that we write.
func (s *Signature) Identifier() Identifier {
	switch s.scheme {
	case rsaPKCS1:
		return Identifier{OID: s.OID, Parameters: bytes.Clone(null)}
	case rsaPSS:
		return Identifier{OID: s.OID, Parameters: pssParameters(s.Digest, s.saltLength)}
	}
	return Identifier{OID: s.OID}
}

// SignerOpts is what a crypto.Signer needs to sign a digest with s. An ECDSA
// signer returns ASN.1; RawECDSA turns it into what XML-DSig and JWS carry.
func (s *Signature) SignerOpts() crypto.SignerOpts {
	if s.scheme == rsaPSS {
		return &rsa.PSSOptions{SaltLength: s.saltLength, Hash: s.Digest.Hash}
	}
	return s.Digest.Hash
}

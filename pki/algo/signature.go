package algo

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// scheme is how a signature is computed.
type scheme uint8

const (
	rsaPKCS1 scheme = iota + 1
	rsaPSS
	ecdsaScheme
	dsaScheme
	ed25519Scheme
	gostScheme
)

// Signature is a signature algorithm together with its digest. Rows of the
// table are shared; a PSS with parameters of its own is made on the way.
type Signature struct {
	Name   string // as policies write it: "SHA-256 with RSA"
	URI    string // XML-DSig; "" if it has none
	JWA    string // JWS; "" if it has none
	OID    asn1.ObjectIdentifier
	Digest *Digest

	scheme scheme
	pss    pssParameters
	gost   *gost.Algorithm
}

// The identifiers of keys.
var (
	oidRSA         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidECPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidDSA         = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}
	oidEd25519     = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// The bases of families of identifiers.
var (
	pkcs1OID   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1}
	ecdsa2OID  = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3}
	nistSigOID = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3} // DSA, ECDSA and RSA with newer digests
)

// under is an identifier of a family.
func under(base asn1.ObjectIdentifier, arc int) asn1.ObjectIdentifier {
	return append(slices.Clone(base), arc)
}

// The algorithms whose OID names the digest, by their standards: RFC 8017
// appendix C and RFC 3279 for RSA, RFC 5758 for ECDSA and DSA, NIST's register
// for SHA-3, RFC 8410 for Ed25519; XML-DSig by RFC 9231; JWA by RFC 7518 and
// RFC 8037.
var (
	rsaSignatures = []*Signature{
		{Name: "SHA-1 with RSA", URI: xmldsig2000 + "rsa-sha1", OID: under(pkcs1OID, 5), Digest: SHA1, scheme: rsaPKCS1},
		{Name: "SHA-224 with RSA", URI: xmldsig2001 + "rsa-sha224", OID: under(pkcs1OID, 14), Digest: SHA224, scheme: rsaPKCS1},
		{Name: "SHA-256 with RSA", URI: xmldsig2001 + "rsa-sha256", JWA: "RS256", OID: under(pkcs1OID, 11), Digest: SHA256, scheme: rsaPKCS1},
		{Name: "SHA-384 with RSA", URI: xmldsig2001 + "rsa-sha384", JWA: "RS384", OID: under(pkcs1OID, 12), Digest: SHA384, scheme: rsaPKCS1},
		{Name: "SHA-512 with RSA", URI: xmldsig2001 + "rsa-sha512", JWA: "RS512", OID: under(pkcs1OID, 13), Digest: SHA512, scheme: rsaPKCS1},
		{Name: "SHA-512/224 with RSA", OID: under(pkcs1OID, 15), Digest: SHA512x224, scheme: rsaPKCS1},
		{Name: "SHA-512/256 with RSA", OID: under(pkcs1OID, 16), Digest: SHA512x256, scheme: rsaPKCS1},
		{Name: "SHA3-224 with RSA", OID: under(nistSigOID, 13), Digest: SHA3x224, scheme: rsaPKCS1},
		{Name: "SHA3-256 with RSA", OID: under(nistSigOID, 14), Digest: SHA3x256, scheme: rsaPKCS1},
		{Name: "SHA3-384 with RSA", OID: under(nistSigOID, 15), Digest: SHA3x384, scheme: rsaPKCS1},
		{Name: "SHA3-512 with RSA", OID: under(nistSigOID, 16), Digest: SHA3x512, scheme: rsaPKCS1},
	}
	ecdsaSignatures = []*Signature{
		{Name: "SHA-1 with ECDSA", URI: xmldsig2001 + "ecdsa-sha1", OID: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}, Digest: SHA1, scheme: ecdsaScheme},
		{Name: "SHA-224 with ECDSA", URI: xmldsig2001 + "ecdsa-sha224", OID: under(ecdsa2OID, 1), Digest: SHA224, scheme: ecdsaScheme},
		{Name: "SHA-256 with ECDSA", URI: xmldsig2001 + "ecdsa-sha256", JWA: "ES256", OID: under(ecdsa2OID, 2), Digest: SHA256, scheme: ecdsaScheme},
		{Name: "SHA-384 with ECDSA", URI: xmldsig2001 + "ecdsa-sha384", JWA: "ES384", OID: under(ecdsa2OID, 3), Digest: SHA384, scheme: ecdsaScheme},
		{Name: "SHA-512 with ECDSA", URI: xmldsig2001 + "ecdsa-sha512", JWA: "ES512", OID: under(ecdsa2OID, 4), Digest: SHA512, scheme: ecdsaScheme},
		{Name: "SHA3-224 with ECDSA", URI: xmldsig2021 + "ecdsa-sha3-224", OID: under(nistSigOID, 9), Digest: SHA3x224, scheme: ecdsaScheme},
		{Name: "SHA3-256 with ECDSA", URI: xmldsig2021 + "ecdsa-sha3-256", OID: under(nistSigOID, 10), Digest: SHA3x256, scheme: ecdsaScheme},
		{Name: "SHA3-384 with ECDSA", URI: xmldsig2021 + "ecdsa-sha3-384", OID: under(nistSigOID, 11), Digest: SHA3x384, scheme: ecdsaScheme},
		{Name: "SHA3-512 with ECDSA", URI: xmldsig2021 + "ecdsa-sha3-512", OID: under(nistSigOID, 12), Digest: SHA3x512, scheme: ecdsaScheme},
	}
	dsaSignatures = []*Signature{
		{Name: "SHA-1 with DSA", URI: xmldsig2000 + "dsa-sha1", OID: asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 3}, Digest: SHA1, scheme: dsaScheme},
		{Name: "SHA-224 with DSA", OID: under(nistSigOID, 1), Digest: SHA224, scheme: dsaScheme},
		{Name: "SHA-256 with DSA", URI: xmldsig11 + "dsa-sha256", OID: under(nistSigOID, 2), Digest: SHA256, scheme: dsaScheme},
		{Name: "SHA-384 with DSA", OID: under(nistSigOID, 3), Digest: SHA384, scheme: dsaScheme},
		{Name: "SHA-512 with DSA", OID: under(nistSigOID, 4), Digest: SHA512, scheme: dsaScheme},
	}
	// Ed25519 signs the message itself and digests it inside, with SHA-512,
	// which CMS names beside it (RFC 8419 §3).
	ed25519Signatures = []*Signature{
		{Name: "Ed25519", URI: xmldsig2021 + "eddsa-ed25519", JWA: "EdDSA", OID: oidEd25519, Digest: SHA512, scheme: ed25519Scheme},
	}
	gostSignatures = []*Signature{
		ofGOSTSignature(gost.SignatureKZ2004, xmldsig2001+"gost34310-gost34311", "GG2004", GOST34311),
		ofGOSTSignature(gost.SignatureKZ2015x256, xmlPKIGOVKZ+"gostr34102015-gostr34112015-256", "", Streebog256),
		ofGOSTSignature(gost.SignatureKZ2015x512, xmlPKIGOVKZ+"gostr34102015-gostr34112015-512", "GG2015", Streebog512),
		ofGOSTSignature(gost.SignatureRU2001, "", "", GOSTR341194),
		ofGOSTSignature(gost.SignatureRU2012x256, "", "", Streebog256),
		ofGOSTSignature(gost.SignatureRU2012x512, "", "", Streebog512),
	}

	signatures = slices.Concat(rsaSignatures, ecdsaSignatures, dsaSignatures, ed25519Signatures, gostSignatures)
)

func ofGOSTSignature(a *gost.Algorithm, uri, jwa string, d *Digest) *Signature {
	return &Signature{Name: a.Name, URI: uri, JWA: jwa, OID: a.OID, Digest: d, scheme: gostScheme, gost: a}
}

// obsolete are identifiers that old messages use for an algorithm of the table
// (OIW's; Java's signatures of the 1990s).
var obsolete = []struct {
	oid  asn1.ObjectIdentifier
	name string
}{
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 29}, "SHA-1 with RSA"},
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 27}, "SHA-1 with DSA"},
}

// SignatureByIdentifier finds the algorithm of a signature. digest is the one
// that the surroundings declare (CMS digestAlgorithm), nil where they declare
// none (certificates, CRLs, OCSP). Where the identifier names a digest too, the
// two must agree. Where it is that of a key (rsaEncryption, which RFC 3370 §3.2
// demands and Kalkan writes, id-ecPublicKey, id-dsa), the digest comes from the
// surroundings alone; a key of GOST has but one.
func SignatureByIdentifier(id Identifier, digest *Digest) (*Signature, error) {
	switch {
	case id.OID.Equal(oidPSS):
		s, err := parsePSS(id.Parameters)
		if err != nil {
			return nil, err
		}
		return s.agreeing(digest)
	case id.OID.Equal(oidRSA), id.OID.Equal(oidECPublicKey), id.OID.Equal(oidDSA):
		return signatureByKeyOID(id, digest)
	}
	s := signatureByOID(id.OID)
	if s == nil {
		return nil, unsupportedOID(id.OID)
	}
	if err := s.checkParameters(id); err != nil {
		return nil, err
	}
	return s.agreeing(digest)
}

func signatureByOID(oid asn1.ObjectIdentifier) *Signature {
	for _, s := range signatures {
		if s.OID.Equal(oid) || s.gost != nil && s.gost.Key.OID.Equal(oid) {
			return s
		}
	}
	for _, o := range obsolete {
		if o.oid.Equal(oid) {
			return byName(o.name)
		}
	}
	return nil
}

func byName(name string) *Signature {
	for _, s := range signatures {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// agreeing is s, unless the surroundings name a digest other than its own: two
// readers would hash the same message differently.
func (s *Signature) agreeing(digest *Digest) (*Signature, error) {
	if digest != nil && digest != s.Digest && !s.takesTestParameters(digest) {
		return nil, fault.New(fault.AlgorithmMismatch, "", "%s beside the digest %s", s.Name, digest.Name)
	}
	return s, nil
}

// takesTestParameters is for Russia's GOST R 34.10-2001, whose digest has an
// S-box that only the key's parameters name (RFC 4491 §2.3.2).
func (s *Signature) takesTestParameters(digest *Digest) bool {
	return s.gost == gost.SignatureRU2001 && digest == GOST34311
}

// checkParameters: NULL or absent for RSA (RFC 4055 §5), and for GOST and DSA,
// where one object often has both; absent for ECDSA (RFC 5758 §3.2) and Ed25519
// (RFC 8410 §3).
func (s *Signature) checkParameters(id Identifier) error {
	strict := s.scheme == ecdsaScheme || s.scheme == ed25519Scheme
	if len(id.Parameters) == 0 || !strict && id.emptyParameters() {
		return nil
	}
	return fault.New(fault.AlgorithmParametersInvalid, "", "%s takes no parameters", s.Name)
}

func signatureByKeyOID(id Identifier, digest *Digest) (*Signature, error) {
	if digest == nil {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "%s names no digest", id.Name())
	}
	switch {
	case id.OID.Equal(oidECPublicKey):
		return row(ecdsaScheme, digest)
	case !id.emptyParameters():
		return nil, fault.New(fault.AlgorithmParametersInvalid, "", "%s takes no parameters in a signature", id.Name())
	case id.OID.Equal(oidDSA):
		return row(dsaScheme, digest)
	}
	return row(rsaPKCS1, digest)
}

// row finds the table's algorithm of a scheme and digest.
func row(s scheme, d *Digest) (*Signature, error) {
	for _, sig := range signatures {
		if sig.scheme == s && sig.Digest == d {
			return sig, nil
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no such signature algorithm with %s", d.Name)
}

// SignatureByURI finds the algorithm of an XML-DSig SignatureMethod.
func SignatureByURI(uri string) (*Signature, error) {
	for _, table := range [][]*Signature{signatures, pssSignatures} {
		for _, s := range table {
			if s.URI == uri && uri != "" {
				return s, nil
			}
		}
	}
	return nil, unsupportedURI(uri)
}

// SignatureByJWA finds the algorithm of a JWS header's "alg".
func SignatureByJWA(name string) (*Signature, error) {
	for _, table := range [][]*Signature{signatures, pssSignatures} {
		for _, s := range table {
			if s.JWA == name && name != "" {
				return s, nil
			}
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "JWS algorithm %.40q", name)
}

// SignatureFor chooses the algorithm that a key of ours signs with: PKCS#1
// v1.5 for RSA, ECDSA for NIST's curves, and the own one of a key of GOST or
// Ed25519, for which d must be the digest that it goes with.
func SignatureFor(pub crypto.PublicKey, d *Digest) (*Signature, error) {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		return row(rsaPKCS1, d)
	case *ecdsa.PublicKey:
		if _, verifyOnly := key.Curve.(*brainpool); !verifyOnly {
			return row(ecdsaScheme, d)
		}
	case ed25519.PublicKey:
		return ed25519Signatures[0].agreeing(d)
	case *gost.PublicKey:
		s := signatureByOID(key.Algorithm().OID)
		return s.agreeing(d)
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "signing with a key of type %T", pub)
}

// DigestFor is the digest that a key of ours signs with if nobody chose one:
// keys of GOST and Ed25519 have their own, every other takes SHA-256.
func DigestFor(pub crypto.PublicKey) *Digest {
	switch key := pub.(type) {
	case ed25519.PublicKey:
		return ed25519Signatures[0].Digest
	case *gost.PublicKey:
		return signatureByOID(key.Algorithm().OID).Digest
	}
	return SHA256
}

// Identifier is the AlgorithmIdentifier that we write.
func (s *Signature) Identifier() Identifier {
	switch {
	case s.scheme == rsaPKCS1, s.gost != nil && s.gost.Layout == gost.LayoutKZ:
		return Identifier{OID: s.OID, Parameters: bytes.Clone(null)}
	case s.scheme == rsaPSS:
		return Identifier{OID: s.OID, Parameters: s.pss.encode(s.Digest)}
	}
	return Identifier{OID: s.OID}
}

// SignsMessage reports whether s is over the message itself and not over a
// digest of it: Ed25519 (RFC 8032 §5.1). Where a message comes piece by piece it
// must then be kept whole, and Verify, which takes a digest, refuses.
func (s *Signature) SignsMessage() bool { return s.scheme == ed25519Scheme }

// Input is what a crypto.Signer is given to sign a message with s: its digest, or
// the message itself.
func (s *Signature) Input(message []byte) []byte {
	if s.SignsMessage() {
		return message
	}
	return s.Digest.Sum(message)
}

// SignerOpts is what a crypto.Signer needs to sign an Input with s. An ECDSA
// signer returns ASN.1; RawECDSA turns it into what XML-DSig and JWS carry.
func (s *Signature) SignerOpts() crypto.SignerOpts {
	switch {
	case s.scheme == rsaPSS:
		return &rsa.PSSOptions{SaltLength: s.pss.saltLength, Hash: s.Digest.Hash}
	case s.gost != nil:
		return s.gost
	case s.SignsMessage():
		return crypto.Hash(0) // with a hash it would be Ed25519ph
	}
	return s.Digest.Hash
}

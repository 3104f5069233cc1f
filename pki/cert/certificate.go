package cert

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// Limits of one certificate. Real ones have a dozen extensions and 2 KiB; the
// largest in public test sets are some 100 KiB of name constraints.
const (
	sizeMax       = 1 << 20
	extensionsMax = 64
	serialMax     = 64 // bytes; RFC 5280 allows 20, old CAs wrote more
)

// Certificate is a parsed certificate. It is never changed after Parse, so it
// may be shared between goroutines; its slices must not be written to.
type Certificate struct {
	// The original bytes of the certificate and its parts, each a whole
	// DER element.
	Raw, RawTBS, RawIssuer, RawSubject, RawSPKI []byte

	Version             int // 1, 2 or 3
	Serial              *big.Int
	Issuer, Subject     Name
	NotBefore, NotAfter time.Time // both inclusive

	KeyAlgorithm       algo.Identifier
	PublicKey          crypto.PublicKey // nil if pki/algo lacks the algorithm or refuses the key
	SignatureAlgorithm algo.Identifier
	Signature          []byte

	// Extensions in their order, parsed below or not.
	Extensions []Extension

	KeyUsage    KeyUsage // 0 if the extension is absent
	ExtKeyUsage []asn1.ObjectIdentifier
	Policies    []asn1.ObjectIdentifier

	// What a CA demands of the certificates below it; empty if absent.
	PolicyMappings                                                []PolicyMapping
	RequireExplicitPolicy, InhibitPolicyMapping, InhibitAnyPolicy SkipCerts
	NameConstraints                                               *NameConstraints

	SubjectKeyID    []byte
	AuthorityKeyID  []byte
	AuthorityIssuer []byte   // the authority's issuer name in DER, if the extension names one
	AuthoritySerial *big.Int // the authority's serial number, likewise

	IsCA       bool
	MaxPathLen int // -1 if the extension sets none

	OCSPServers, IssuingURLs []string // authority information access
	CRLURLs, DeltaCRLURLs    []string // distribution points of full CRLs, freshest CRL
	Emails                   []string // rfc822Name of the subject alternative name

	AltNames               []GeneralName       // subject alternative names of every kind
	CRLPoints, FreshestCRL []DistributionPoint // all distribution points

	OCSPNoCheck bool     // id-pkix-ocsp-nocheck, RFC 6960 §4.2.2.2.1
	KeyStore    KeyStore // NUC RK's extension; zero if absent

	// UnhandledCritical lists critical extensions that this package does not
	// parse, or not to the end. Whoever relies on the certificate must process or refuse them.
	UnhandledCritical []asn1.ObjectIdentifier

	// Malformed lists known extensions that cannot be read: they count as absent
	// here, and whoever needs one must refuse.
	Malformed []Malformed

	// Tolerated are the oddities that were met.
	Tolerated Tolerance

	allowed         Tolerance
	otherQualifiers bool // policy qualifiers that RFC 5280 does not define
	keyBits         []byte
	fingerprint     [sha256.Size]byte
}

// Extension is one extension with its value undecoded.
type Extension struct {
	OID      asn1.ObjectIdentifier
	Critical bool
	Value    []byte
}

// Parse reads one certificate that is all of der, with whatever oddities it has.
// Any refusal is certificate_unreadable, or input_empty or input_too_big.
func Parse(der []byte) (*Certificate, error) { return ParseTolerating(der, TolerateAll) }

// ParseTolerating is Parse with those oddities alone that are allowed.
func ParseTolerating(der []byte, allowed Tolerance) (*Certificate, error) {
	if len(der) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "no certificate")
	}
	if len(der) > sizeMax {
		return nil, fault.New(fault.InputTooBig, "", "a certificate of %d bytes, at most %d", len(der), sizeMax)
	}
	c := &Certificate{Raw: bytes.Clone(der), MaxPathLen: -1, allowed: allowed, fingerprint: sha256.Sum256(der)}
	if err := c.parse(); err != nil {
		return nil, err
	}
	return c, nil
}

func unreadable(at, format string, args ...any) error {
	return fault.New(fault.CertificateUnreadable, at, format, args...)
}

func (c *Certificate) parse() error {
	input := cryptobyte.String(c.Raw)
	var outer, tbs cryptobyte.String
	if !input.ReadASN1(&outer, cbasn1.SEQUENCE) || !input.Empty() {
		return unreadable("", "not one SEQUENCE")
	}
	if !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return unreadable("tbsCertificate", "not a SEQUENCE")
	}
	c.RawTBS = tbs
	var ok bool
	if c.SignatureAlgorithm, ok = algo.ReadIdentifier(&outer); !ok {
		return unreadable("signatureAlgorithm", "not an AlgorithmIdentifier")
	}
	var signature asn1.BitString
	if !outer.ReadASN1BitString(&signature) || !outer.Empty() {
		return unreadable("signatureValue", "not a BIT STRING at the end")
	}
	c.Signature = signature.RightAlign() // no algorithm here has odd bits: such a one will not verify
	return c.parseTBS(tbs)
}

// parseTBS reads TBSCertificate (RFC 5280 §4.1).
func (c *Certificate) parseTBS(element cryptobyte.String) error {
	var tbs cryptobyte.String
	element.ReadASN1(&tbs, cbasn1.SEQUENCE) // read once by the caller
	version := 0
	if !tbs.ReadOptionalASN1Integer(&version, cbasn1.Tag(0).Constructed().ContextSpecific(), 0) || version < 0 || version > 2 {
		return unreadable("version", "not 1, 2 or 3")
	}
	c.Version = version + 1
	c.Serial = new(big.Int)
	if !tbs.ReadASN1Integer(c.Serial) || c.Serial.BitLen() > 8*serialMax {
		return unreadable("serialNumber", "not an INTEGER of at most %d bytes", serialMax)
	}
	if (c.Serial.Sign() <= 0 || c.Serial.BitLen() > 160) && !c.tolerate(OddSerial) {
		return unreadable("serialNumber", "not positive and of at most 20 bytes")
	}
	inner, ok := algo.ReadIdentifier(&tbs)
	if !ok || !inner.Same(c.SignatureAlgorithm) {
		return unreadable("signature", "the signed algorithm is not the one beside the signature")
	}
	if !bytes.Equal(inner.Parameters, c.SignatureAlgorithm.Parameters) && !c.tolerate(OddParameters) {
		return unreadable("signature", "the signed parameters are not those beside the signature")
	}
	var err error
	if c.RawIssuer, c.Issuer, err = readName(&tbs, "issuer"); err != nil {
		return err
	}
	var validity cryptobyte.String
	if !tbs.ReadASN1(&validity, cbasn1.SEQUENCE) {
		return unreadable("validity", "not a SEQUENCE")
	}
	if c.NotBefore, ok = ReadTime(&validity); !ok {
		return unreadable("validity", "notBefore is not a time")
	}
	if c.NotAfter, ok = ReadTime(&validity); !ok || !validity.Empty() {
		return unreadable("validity", "notAfter is not a time")
	}
	if c.RawSubject, c.Subject, err = readName(&tbs, "subject"); err != nil {
		return err
	}
	if err := c.parseKey(&tbs); err != nil {
		return err
	}
	return c.parseTail(&tbs)
}

func (c *Certificate) parseKey(tbs *cryptobyte.String) error {
	var spki cryptobyte.String
	if !tbs.ReadASN1Element(&spki, cbasn1.SEQUENCE) {
		return unreadable("subjectPublicKeyInfo", "not a SEQUENCE")
	}
	c.RawSPKI = spki
	var body cryptobyte.String
	var ok bool
	spki.ReadASN1(&body, cbasn1.SEQUENCE)
	if c.KeyAlgorithm, ok = algo.ReadIdentifier(&body); !ok || !body.ReadASN1BitStringAsBytes(&c.keyBits) || !body.Empty() {
		return unreadable("subjectPublicKeyInfo", "not an algorithm and a BIT STRING")
	}
	// A key we cannot use is no reason not to read the certificate; KeyError
	// gives the reason to who wanted to verify with it.
	if pub, err := algo.ParsePublicKey(c.RawSPKI); err == nil {
		c.PublicKey = pub
	}
	return nil
}

// KeyError says why PublicKey is nil: algorithm_unsupported or
// public_key_invalid. It is nil if there is a key.
func (c *Certificate) KeyError() error {
	if c.PublicKey != nil {
		return nil
	}
	_, err := algo.ParsePublicKey(c.RawSPKI)
	return err
}

// KeyBits is the content of the subject public key's BIT STRING, over which key
// identifiers and OCSP's issuerKeyHash are computed.
func (c *Certificate) KeyBits() []byte { return c.keyBits }

// parseTail reads the unique identifiers, which nothing uses, and the
// extensions.
func (c *Certificate) parseTail(tbs *cryptobyte.String) error {
	for n := uint8(1); n <= 2; n++ {
		if !tbs.SkipOptionalASN1(cbasn1.Tag(n).ContextSpecific()) {
			return unreadable("uniqueID", "malformed")
		}
	}
	var wrapped, list cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, cbasn1.Tag(3).Constructed().ContextSpecific()) || !tbs.Empty() {
		return unreadable("tbsCertificate", "malformed end")
	}
	if !present {
		return nil
	}
	if c.Version != 3 {
		return unreadable("extensions", "in a certificate of version %d", c.Version)
	}
	if !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() || list.Empty() {
		return unreadable("extensions", "not a SEQUENCE")
	}
	var err error
	if c.Extensions, err = ReadExtensions(list); err != nil {
		return err
	}
	return c.parseExtensions()
}

// Fingerprint is the SHA-256 of the whole certificate, which identifies it.
func (c *Certificate) Fingerprint() [sha256.Size]byte { return c.fingerprint }

// SerialHex is the serial number as lower-case hexadecimal bytes.
func (c *Certificate) SerialHex() string { return serialHex(c.Serial) }

func serialHex(serial *big.Int) string {
	if serial.Sign() == 0 {
		return "00"
	}
	sign := ""
	if serial.Sign() < 0 {
		sign = "-"
	}
	return sign + hex.EncodeToString(serial.Bytes())
}

// SelfIssued reports whether subject and issuer are the same name.
func (c *Certificate) SelfIssued() bool { return c.IssuedInNameOf(c) }

// Covers reports whether t lies within the validity period, both ends
// included (RFC 5280 §4.1.2.5).
func (c *Certificate) Covers(t time.Time) bool {
	return !t.Before(c.NotBefore) && !t.After(c.NotAfter)
}

// Verify checks a signature made with the certificate's key over a message, as
// in certificates, CRLs and OCSP responses. It looks at nothing else of the
// certificate.
func (c *Certificate) Verify(id algo.Identifier, message, sig []byte) error {
	if err := c.KeyError(); err != nil {
		return err
	}
	return algo.VerifySigned(c.PublicKey, id, message, sig)
}

// VerifySignedBy checks the signature of c with the key of issuer.
func (c *Certificate) VerifySignedBy(issuer *Certificate) error {
	return issuer.Verify(c.SignatureAlgorithm, c.RawTBS, c.Signature)
}

// Equal reports whether two certificates are the same bytes.
func (c *Certificate) Equal(other *Certificate) bool { return bytes.Equal(c.Raw, other.Raw) }

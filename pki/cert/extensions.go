package cert

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/ber"
)

// ReadExtensions reads the content of a SEQUENCE OF Extension, as in
// certificates, CRLs and OCSP answers. An extension that comes twice is
// refused (RFC 5280 §4.2): readers would disagree on which one holds.
func ReadExtensions(list []byte) ([]Extension, error) {
	s := cryptobyte.String(list)
	var out []Extension
	for !s.Empty() {
		if len(out) == extensionsMax {
			return nil, unreadable("extensions", "more than %d", extensionsMax)
		}
		var body, value cryptobyte.String
		var e Extension
		if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1ObjectIdentifier(&e.OID) {
			return nil, unreadable("extensions", "extension %d is malformed", len(out))
		}
		if body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&e.Critical) {
			return nil, unreadable("extension "+e.OID.String(), "critical is malformed")
		}
		if !body.ReadASN1(&value, cbasn1.OCTET_STRING) || !body.Empty() {
			return nil, unreadable("extension "+e.OID.String(), "the value is malformed")
		}
		if slices.ContainsFunc(out, func(other Extension) bool { return other.OID.Equal(e.OID) }) {
			return nil, unreadable("extension "+e.OID.String(), "twice")
		}
		e.Value = value
		out = append(out, e)
	}
	return out, nil
}

// Extensions by OID.
var (
	OIDKeyUsage            = asn1.ObjectIdentifier{2, 5, 29, 15}
	OIDExtKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 37}
	OIDBasicConstraints    = asn1.ObjectIdentifier{2, 5, 29, 19}
	OIDCertificatePolicies = asn1.ObjectIdentifier{2, 5, 29, 32}
	OIDPolicyMappings      = asn1.ObjectIdentifier{2, 5, 29, 33}
	OIDPolicyConstraints   = asn1.ObjectIdentifier{2, 5, 29, 36}
	OIDInhibitAnyPolicy    = asn1.ObjectIdentifier{2, 5, 29, 54}
	OIDNameConstraints     = asn1.ObjectIdentifier{2, 5, 29, 30}
	OIDSubjectKeyID        = asn1.ObjectIdentifier{2, 5, 29, 14}
	OIDAuthorityKeyID      = asn1.ObjectIdentifier{2, 5, 29, 35}
	OIDSubjectAltName      = asn1.ObjectIdentifier{2, 5, 29, 17}
	OIDCRLPoints           = asn1.ObjectIdentifier{2, 5, 29, 31}
	OIDFreshestCRL         = asn1.ObjectIdentifier{2, 5, 29, 46}
	OIDAuthorityInfoAccess = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	OIDOCSPNoCheck         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	OIDKeyStore            = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 5}
)

// extensionParsers decode the extensions that the package knows; false means
// malformed.
var extensionParsers = map[string]func(*Certificate, cryptobyte.String) bool{
	OIDKeyUsage.String():            (*Certificate).parseKeyUsage,
	OIDExtKeyUsage.String():         (*Certificate).parseExtKeyUsage,
	OIDBasicConstraints.String():    (*Certificate).parseBasicConstraints,
	OIDCertificatePolicies.String(): (*Certificate).parsePolicies,
	OIDSubjectKeyID.String():        (*Certificate).parseSubjectKeyID,
	OIDAuthorityKeyID.String():      (*Certificate).parseAuthorityKeyID,
	OIDSubjectAltName.String():      (*Certificate).parseSubjectAltName,
	OIDAuthorityInfoAccess.String(): (*Certificate).parseAccess,
	OIDPolicyMappings.String():      (*Certificate).parsePolicyMappings,
	OIDPolicyConstraints.String():   (*Certificate).parsePolicyConstraints,
	OIDInhibitAnyPolicy.String():    (*Certificate).parseInhibitAnyPolicy,
	OIDNameConstraints.String():     (*Certificate).parseNameConstraints,
	OIDCRLPoints.String():           func(c *Certificate, s cryptobyte.String) bool { return readPoints(s, &c.CRLPoints, &c.CRLURLs) },
	OIDFreshestCRL.String():         func(c *Certificate, s cryptobyte.String) bool { return readPoints(s, &c.FreshestCRL, &c.DeltaCRLURLs) },
	OIDOCSPNoCheck.String():         (*Certificate).parseNoCheck,
	OIDKeyStore.String():            (*Certificate).parseKeyStore,
}

func (c *Certificate) parseExtensions() error {
	for _, e := range c.Extensions {
		parse, known := extensionParsers[e.OID.String()]
		switch {
		case !known && e.Critical:
			c.UnhandledCritical = append(c.UnhandledCritical, e.OID)
		case !known || c.parseExtension(parse, e.Value):
		case c.tolerate(OddMalformedExtension):
			c.Malformed = append(c.Malformed, Malformed{e.OID, e.Critical})
			if e.Critical {
				c.UnhandledCritical = append(c.UnhandledCritical, e.OID)
			}
		default:
			return unreadable("extension "+e.OID.String(), "malformed")
		}
		if e.Critical && c.otherQualifiers && e.OID.Equal(OIDCertificatePolicies) {
			c.UnhandledCritical = append(c.UnhandledCritical, e.OID) // §4.2.1.4
		}
	}
	return nil
}

// parseExtension reads a value in DER or, where that is tolerated, in BER: then
// every byte of it is read, and nothing is passed over. Of a value that cannot
// be read, nothing stays.
func (c *Certificate) parseExtension(parse func(*Certificate, cryptobyte.String) bool, value []byte) bool {
	before := *c
	if parse(c, value) {
		return true
	}
	*c = before
	der, err := ber.ToDER(value, berLimits)
	if err != nil || bytes.Equal(der, value) || !c.tolerate(OddExtensionEncoding) {
		return false
	}
	if !parse(c, der) {
		*c = before
		return false
	}
	return true
}

// berLimits bound an extension: no part of one is deeper than distribution
// points with names.
var berLimits = ber.Limits{Bytes: 1 << 20, Depth: 16, Elements: 1 << 14}

// Extension finds an extension by OID.
func (c *Certificate) Extension(oid asn1.ObjectIdentifier) (Extension, bool) {
	for _, e := range c.Extensions {
		if e.OID.Equal(oid) {
			return e, true
		}
	}
	return Extension{}, false
}

// KeyUsage is the set of key usages (RFC 5280 §4.2.1.3).
type KeyUsage uint16

// The key usages, bit 0 of the extension first.
const (
	KeyUsageDigitalSignature KeyUsage = 1 << iota
	KeyUsageNonRepudiation            // contentCommitment in newer texts
	KeyUsageKeyEncipherment
	KeyUsageDataEncipherment
	KeyUsageKeyAgreement
	KeyUsageCertSign
	KeyUsageCRLSign
	KeyUsageEncipherOnly
	KeyUsageDecipherOnly
)

// keyUsageNames are RFC 5280's names, bit 0 first.
var keyUsageNames = [...]string{
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
	"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
}

// Names lists the usages by RFC 5280's names.
func (k KeyUsage) Names() []string {
	names := []string{}
	for i, name := range keyUsageNames {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Allows reports whether the key may be used so: the extension lists every bit
// of use, or is absent.
func (c *Certificate) Allows(use KeyUsage) bool {
	if _, present := c.Extension(OIDKeyUsage); !present {
		return true
	}
	return c.KeyUsage&use == use
}

func (c *Certificate) parseKeyUsage(s cryptobyte.String) bool {
	var bits asn1.BitString
	if !s.ReadASN1BitString(&bits) || !s.Empty() {
		return false
	}
	for i := range 9 {
		c.KeyUsage |= KeyUsage(bits.At(i)) << i
	}
	return true
}

// listMax bounds the entries of one extension; real ones have under ten, test
// certificates of others a thousand.
const listMax = 2048

func (c *Certificate) parseExtKeyUsage(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var oid asn1.ObjectIdentifier
		if len(c.ExtKeyUsage) == listMax || !list.ReadASN1ObjectIdentifier(&oid) {
			return false
		}
		c.ExtKeyUsage = append(c.ExtKeyUsage, oid)
	}
	return true
}

// Extended key usages of RFC 5280 §4.2.1.12.
var (
	OIDUsageServerAuth      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	OIDUsageClientAuth      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	OIDUsageEmailProtection = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	OIDUsageTimeStamping    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	OIDUsageOCSPSigning     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
)

// HasExtKeyUsage reports whether the certificate lists the usage or, as NUC RK
// uses the extension, the role.
func (c *Certificate) HasExtKeyUsage(oid asn1.ObjectIdentifier) bool {
	for _, u := range c.ExtKeyUsage {
		if u.Equal(oid) {
			return true
		}
	}
	return false
}

func (c *Certificate) parseBasicConstraints(s cryptobyte.String) bool {
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return false
	}
	if body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&c.IsCA) {
		return false
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) {
		// A length beyond any path is no limit, but must be a number.
		var n big.Int
		if !body.ReadASN1Integer(&n) || n.Sign() < 0 {
			return false
		}
		if n.IsInt64() && n.Int64() < 1<<20 {
			c.MaxPathLen = int(n.Int64())
		}
	}
	return body.Empty()
}

// Policy qualifiers that RFC 5280 §4.2.1.4 defines. They say nothing that
// anybody but a person could process.
var (
	oidQualifierCPS    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}
	oidQualifierNotice = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}
)

func (c *Certificate) parsePolicies(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return false
	}
	seen := make(map[string]bool)
	for !list.Empty() {
		var info cryptobyte.String
		var oid asn1.ObjectIdentifier
		if len(c.Policies) == listMax || !list.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&oid) {
			return false
		}
		key := oid.String()
		if seen[key] || !c.readQualifiers(info) { // a policy MUST NOT appear more than once
			return false
		}
		seen[key] = true
		c.Policies = append(c.Policies, oid)
	}
	return true
}

// readQualifiers reads what follows a policy's identifier, if anything does.
func (c *Certificate) readQualifiers(s cryptobyte.String) bool {
	if s.Empty() {
		return true
	}
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var info, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if !list.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&oid) || !info.ReadAnyASN1(&value, &tag) || !info.Empty() {
			return false
		}
		c.otherQualifiers = c.otherQualifiers || !oid.Equal(oidQualifierCPS) && !oid.Equal(oidQualifierNotice)
	}
	return true
}

func (c *Certificate) parseSubjectKeyID(s cryptobyte.String) bool {
	return s.ReadASN1Bytes(&c.SubjectKeyID, cbasn1.OCTET_STRING) && s.Empty()
}

// parseAuthorityKeyID reads key identifier, issuer and serial number, each
// optional.
func (c *Certificate) parseAuthorityKeyID(s cryptobyte.String) bool {
	var body, id, issuer, serial cryptobyte.String
	var hasID, hasIssuer, hasSerial bool
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() ||
		!body.ReadOptionalASN1(&id, &hasID, context(0)) ||
		!body.ReadOptionalASN1(&issuer, &hasIssuer, context(1).Constructed()) ||
		!body.ReadOptionalASN1(&serial, &hasSerial, context(2)) || !body.Empty() {
		return false
	}
	if hasID {
		c.AuthorityKeyID = id
	}
	if hasSerial {
		// An INTEGER under an implicit tag: give it its own tag back.
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(serial) })
		der := cryptobyte.String(b.BytesOrPanic())
		c.AuthoritySerial = new(big.Int)
		if !der.ReadASN1Integer(c.AuthoritySerial) {
			return false
		}
	}
	return !hasIssuer || eachGeneralName(issuer, func(tag cbasn1.Tag, content cryptobyte.String) {
		if tag == context(4).Constructed() {
			c.AuthorityIssuer = content
		}
	})
}

func (c *Certificate) parseSubjectAltName(s cryptobyte.String) bool {
	var list cryptobyte.String
	var ok bool
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return false
	}
	if list.Empty() { // there is no name then
		return c.tolerate(OddEmptyAltNames)
	}
	c.AltNames, ok = ReadGeneralNames(list)
	for _, name := range c.AltNames {
		if name.Kind == EmailName {
			c.Emails = append(c.Emails, string(name.Value))
		}
	}
	return ok
}

// parseNoCheck reads NULL, or nothing at all.
func (c *Certificate) parseNoCheck(s cryptobyte.String) bool {
	c.OCSPNoCheck = true
	if s.Empty() {
		return c.tolerate(OddEmptyNoCheck)
	}
	var null cryptobyte.String
	return s.ReadASN1(&null, cbasn1.NULL) && null.Empty() && s.Empty()
}

func context(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

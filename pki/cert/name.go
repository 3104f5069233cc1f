package cert

import (
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a name. Real ones have about eight parts with one attribute each;
// test certificates of others go to a thousand.
const (
	rdnsMax          = 2048
	attributesPerRDN = 64
)

// Name is a distinguished name as it was written: a sequence of relative
// names, each with one attribute or more.
type Name struct {
	RDNs   [][]Attribute
	folded *foldedName // nil in a name that was not parsed
}

// Attribute is one attribute of a name.
type Attribute struct {
	Type  asn1.ObjectIdentifier
	Value string // decoded to UTF-8; "" if the value is not a readable string
	Raw   []byte // the value's DER
}

// readName reads a Name and keeps its bytes.
func readName(s *cryptobyte.String, at string) ([]byte, Name, error) {
	var raw cryptobyte.String
	if !s.ReadASN1Element(&raw, cbasn1.SEQUENCE) {
		return nil, Name{}, unreadable(at, "not a SEQUENCE")
	}
	name, ok := parseName(raw)
	if !ok {
		return nil, Name{}, unreadable(at, "not a Name, or more than %d parts", rdnsMax)
	}
	return raw, name, nil
}

// ParseName reads a Name that is all of der, such as the issuer of a CRL or
// the responder of an OCSP answer.
func ParseName(der []byte) (Name, error) {
	name, ok := parseName(der)
	if !ok {
		return Name{}, unreadable("", "not a Name")
	}
	return name, nil
}

func parseName(der []byte) (Name, bool) {
	s := cryptobyte.String(der)
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return Name{}, false
	}
	var n Name
	for !list.Empty() {
		var set cryptobyte.String
		if len(n.RDNs) == rdnsMax || !list.ReadASN1(&set, cbasn1.SET) {
			return Name{}, false
		}
		rdn, ok := readRDN(set)
		if !ok {
			return Name{}, false
		}
		n.RDNs = append(n.RDNs, rdn)
	}
	n.folded = new(foldedName)
	return n, true
}

// readRDN reads the content of a RelativeDistinguishedName.
func readRDN(set cryptobyte.String) ([]Attribute, bool) {
	var rdn []Attribute
	for !set.Empty() {
		a, ok := readAttribute(&set)
		if !ok || len(rdn) == attributesPerRDN {
			return nil, false
		}
		rdn = append(rdn, a)
	}
	return rdn, len(rdn) > 0
}

func readAttribute(s *cryptobyte.String) (Attribute, bool) {
	var a Attribute
	var body, value cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1ObjectIdentifier(&a.Type) ||
		!body.ReadAnyASN1Element(&value, &tag) || !body.Empty() {
		return Attribute{}, false
	}
	a.Raw = value
	var content cryptobyte.String
	value.ReadASN1(&content, tag)
	a.Value = decodeString(tag, content)
	return a, true
}

// Tags of string types that cryptobyte does not name.
const (
	tagNumericString = cbasn1.Tag(18)
	tagVisibleString = cbasn1.Tag(26)
	tagBMPString     = cbasn1.Tag(30)
)

// decodeString turns a string of a name into UTF-8, "" if it is none. Character sets are not
// policed: NUC RK and others put what PrintableString lacks into it, and what
// counts is compared as bytes anyway.
func decodeString(tag cbasn1.Tag, b []byte) string {
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, tagNumericString, tagVisibleString:
		if !utf8.Valid(b) {
			return ""
		}
		return string(b)
	case cbasn1.T61String: // in practice Latin-1
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes)
	case tagBMPString:
		if len(b)%2 != 0 {
			return ""
		}
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units))
	}
	return ""
}

// Attributes of names that the package reads or prints.
var (
	oidCommonName       = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSurname          = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidSerialNumber     = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCountry          = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganization     = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOrganizationUnit = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidGivenName        = asn1.ObjectIdentifier{2, 5, 4, 42}
	oidUserID           = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	oidEmailAddress     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
)

// attributeNames are the short names that RFC 4514 §3 fixes, and those of the
// LDAP registry for what else NUC RK writes.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L",
	"2.5.4.8": "ST", "2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title",
	"2.5.4.15": "businessCategory", "2.5.4.42": "GN", "2.5.4.97": "organizationIdentifier",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
	"1.2.840.113549.1.9.1": "emailAddress",
}

// String writes the name as RFC 4514 does: the last part first.
func (n Name) String() string {
	var b strings.Builder
	for i := len(n.RDNs) - 1; i >= 0; i-- {
		for j, a := range n.RDNs[i] {
			switch {
			case j > 0:
				b.WriteByte('+')
			case i < len(n.RDNs)-1:
				b.WriteByte(',')
			}
			a.write(&b)
		}
	}
	return b.String()
}

func (a Attribute) write(b *strings.Builder) {
	dotted := a.Type.String()
	name, known := attributeNames[dotted]
	if !known {
		name = dotted
	}
	b.WriteString(name)
	b.WriteByte('=')
	if !known || (a.Value == "" && len(a.Raw) > 2) {
		b.WriteByte('#')
		b.WriteString(hex.EncodeToString(a.Raw))
		return
	}
	writeEscaped(b, a.Value)
}

// writeEscaped escapes what RFC 4514 §2.4 demands, and control characters,
// which it permits, so that a name cannot move the cursor of a terminal.
func writeEscaped(b *strings.Builder, s string) {
	for i, r := range s {
		switch {
		case strings.ContainsRune(`"+,;<>\`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || (r >= 0x7f && r < 0xa0):
			for _, c := range []byte(string(r)) {
				b.WriteByte('\\')
				b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
			}
		default:
			b.WriteRune(r)
		}
	}
}

// values lists the readable values of an attribute type, in order.
func (n Name) values(oid asn1.ObjectIdentifier) []string {
	var out []string
	for _, rdn := range n.RDNs {
		for _, a := range rdn {
			if a.Value != "" && a.Type.Equal(oid) {
				out = append(out, a.Value)
			}
		}
	}
	return out
}

// First is the first readable value of an attribute type, or "".
func (n Name) First(oid asn1.ObjectIdentifier) string {
	if v := n.values(oid); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Organizations lists the values of O.
func (n Name) Organizations() []string { return n.values(oidOrganization) }

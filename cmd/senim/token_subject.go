package main

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
)

// subjectBytesMax is far above any name that an authority takes.
const subjectBytesMax = 1024

// subjectAttributes are the names that --subject knows, as RFC 4514 §3 and NUC
// RK's certificates write them; any other is given as its object identifier.
var subjectAttributes = map[string]asn1.ObjectIdentifier{
	"CN": {2, 5, 4, 3}, "SURNAME": {2, 5, 4, 4}, "SN": {2, 5, 4, 4}, "SERIALNUMBER": {2, 5, 4, 5}, "C": {2, 5, 4, 6}, "L": {2, 5, 4, 7},
	"ST": {2, 5, 4, 8}, "STREET": {2, 5, 4, 9}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "GIVENNAME": {2, 5, 4, 42}, "GN": {2, 5, 4, 42},
	"UID": {0, 9, 2342, 19200300, 100, 1, 1}, "DC": {0, 9, 2342, 19200300, 100, 1, 25},
}

// parseSubject reads a name of RFC 4514 into the DER of a Name. The text has the
// most specific part first, the Name last.
func parseSubject(s string) ([]byte, error) {
	refuse := func(format string, args ...any) ([]byte, error) {
		return nil, fault.New(fault.BadArgument, "--subject", format, args...)
	}
	if s == "" || len(s) > subjectBytesMax || !utf8.ValidString(s) {
		return refuse("a name of 1 to %d bytes is wanted, such as CN=…,C=KZ", subjectBytesMax)
	}
	var name pkix.RDNSequence
	for _, part := range splitEscaped(s, ',') {
		key, written, ok := strings.Cut(part, "=")
		oid, known := attributeType(strings.TrimSpace(key))
		if !ok || !known {
			return refuse("%q is not a known attribute and its value", part)
		}
		text, ok := unescapeValue(written)
		if !ok || text == "" {
			return refuse("the value of %s is empty or wrongly escaped", strings.TrimSpace(key))
		}
		value, ok := attributeValue(oid, text)
		if !ok {
			return refuse("%q is no value of %s", text, strings.TrimSpace(key))
		}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: value}})
	}
	slices.Reverse(name)
	der, err := asn1.Marshal(name)
	if err != nil {
		return refuse("it cannot be encoded")
	}
	return der, nil
}

// stringTypes are the types of string that some attributes have to have (RFC 5280
// appendix A.1); the others are DirectoryStrings.
var stringTypes = map[string]string{
	"2.5.4.5":                    "printable", // serialNumber
	"2.5.4.6":                    "printable", // countryName
	"0.9.2342.19200300.100.1.25": "ia5",       // domainComponent
	"1.2.840.113549.1.9.1":       "ia5",       // emailAddress
}

// attributeValue gives a text the type that its attribute wants.
func attributeValue(oid asn1.ObjectIdentifier, text string) (any, bool) {
	kind, fixed := stringTypes[oid.String()]
	if !fixed {
		return text, true // PrintableString, or UTF8String where that is not enough
	}
	der, err := asn1.MarshalWithParams(text, kind)
	if oid.Equal(subjectAttributes["C"]) && len(text) != 2 {
		return nil, false
	}
	return asn1.RawValue{FullBytes: der}, err == nil
}

// splitEscaped splits at a separator that no backslash precedes. A plus, which
// joins attributes into one part, is left in the value unescaped and refused there.
func splitEscaped(s string, separator byte) []string {
	var parts []string
	begin := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[min(begin, len(s)):])
}

func attributeType(name string) (asn1.ObjectIdentifier, bool) {
	if oid, known := subjectAttributes[strings.ToUpper(name)]; known {
		return oid, true
	}
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(name, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil {
			return nil, false
		}
		oid = append(oid, int(n))
	}
	_, err := asn1.Marshal(oid) // refuses what is no object identifier
	return oid, len(oid) > 1 && err == nil
}

// unescapeValue takes the escapes of RFC 4514 §2.4 away: a backslash before a
// special character, or before two hexadecimal digits. A value that begins with #
// is a BER encoding there, which is not taken here.
func unescapeValue(s string) (string, bool) {
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "#") {
		return "", false
	}
	var b strings.Builder
	spaces := 0 // unescaped, at the end
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c != '\\':
			if strings.IndexByte("+\"<>;\x00", c) >= 0 {
				return "", false
			}
			b.WriteByte(c)
			if spaces++; c != ' ' {
				spaces = 0
			}
			continue
		case i+1 == len(s):
			return "", false
		case strings.IndexByte(" #\"+,;<=>\\", s[i+1]) >= 0:
			b.WriteByte(s[i+1])
			i++
		case i+2 < len(s):
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
		default:
			return "", false
		}
		spaces = 0
	}
	text := b.String()
	text = text[:len(text)-spaces]
	return text, utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

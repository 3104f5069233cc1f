package cert

import (
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// NameKind is the alternative of a GeneralName, numbered by its tag.
type NameKind uint8

// The kinds of general names (RFC 5280 §4.2.1.6).
const (
	OtherName NameKind = iota
	EmailName
	DNSName
	X400Address
	DirectoryName
	EDIPartyName
	URIName
	IPAddress
	RegisteredID
)

var nameKinds = [...]string{"otherName", "rfc822Name", "dNSName", "x400Address", "directoryName", "ediPartyName",
	"uniformResourceIdentifier", "iPAddress", "registeredID"}

// String names the kind as RFC 5280 does.
func (k NameKind) String() string { return nameKinds[k] }

// tag of the kind: those that are SEQUENCEs, or wrap a CHOICE, are constructed.
func (k NameKind) tag() cbasn1.Tag {
	switch k {
	case OtherName, X400Address, DirectoryName, EDIPartyName:
		return context(uint8(k)).Constructed()
	}
	return context(uint8(k))
}

// GeneralName is one name of any kind.
type GeneralName struct {
	Kind  NameKind
	Value []byte // the content; of a directory name, the Name in DER
	Name  Name   // of a directory name
}

// text limits: addresses, hosts and mailboxes are IA5Strings.
func isIA5(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func readGeneralName(s *cryptobyte.String) (GeneralName, bool) {
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		return GeneralName{}, false
	}
	kind := NameKind(tag & 0x1f)
	if int(kind) >= len(nameKinds) || tag != kind.tag() {
		return GeneralName{}, false
	}
	g := GeneralName{Kind: kind, Value: content}
	switch kind {
	case DirectoryName:
		var ok bool
		g.Name, ok = parseName(content)
		return g, ok
	case EmailName, DNSName, URIName:
		return g, isIA5(content)
	}
	return g, true
}

// ReadGeneralNames reads the content of GeneralNames, which is not empty; ok is
// false if it is malformed.
func ReadGeneralNames(content []byte) (names []GeneralName, ok bool) {
	s := cryptobyte.String(content)
	for !s.Empty() {
		g, ok := readGeneralName(&s)
		if !ok || len(names) == listMax {
			return nil, false
		}
		names = append(names, g)
	}
	return names, len(names) > 0
}

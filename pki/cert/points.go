package cert

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// DistributionPoint says where a CRL is and what it covers (RFC 5280
// §4.2.1.13).
type DistributionPoint struct {
	PointName
	Reasons    Reasons       // 0: all
	CRLIssuers []GeneralName // empty: the certificate's own issuer
}

// PointName is a DistributionPointName: full names, or one relative to the CRL
// issuer. Both are empty if there is none.
type PointName struct {
	Full     []GeneralName
	Relative []Attribute
}

// IsZero reports whether no name is given.
func (p PointName) IsZero() bool { return len(p.Full) == 0 && len(p.Relative) == 0 }

// Reasons is a set of reasons for revocation: ReasonFlags, bit i being the
// reason of that number in the standard's list.
type Reasons uint16

// AllReasons are those of ReasonFlags but its unused first bit.
const AllReasons Reasons = 0x1fe

// ReadReasons reads the content of an implicitly tagged ReasonFlags.
func ReadReasons(content []byte) (Reasons, bool) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	der, err := b.Bytes()
	s := cryptobyte.String(der)
	var bits asn1.BitString
	if err != nil || !s.ReadASN1BitString(&bits) {
		return 0, false
	}
	var r Reasons
	for i := 1; i <= 8; i++ {
		r |= Reasons(bits.At(i)) << i
	}
	return r, true
}

// ReadPointName reads the content of [0] around a DistributionPointName.
func ReadPointName(content []byte) (PointName, bool) {
	s := cryptobyte.String(content)
	var p PointName
	var inner cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&inner, &tag) || !s.Empty() {
		return p, false
	}
	var ok bool
	switch tag {
	case context(0).Constructed():
		p.Full, ok = ReadGeneralNames(inner)
	case context(1).Constructed():
		p.Relative, ok = readRDN(inner)
	}
	return p, ok
}

// readPoints reads CRLDistributionPoints. URLs of points that lead to a CRL of
// the certificate's own issuer for all reasons are added to urls.
func readPoints(s cryptobyte.String, points *[]DistributionPoint, urls *[]string) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return false
	}
	for !list.Empty() {
		var point cryptobyte.String
		if len(*points) == listMax || !list.ReadASN1(&point, cbasn1.SEQUENCE) {
			return false
		}
		p, ok := readPoint(point)
		if !ok {
			return false
		}
		*points = append(*points, p)
		if p.Reasons != 0 || len(p.CRLIssuers) > 0 {
			continue
		}
		for _, name := range p.Full {
			if name.Kind == URIName {
				appendURL(urls, name.Value)
			}
		}
	}
	return true
}

func readPoint(s cryptobyte.String) (DistributionPoint, bool) {
	var p DistributionPoint
	var name, reasons, issuer cryptobyte.String
	var hasName, hasReasons, hasIssuer bool
	if !s.ReadOptionalASN1(&name, &hasName, context(0).Constructed()) ||
		!s.ReadOptionalASN1(&reasons, &hasReasons, context(1)) ||
		!s.ReadOptionalASN1(&issuer, &hasIssuer, context(2).Constructed()) || !s.Empty() {
		return p, false
	}
	ok := true
	if hasName {
		p.PointName, ok = ReadPointName(name)
	}
	if ok && hasReasons {
		p.Reasons, ok = ReadReasons(reasons)
		ok = ok && p.Reasons != 0
	}
	if ok && hasIssuer {
		p.CRLIssuers, ok = ReadGeneralNames(issuer)
	}
	return p, ok
}

package revocation

import (
	"bytes"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// issuingPoint is the IssuingDistributionPoint extension: which certificates
// and reasons a list is about (RFC 5280 §5.2.5).
type issuingPoint struct {
	name                              cert.PointName
	onlyUsers, onlyCAs, onlyAttribute bool
	reasons                           cert.Reasons // 0: all
	indirect                          bool
}

func readIssuingPoint(value []byte) (*issuingPoint, bool) {
	s := cryptobyte.String(value)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() || body.Empty() { // RFC 5280 §5.2.5: never an empty one
		return nil, false
	}
	p := &issuingPoint{}
	ok := true
	optional := func(tag cbasn1.Tag, read func(content cryptobyte.String) bool) {
		var content cryptobyte.String
		var present bool
		ok = ok && body.ReadOptionalASN1(&content, &present, tag) && (!present || read(content))
	}
	boolean := func(out *bool) func(cryptobyte.String) bool {
		return func(content cryptobyte.String) bool {
			*out = bytes.Equal(content, []byte{0xff})
			return *out || bytes.Equal(content, []byte{0})
		}
	}
	context := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }
	optional(explicit(0), func(content cryptobyte.String) (ok bool) {
		p.name, ok = cert.ReadPointName(content)
		return ok
	})
	optional(context(1), boolean(&p.onlyUsers))
	optional(context(2), boolean(&p.onlyCAs))
	optional(context(3), func(content cryptobyte.String) (ok bool) {
		p.reasons, ok = cert.ReadReasons(content)
		return ok && p.reasons != 0
	})
	optional(context(4), boolean(&p.indirect))
	optional(context(5), boolean(&p.onlyAttribute))
	return p, ok && body.Empty()
}

// pointsOf are the distribution points to look at: those of the certificate,
// and for all others the one of the certificate's issuer, for all reasons (RFC
// 5280 §6.3.3, at its end).
func pointsOf(c *cert.Certificate) []cert.DistributionPoint {
	own := cert.GeneralName{Kind: cert.DirectoryName, Value: c.RawIssuer, Name: c.Issuer}
	return append(slices.Clone(c.CRLPoints), cert.DistributionPoint{PointName: cert.PointName{Full: []cert.GeneralName{own}}})
}

// covers checks that the list is in scope for a distribution point of the
// certificate (RFC 5280 §6.3.3 b) and gives the reasons that it is good for
// there (d).
func (l *List) covers(point cert.DistributionPoint, c *cert.Certificate) (cert.Reasons, error) {
	issuer := c.Issuer
	if len(point.CRLIssuers) > 0 {
		if !slices.ContainsFunc(point.CRLIssuers, func(n cert.GeneralName) bool { return n.Kind == cert.DirectoryName && n.Name.Equal(l.Issuer) }) {
			return 0, fault.New(fault.CRLOtherIssuer, "", "the list's issuer is not the one that the certificate names")
		}
		if l.point == nil || !l.point.indirect {
			return 0, fault.New(fault.CRLOutOfScope, "", "the list of another issuer is not indirect")
		}
		issuer = l.Issuer
	} else if !l.Issuer.Equal(c.Issuer) {
		return 0, fault.New(fault.CRLOtherIssuer, "", "the list's issuer did not issue the certificate")
	}
	reasons := cert.AllReasons
	if point.Reasons != 0 {
		reasons = point.Reasons
	}
	if l.point == nil {
		return reasons, nil
	}
	p := l.point
	switch {
	case p.onlyAttribute, p.onlyUsers && mayBeCA(c), p.onlyCAs && !c.IsCA:
		return 0, fault.New(fault.CRLOutOfScope, "", "the list is about another sort of certificates")
	case !p.name.IsZero() && !samePoint(p.name, l.Issuer, point, issuer):
		return 0, fault.New(fault.CRLOutOfScope, "", "the list is of another distribution point")
	case p.reasons != 0:
		reasons &= p.reasons
	}
	return reasons, nil
}

// mayBeCA reports whether a certificate is that of a CA, or of a version that
// cannot say.
func mayBeCA(c *cert.Certificate) bool { return c.IsCA || c.Version < 3 }

// samePoint reports whether the list's point and the certificate's have a name
// in common. A certificate's point without a name goes by its CRL issuers.
func samePoint(own cert.PointName, ownIssuer cert.Name, point cert.DistributionPoint, issuer cert.Name) bool {
	theirs := fullNames(point.PointName, issuer)
	if point.PointName.IsZero() {
		theirs = point.CRLIssuers
	}
	for _, a := range fullNames(own, ownIssuer) {
		if slices.ContainsFunc(theirs, func(b cert.GeneralName) bool { return sameName(a, b) }) {
			return true
		}
	}
	return false
}

// fullNames expands a name that is relative to the CRL issuer.
func fullNames(p cert.PointName, issuer cert.Name) []cert.GeneralName {
	if len(p.Relative) > 0 {
		return []cert.GeneralName{{Kind: cert.DirectoryName, Name: issuer.Below(p.Relative)}}
	}
	return p.Full
}

func sameName(a, b cert.GeneralName) bool {
	if a.Kind != b.Kind {
		return false
	}
	if a.Kind == cert.DirectoryName {
		return a.Name.Equal(b.Name)
	}
	return bytes.Equal(a.Value, b.Value)
}

// processed are the extensions of lists that are taken into account.
var processed = []asn1.ObjectIdentifier{cert.OIDAuthorityKeyID, oidCRLNumber, oidDeltaIndicator, oidDistributionPoint, oidExpiredOnCRL}

// completes reports whether delta and base may be combined (RFC 5280 §5.2.4 and
// §6.3.3 c): of one issuer, key and scope, and base not older than the list
// that the delta starts from nor newer than the delta.
func (l *List) completes(base *List) bool {
	return l.Base != nil && base.Base == nil && base.Number != nil && l.Number != nil &&
		l.Issuer.Equal(base.Issuer) && bytes.Equal(l.rawPoint, base.rawPoint) && bytes.Equal(l.keyID, base.keyID) &&
		l.Base.Cmp(base.Number) <= 0 && base.Number.Cmp(l.Number) <= 0
}

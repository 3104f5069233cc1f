package path

import (
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// Path is a chain of certificates, leaf first. Complete paths end with the
// anchor's certificate; a leaf that is itself an anchor is a path of one.
type Path struct {
	Certificates []*cert.Certificate
	Anchor       *trust.Anchor // nil if the chain reaches none

	// Policies are those under which the path is valid, in terms of the
	// anchor's domain: the user-constrained policy set of RFC 5280 §6.1.6,
	// sorted. anyPolicy in it stands for every policy; empty, the path is good
	// for none. Build and Validate set it.
	Policies []asn1.ObjectIdentifier

	checks Checks // of the search that found the path; nil if none did
}

// Checks are outcomes of signature checks, by issuer and issued certificate.
// Searches that share them, one after another, check no signature twice.
type Checks map[[2]*cert.Certificate]error

// Request is what a path is wanted for.
type Request struct {
	Leaf          *cert.Certificate
	Intermediates []*cert.Certificate // candidates, trusted for nothing
	Anchors       *trust.Store
	At            time.Time

	// Usage lists key usages of which the leaf must allow at least one; 0
	// demands none.
	Usage cert.KeyUsage

	// Purpose is an extended key usage that the leaf must have, and that every
	// CA below the anchor that lists any must list too; nil demands none.
	// RFC 5280 leaves that chaining open; everybody does it.
	Purpose asn1.ObjectIdentifier

	// StrictPurpose demands that the leaf list Purpose itself: neither silence
	// nor anyExtendedKeyUsage will do, the latter not in CAs either.
	StrictPurpose bool

	// Host is a DNS name or an address that the leaf must be for; "" demands
	// none.
	Host string

	// Strict holds every certificate, the anchor's and its dates too, also
	// against what RFC 5280 §4 demands of those who issue it, though no rule of
	// §6 does.
	Strict bool

	// Wanted is held against what the anchor is trusted for; "" takes what the
	// leaf is made for. For sets it.
	Wanted trust.Purpose

	leaf func(*cert.Certificate) error // what a usage by name demands besides

	Policies PolicyDemand

	// BareAnchors takes of an anchor its name and key alone, as RFC 5280
	// §6.1.1 d does. Without it, what the anchor's certificate says about what
	// it may issue holds as well, as RFC 5937 asks.
	BareAnchors bool

	// AnchorPolicies takes policies and constraints on them from an anchor's
	// certificate, too (RFC 5937 §3.2), as if it were the first of the path.
	// NUC RK's roots name a policy that nothing below them has.
	AnchorPolicies bool

	// Accept is one more condition on the path, such as a policy on algorithms;
	// it is asked about paths that are valid. nil accepts.
	Accept func(*Path) error

	// Checks are known from earlier searches and grow by those of this one; nil
	// keeps none.
	Checks Checks
}

// PolicyDemand are the inputs c, e, f and g of RFC 5280 §6.1.1.
type PolicyDemand struct {
	Initial        []asn1.ObjectIdentifier // the user-initial-policy-set; empty: any policy
	Explicit       bool                    // the path must be valid for one of them
	InhibitMapping bool
	InhibitAny     bool
}

// Build finds a path that is valid at the time. Where none is, it returns the
// path that comes nearest together with the reason that it fails: one to an
// anchor if there is any, else the longest chain with chain_not_found, or with
// path_too_long or path_search_limit if the search was cut short. Reasons of
// time (certificate_expired, certificate_not_yet_valid) are given only if
// everything else about that path is right.
func Build(r Request) (*Path, error) {
	var best *Path
	var reason error
	nearness, tried := -1, 0
	cut, longest := r.search(func(p *Path) (stop bool) {
		err := r.validate(p)
		near := nearnessOf(err)
		if err == nil && r.Accept != nil {
			err = r.Accept(p)
		}
		if err == nil || near > nearness {
			best, reason, nearness = p, err, near
		}
		tried++
		return err == nil || tried == pathsTried
	})
	switch {
	case best != nil && (cut == nil || nearness > 0):
		return best, reason
	case best == nil:
		best = &Path{Certificates: longest}
	}
	if cut != nil {
		return best, cut
	}
	return best, best.noAnchor()
}

// nearnessOf ranks paths by what is wrong with them: anything, the time alone,
// nothing (which leaves what the caller refused).
func nearnessOf(err error) int {
	switch {
	case err == nil:
		return 2
	case isTime(err):
		return 1
	}
	return 0
}

func isTime(err error) bool {
	return fault.Is(err, fault.CertificateExpired) || fault.Is(err, fault.CertificateNotYetValid)
}

// place points at a certificate of the path, the leaf being 0.
func place(i int) string { return fmt.Sprintf("path/%d", i) }

func (p *Path) noAnchor() error {
	return fault.New(fault.ChainNotFound, place(len(p.Certificates)-1), "no anchor issued it")
}

// Validate checks the path at a time, from the anchor down to the leaf, with no
// policy demanded.
func (p *Path) Validate(at time.Time, usage cert.KeyUsage) error {
	return Request{At: at, Usage: usage}.validate(p)
}

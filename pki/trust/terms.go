package trust

import (
	"encoding/asn1"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Terms limit what an anchor is trusted for, beyond what its certificate says:
// the certificate path controls of RFC 5914 §2.5, the purposes and the time for
// which the operator trusts it. The zero Terms limit nothing.
type Terms struct {
	// Purposes are what the leaf of a path may be wanted for; empty: anything.
	Purposes []Purpose
	// From and Until bound the times at which paths are valid; zero: open.
	From, Until time.Time

	Policies         []asn1.ObjectIdentifier // initial policies (policySet); empty: any
	ExplicitPolicy   bool                    // the three policyFlags
	InhibitMapping   bool
	InhibitAnyPolicy bool
	MaxPathLength    int                   // CAs below the anchor that do not issue themselves; -1: any number
	Names            *cert.NameConstraints // nil: any
}

// Purpose is what a path is wanted for, by the names of usages in pki/path.
type Purpose string

// The purposes.
const (
	ForSigning        Purpose = "sign"
	ForAuthentication Purpose = "authenticate"
	ForCAs            Purpose = "ca"
	ForTimestamps     Purpose = "timestamp"
	ForOCSP           Purpose = "ocsp"
	ForServers        Purpose = "server"
	ForClients        Purpose = "client"
	ForEmail          Purpose = "email"
)

// Purposes lists them all.
var Purposes = []Purpose{
	ForSigning, ForAuthentication, ForCAs, ForTimestamps, ForOCSP, ForServers, ForClients, ForEmail,
}

// ParsePurpose reads a purpose by its name.
func ParsePurpose(name string) (Purpose, error) {
	if p := Purpose(name); slices.Contains(Purposes, p) {
		return p, nil
	}
	var names []string
	for _, p := range Purposes {
		names = append(names, string(p))
	}
	return "", fault.New(fault.BadArgument, "purpose", "%q is none of %s", name, strings.Join(names, ", "))
}

// purposeOf is what a certificate is made for, where nobody says what it is
// wanted for: time-stamping, OCSP and servers have certificates of their own.
func purposeOf(c *cert.Certificate) Purpose {
	switch {
	case c.IsCA:
		return ForCAs
	case c.HasExtKeyUsage(cert.OIDUsageTimeStamping):
		return ForTimestamps
	case c.HasExtKeyUsage(cert.OIDUsageOCSPSigning):
		return ForOCSP
	case c.HasExtKeyUsage(cert.OIDUsageServerAuth):
		return ForServers
	}
	return ForSigning
}

// Check refuses what the anchor is not trusted for: a path to the leaf that is
// wanted for a purpose at a time. Without a purpose, what the leaf is made for
// counts. Policies, lengths and names are for path validation.
func (t *Terms) Check(leaf *cert.Certificate, purpose Purpose, at time.Time) error {
	if purpose == "" {
		purpose = purposeOf(leaf)
	}
	switch {
	case len(t.Purposes) > 0 && !slices.Contains(t.Purposes, purpose):
		return fault.New(fault.AnchorRestricted, "", "the anchor is not trusted for the purpose %q", purpose)
	case at.Before(t.From):
		return fault.New(fault.AnchorRestricted, "", "the anchor is trusted from %s", t.From.Format(time.RFC3339))
	case !t.Until.IsZero() && at.After(t.Until):
		return fault.New(fault.AnchorRestricted, "", "the anchor was trusted until %s", t.Until.Format(time.RFC3339))
	}
	return nil
}

// TermsText is how terms are written in a file. Names are such as dns:example.kz,
// email:.example.kz, uri:example.kz or ip:10.0.0.0/8.
type TermsText struct {
	Purposes         []string  `json:"purposes,omitempty"`
	From             time.Time `json:"from,omitzero"`
	Until            time.Time `json:"until,omitzero"`
	Policies         []string  `json:"policies,omitempty"`
	ExplicitPolicy   bool      `json:"explicit_policy,omitempty"`
	InhibitMapping   bool      `json:"inhibit_policy_mapping,omitempty"`
	InhibitAnyPolicy bool      `json:"inhibit_any_policy,omitempty"`
	MaxPathLength    *int      `json:"max_path_length,omitempty"`
	PermittedNames   []string  `json:"permitted_names,omitempty"`
	ExcludedNames    []string  `json:"excluded_names,omitempty"`
}

// IsZero reports whether nothing is limited.
func (t TermsText) IsZero() bool {
	return len(t.Purposes)+len(t.Policies)+len(t.PermittedNames)+len(t.ExcludedNames) == 0 && t.From.IsZero() && t.Until.IsZero() &&
		!t.ExplicitPolicy && !t.InhibitMapping && !t.InhibitAnyPolicy && t.MaxPathLength == nil
}

// parse reads the terms; nil is none.
func (t TermsText) parse() (*Terms, error) {
	if t.IsZero() {
		return nil, nil
	}
	out := &Terms{
		From: t.From, Until: t.Until, MaxPathLength: -1,
		ExplicitPolicy: t.ExplicitPolicy, InhibitMapping: t.InhibitMapping, InhibitAnyPolicy: t.InhibitAnyPolicy,
	}
	for _, name := range t.Purposes {
		p, err := ParsePurpose(name)
		if err != nil {
			return nil, err
		}
		out.Purposes = append(out.Purposes, p)
	}
	for _, text := range t.Policies {
		oid, err := cert.ParseOID(text)
		if err != nil {
			return nil, err
		}
		out.Policies = append(out.Policies, oid)
	}
	if t.MaxPathLength != nil {
		if out.MaxPathLength = *t.MaxPathLength; out.MaxPathLength < 0 {
			return nil, fault.New(fault.BadArgument, "max_path_length", "%d is below zero", *t.MaxPathLength)
		}
	}
	if !out.Until.IsZero() && out.Until.Before(out.From) {
		return nil, fault.New(fault.BadArgument, "until", "it ends before it begins")
	}
	if len(t.PermittedNames)+len(t.ExcludedNames) == 0 {
		return out, nil
	}
	out.Names = &cert.NameConstraints{}
	for list, texts := range map[*[]cert.Subtree][]string{&out.Names.Permitted: t.PermittedNames, &out.Names.Excluded: t.ExcludedNames} {
		for _, text := range texts {
			s, err := parseSubtree(text)
			if err != nil {
				return nil, err
			}
			*list = append(*list, s)
		}
	}
	return out, nil
}

// Text is the terms as they are written in a file.
func (t *Terms) Text() TermsText {
	out := TermsText{
		From: t.From, Until: t.Until,
		ExplicitPolicy: t.ExplicitPolicy, InhibitMapping: t.InhibitMapping, InhibitAnyPolicy: t.InhibitAnyPolicy,
	}
	for _, p := range t.Purposes {
		out.Purposes = append(out.Purposes, string(p))
	}
	for _, oid := range t.Policies {
		out.Policies = append(out.Policies, oid.String())
	}
	if t.MaxPathLength >= 0 {
		length := t.MaxPathLength
		out.MaxPathLength = &length
	}
	if t.Names != nil {
		out.PermittedNames, out.ExcludedNames = subtreeTexts(t.Names.Permitted), subtreeTexts(t.Names.Excluded)
	}
	return out
}

func subtreeTexts(list []cert.Subtree) (out []string) {
	for _, s := range list {
		value := string(s.Base.Value)
		if s.Base.Kind == cert.IPAddress {
			half := len(value) / 2
			address, _ := netip.AddrFromSlice([]byte(value[:half]))
			ones := 0
			for _, b := range []byte(value[half:]) {
				ones += bits.OnesCount8(b)
			}
			value = netip.PrefixFrom(address, ones).String()
		}
		for name, kind := range subtreeKinds {
			if kind == s.Base.Kind {
				out = append(out, name+":"+value)
			}
		}
	}
	return out
}

// subtreeKinds are the kinds of names that can be written in a file.
var subtreeKinds = map[string]cert.NameKind{"dns": cert.DNSName, "email": cert.EmailName, "uri": cert.URIName, "ip": cert.IPAddress}

// parseSubtree reads a constraint such as dns:example.kz, email:.example.kz,
// uri:example.kz or ip:10.0.0.0/8.
func parseSubtree(text string) (cert.Subtree, error) {
	kind, value, _ := strings.Cut(text, ":")
	k, known := subtreeKinds[kind]
	if !known || value == "" {
		return cert.Subtree{}, fault.New(fault.BadArgument, "names", "%q is none of dns:, email:, uri: and ip: with a value", text)
	}
	raw := []byte(value)
	if k == cert.IPAddress {
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return cert.Subtree{}, fault.New(fault.BadArgument, "names", "%q is not an address with a length", value)
		}
		raw = prefix.Masked().Addr().AsSlice()
		mask := make([]byte, len(raw))
		for i := range prefix.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		raw = append(raw, mask...)
	}
	return cert.Subtree{Base: cert.GeneralName{Kind: k, Value: raw}}, nil
}

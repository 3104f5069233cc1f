package path

import (
	"bytes"
	"encoding/asn1"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// comparisonsMax bounds how often names of a path are held against subtrees: a
// thousand names under a thousand constraints are an attack.
const comparisonsMax = 1 << 20

// nameRules are the name constraints of the CAs above a certificate (RFC 5280
// §6.1.4 g). Every CA's permitted subtrees must hold by themselves, which is
// the intersection that the standard describes.
type nameRules struct {
	from        []*cert.NameConstraints
	comparisons int
}

func (r *nameRules) add(c *cert.Certificate) { r.limit(c.NameConstraints) }

func (r *nameRules) limit(nc *cert.NameConstraints) {
	if nc != nil {
		r.from = append(r.from, nc)
	}
}

var (
	oidEmailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
)

// check holds all names of certificate i against the rules (§6.1.3 b, c).
func (r *nameRules) check(c *cert.Certificate, i int) error {
	if len(r.from) == 0 {
		return nil
	}
	for _, name := range namesOf(c) {
		for _, nc := range r.from {
			if err := r.checkName(name, nc); err != nil {
				return fault.Wrap(err, fault.CodeOf(err), place(i), "check a name of kind %s", name.Kind)
			}
		}
	}
	return nil
}

// namesOf lists the names that constraints apply to: the subject, the
// alternative names, and what others read as such in the subject: mailboxes,
// which §4.2.1.10 asks for only where there are no alternative names, and where
// no DNS names are, a common name that is a host, which it does not mention.
// Both can only refuse more.
func namesOf(c *cert.Certificate) []cert.GeneralName {
	names := slices.Clone(c.AltNames)
	if len(c.Subject.RDNs) > 0 {
		names = append([]cert.GeneralName{{Kind: cert.DirectoryName, Value: c.RawSubject, Name: c.Subject}}, names...)
	}
	hasDNS := slices.ContainsFunc(names, func(n cert.GeneralName) bool { return n.Kind == cert.DNSName })
	for _, rdn := range c.Subject.RDNs {
		for _, a := range rdn {
			switch {
			case a.Type.Equal(oidEmailAddress):
				names = append(names, cert.GeneralName{Kind: cert.EmailName, Value: []byte(a.Value)})
			case a.Type.Equal(oidCommonName) && !hasDNS && !c.IsCA && looksLikeHost(a.Value):
				names = append(names, cert.GeneralName{Kind: cert.DNSName, Value: []byte(a.Value)})
			}
		}
	}
	return names
}

// looksLikeHost reports whether a common name is a host of several labels, or
// a wildcard, and no address.
func looksLikeHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err != nil && strings.Contains(s, ".") && isHost(strings.TrimPrefix(s, "*."))
}

func (r *nameRules) checkName(name cert.GeneralName, nc *cert.NameConstraints) error {
	if r.comparisons += len(nc.Excluded) + len(nc.Permitted); r.comparisons > comparisonsMax {
		return fault.New(fault.NameConstraintsTooMany, "", "more than %d comparisons", comparisonsMax)
	}
	for _, s := range nc.Excluded {
		if s.Base.Kind != name.Kind {
			continue
		}
		inside, err := within(name, s, true)
		if err != nil {
			return err
		}
		if inside {
			return fault.New(fault.NameForbidden, "", "it lies in an excluded subtree")
		}
	}
	limited, permitted := false, false
	for _, s := range nc.Permitted {
		if s.Base.Kind != name.Kind {
			continue
		}
		inside, err := within(name, s, false)
		if err != nil {
			return err
		}
		limited, permitted = true, permitted || inside
	}
	if limited && !permitted {
		return fault.New(fault.NameForbidden, "", "it lies in no permitted subtree")
	}
	return nil
}

// matchers tell whether a name lies in a subtree. ok is false if either cannot
// be understood, and then the path is refused: what cannot be understood might
// lie inside, or outside, as it would be worse. excluded is set for subtrees
// that are forbidden, where a name that may mean several is inside if one of
// them is.
var matchers = map[cert.NameKind]func(name, base []byte, excluded bool) (inside, ok bool){
	cert.EmailName: matchEmail,
	cert.DNSName:   matchDNS,
	cert.URIName:   matchURI,
	cert.IPAddress: matchIP,
}

func within(name cert.GeneralName, s cert.Subtree, excluded bool) (bool, error) {
	if s.Bounded {
		return false, fault.New(fault.NameConstraintsNotSupported, "", "a subtree with minimum or maximum")
	}
	if name.Kind == cert.DirectoryName {
		return name.Name.Within(s.Base.Name), nil
	}
	match, known := matchers[name.Kind]
	if !known {
		return false, fault.New(fault.NameConstraintsNotSupported, "", "constraints on names of kind %s", name.Kind)
	}
	inside, ok := match(name.Value, s.Base.Value, excluded)
	if !ok {
		return false, fault.New(fault.NameForbidden, "", "the name or the constraint on it is malformed")
	}
	return inside, nil
}

// isHost reports whether the text is a host name in preferred syntax, with
// underscores tolerated as everybody does.
func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// isBelow reports whether host lies under domain, at least one label deeper.
func isBelow(host, domain string) bool { return strings.HasSuffix(host, "."+domain) }

// matchDNS: the constraint is a domain that stands for itself and everything
// below it; the empty one stands for all. The form with a leading dot is not
// RFC 5280's and is read as what its writers mean: everything below.
func matchDNS(name, base []byte, excluded bool) (inside, ok bool) {
	host, domain := strings.ToLower(string(name)), strings.ToLower(string(base))
	host = strings.TrimSuffix(host, ".")
	rest, wild := strings.CutPrefix(host, "*.")
	if !isHost(rest) {
		return false, false
	}
	if domain == "" {
		return true, true
	}
	domain, dotted := strings.CutPrefix(domain, ".")
	if !isHost(domain) {
		return false, false
	}
	switch {
	case !wild:
		return !dotted && host == domain || isBelow(host, domain), true
	case rest == domain || isBelow(rest, domain): // all that it stands for lies inside
		return true, true
	}
	// It stands for the domain itself, or not, by how it is expanded.
	_, parent, _ := strings.Cut(domain, ".")
	return excluded && !dotted && parent == rest, true
}

// matchEmail: the constraint is a mailbox, a host, or with a leading dot a
// domain whose hosts are meant (§4.2.1.10). The part before the @ counts with
// its case (§7.5), except for exclusion.
func matchEmail(name, base []byte, excluded bool) (inside, ok bool) {
	at := bytes.LastIndexByte(name, '@')
	if at <= 0 || name[0] != '"' && bytes.IndexByte(name, '@') != at { // only a quoted part may hold another @
		return false, false
	}
	local, host := string(name[:at]), strings.ToLower(string(name[at+1:]))
	constraint := string(base)
	if i := strings.LastIndexByte(constraint, '@'); i >= 0 {
		same := local == constraint[:i] || excluded && strings.EqualFold(local, constraint[:i])
		return same && strings.EqualFold(host, constraint[i+1:]), isHost(host) && i > 0 && isHost(constraint[i+1:])
	}
	return matchHost(host, constraint)
}

// matchHost: with a leading dot, hosts below the domain; without, the host.
func matchHost(host, constraint string) (inside, ok bool) {
	if constraint == "" {
		return true, isHost(host)
	}
	constraint = strings.ToLower(constraint)
	if domain, dotted := strings.CutPrefix(constraint, "."); dotted {
		return isBelow(host, domain), isHost(host) && isHost(domain)
	}
	return host == constraint, isHost(host) && isHost(constraint)
}

// matchURI holds the host of the URI's authority against the constraint. A URI
// without a host, or with an address for one, is refused (§4.2.1.10).
func matchURI(name, base []byte, _ bool) (inside, ok bool) {
	_, rest, found := strings.Cut(string(name), "://")
	if !found {
		return false, false
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	host := authority
	if i := strings.IndexByte(authority, ':'); i >= 0 {
		host = authority[:i]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil || strings.HasPrefix(authority, "[") {
		return false, false
	}
	return matchHost(host, string(base))
}

// matchIP: the constraint is an address and a mask, which must be a prefix.
func matchIP(name, base []byte, _ bool) (inside, ok bool) {
	if len(name) != net.IPv4len && len(name) != net.IPv6len || len(base) != 2*net.IPv4len && len(base) != 2*net.IPv6len {
		return false, false
	}
	address, mask := base[:len(base)/2], net.IPMask(base[len(base)/2:])
	if ones, bits := mask.Size(); ones == 0 && bits == 0 {
		return false, false
	}
	if len(name) != len(address) {
		return false, true
	}
	for i := range name {
		if (name[i]^address[i])&mask[i] != 0 {
			return false, true
		}
	}
	return true, true
}

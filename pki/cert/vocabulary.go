package cert

import (
	"encoding/asn1"
	"maps"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// Vocabulary names object identifiers that the package does not know: the roles
// and policies of CAs that an operator adds by configuration.
type Vocabulary struct {
	Roles, Policies map[string]string // dotted identifier to name
}

// Check refuses what is no identifier, and other names for what the package
// names itself: nobody else may say what NUC RK's roles mean.
func (v Vocabulary) Check() error {
	for _, list := range []struct{ own, given map[string]string }{{roleNames, v.Roles}, {policyNames, v.Policies}} {
		for text, name := range list.given {
			oid, err := ParseOID(text)
			if err != nil {
				return err
			}
			if known, ok := list.own[oid.String()]; ok && known != name || isSystemRole(oid) {
				return fault.New(fault.BadArgument, text, "it has a name already")
			}
			if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return fault.New(fault.BadArgument, text, "%q is no name", name)
			}
		}
	}
	return nil
}

// Add takes in the names of another vocabulary, which win.
func (v *Vocabulary) Add(other Vocabulary) {
	for _, list := range []struct {
		own   *map[string]string
		given map[string]string
	}{{&v.Roles, other.Roles}, {&v.Policies, other.Policies}} {
		if len(list.given) > 0 && *list.own == nil {
			*list.own = make(map[string]string)
		}
		maps.Copy(*list.own, list.given)
	}
}

// PolicyName names a certificate policy, "" if nobody does.
func (v Vocabulary) PolicyName(oid asn1.ObjectIdentifier) string {
	if name := PolicyName(oid); name != "" {
		return name
	}
	return v.Policies[oid.String()]
}

// ParseOID reads an object identifier in dotted form.
func ParseOID(text string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.ParseInt(part, 10, 31)
		if err != nil || n < 0 || part[0] == '+' || part[0] == '0' && len(part) > 1 || len(oid) == oidArcsMax {
			return nil, fault.New(fault.BadArgument, "oid", "%q is not an object identifier", text)
		}
		oid = append(oid, int(n))
	}
	if len(oid) < 2 || oid[0] > 2 || oid[0] < 2 && oid[1] > 39 {
		return nil, fault.New(fault.BadArgument, "oid", "%q is not an object identifier", text)
	}
	return oid, nil
}

// oidArcsMax bounds the parts of an identifier in text.
const oidArcsMax = 64

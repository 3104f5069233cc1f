package cert

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Key is the name in a form that is equal for all names that RFC 5280 §7.1
// holds equal: strings of whatever type are compared without regard to case
// and to the amount of white space, attributes of one relative name without
// regard to their order. It is for comparing alone.
//
// Strings are prepared as RFC 4518 §2 does with two simplifications, both of
// which make fewer names equal: code points are mapped to nothing by their
// class (format and control) instead of by its list, and prohibited ones are
// kept. Values that are not strings are compared as bytes.
func (n Name) Key() string { return n.fold().key }

// Equal compares two names by RFC 5280 §7.1. It is true where their keys are
// equal, and looks no further than the first difference.
func (n Name) Equal(other Name) bool {
	return slices.EqualFunc(n.RDNs, other.RDNs, func(a, b []Attribute) bool {
		if len(a) == 1 && len(b) == 1 {
			return a[0].equal(b[0])
		}
		return len(a) == len(b) && rdnKey(a) == rdnKey(b)
	})
}

func (a Attribute) equal(b Attribute) bool {
	switch {
	case !a.Type.Equal(b.Type):
		return false
	case bytes.Equal(a.Raw, b.Raw) && len(a.Raw) > 0:
		return true
	case a.Value == "" || b.Value == "":
		return a.Value == b.Value && bytes.Equal(a.Raw, b.Raw)
	}
	if isASCII(a.Value) && isASCII(b.Value) {
		return equalASCII(a.Value, b.Value)
	}
	return prepare(a.Value) == prepare(b.Value)
}

// equalASCII compares strings as their prepared forms would, without making
// these.
func equalASCII(a, b string) bool {
	x, y := asciiFold{s: a}, asciiFold{s: b}
	for {
		c, d := x.next(), y.next()
		if c != d {
			return false
		}
		if c == 0 {
			return true
		}
	}
}

// asciiFold gives the characters of a prepared string in turn.
type asciiFold struct {
	s       string
	started bool
}

// next is 0 at the end.
func (f *asciiFold) next() byte {
	for space := false; f.s != ""; f.s = f.s[1:] {
		switch c := f.s[0]; {
		case unicode.IsSpace(rune(c)):
			space = true
		case unicode.IsControl(rune(c)):
		case space && f.started: // c comes next
			f.started = false
			return ' '
		default:
			f.started, f.s = true, f.s[1:]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			return c
		}
	}
	return 0
}

// Within reports whether the name lies in the subtree under base, as name
// constraints ask (RFC 5280 §7.1): base is where it begins.
func (n Name) Within(base Name) bool {
	own, above := n.fold().keys, base.fold().keys
	return len(own) >= len(above) && slices.Equal(own[:len(above)], above)
}

// Below is the name with one more relative name, such as a distribution point
// gives relative to its CRL issuer.
func (n Name) Below(rdn []Attribute) Name {
	return Name{RDNs: append(slices.Clip(n.RDNs), rdn), folded: new(foldedName)}
}

// foldedName is a name in the form of Key. It is made when it is first asked
// for: folding takes longer than all other parsing, and most names are never
// compared but by their bytes.
type foldedName struct {
	once sync.Once
	keys []string // one for each relative name
	key  string   // all of them
}

func (n Name) fold() *foldedName {
	f := n.folded
	if f == nil {
		f = new(foldedName)
	}
	f.once.Do(func() {
		for _, rdn := range n.RDNs {
			f.keys = append(f.keys, rdnKey(rdn))
		}
		f.key = strings.Join(f.keys, "")
	})
	return f
}

// rdnKey writes attributes so that no two different sets give one key: every
// part says how long it is.
func rdnKey(rdn []Attribute) string {
	parts := make([]string, len(rdn))
	for i, a := range rdn {
		kind, value := 's', ""
		if a.Value == "" {
			kind, value = 'r', string(a.Raw)
		} else {
			value = prepare(a.Value)
		}
		parts[i] = fmt.Sprintf("%s=%c%d:%s;", a.Type, kind, len(value), value)
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d{%s}", len(parts), strings.Join(parts, ""))
}

// prepare folds a string for comparison.
func prepare(s string) string {
	if !isASCII(s) {
		s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && (unicode.Is(unicode.Cf, r) || unicode.IsControl(r)) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// SameName compares two names given with their bytes: equal bytes spare the
// comparison of strings.
func SameName(rawA []byte, a Name, rawB []byte, b Name) bool {
	return bytes.Equal(rawA, rawB) || a.Equal(b)
}

// IssuedInNameOf reports whether the certificate names issuer's subject as its
// issuer.
func (c *Certificate) IssuedInNameOf(issuer *Certificate) bool {
	return SameName(c.RawIssuer, c.Issuer, issuer.RawSubject, issuer.Subject)
}

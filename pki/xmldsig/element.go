package xmldsig

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
)

// startTag reads <name attributes> or <name attributes/>.
func (p *parser) startTag() error {
	if len(p.open) >= p.limits.Depth {
		return fault.New(fault.XMLTooComplex, offset(p.pos), "more than %d levels", p.limits.Depth)
	}
	p.pos++
	qname, err := p.name()
	if err != nil {
		return err
	}
	e := &Element{}
	if len(p.open) > 0 {
		e.parent = p.open[len(p.open)-1]
	}
	empty, err := p.attributes(e)
	if err != nil {
		return err
	}
	if err := p.resolveNames(e, qname); err != nil {
		return err
	}
	if err := p.add(e); err != nil {
		return err
	}
	if empty {
		p.leave(e)
	} else {
		p.open = append(p.open, e)
	}
	return nil
}

// attributes reads up to the end of the tag. Namespace declarations come into
// force at once; the attributes' own prefixes are resolved when all are known.
func (p *parser) attributes(e *Element) (empty bool, err error) {
	for count := 0; ; count++ {
		gap := p.spaces()
		switch rest := p.in[p.pos:]; {
		case strings.HasPrefix(rest, "/>"):
			p.pos += 2
			return true, nil
		case strings.HasPrefix(rest, ">"):
			p.pos++
			return false, nil
		case !gap:
			return false, p.fail("a tag is malformed")
		}
		if count == p.limits.Attributes {
			return false, fault.New(fault.XMLTooComplex, offset(p.pos), "more than %d attributes", p.limits.Attributes)
		}
		if err := p.count(); err != nil {
			return false, err
		}
		qname, value, err := p.rawAttribute()
		if err != nil {
			return false, err
		}
		if value, err = p.resolve(blanks.Replace(value)); err != nil {
			return false, err
		}
		if qname == "xmlns" || strings.HasPrefix(qname, "xmlns:") {
			err = p.declare(e, strings.TrimPrefix(strings.TrimPrefix(qname, "xmlns"), ":"), qname, value)
		} else {
			e.Attrs = append(e.Attrs, Attr{Local: qname, Value: value})
		}
		if err != nil {
			return false, err
		}
	}
}

// blanks normalises an attribute value (XML 1.0 §3.3.3); character references
// to the same characters are resolved later and stay.
var blanks = strings.NewReplacer("\t", " ", "\n", " ")

// rawAttribute reads name = "value" without resolving references.
func (p *parser) rawAttribute() (name, value string, err error) {
	if name, err = p.name(); err != nil {
		return "", "", err
	}
	p.spaces()
	if !strings.HasPrefix(p.in[p.pos:], "=") {
		return "", "", p.fail("an attribute has no value")
	}
	p.pos++
	p.spaces()
	if p.pos >= len(p.in) || (p.in[p.pos] != '"' && p.in[p.pos] != '\'') {
		return "", "", p.fail("an attribute value is not quoted")
	}
	body := p.in[p.pos+1:]
	end := strings.IndexByte(body, p.in[p.pos])
	if end < 0 || strings.IndexByte(body[:end], '<') >= 0 {
		return "", "", p.fail("an attribute value does not end, or holds <")
	}
	p.pos += end + 2
	return name, body[:end], nil
}

// declare brings a namespace into scope (Namespaces in XML 1.0 §3, §5).
// A relative URI has no canonical form (Canonical XML 1.0 §1.3) and is refused.
func (p *parser) declare(e *Element, prefix, qname, uri string) error {
	for _, ns := range e.Namespaces {
		if ns.Prefix == prefix {
			return p.fail("a namespace is declared twice on one element")
		}
	}
	switch {
	case qname == "xmlns:" || strings.Contains(prefix, ":"):
		return p.fail("a namespace prefix is malformed")
	case prefix == "xml" && uri == xmlSpace:
		return nil // allowed and without effect; never part of a canonical form
	case prefix == "xml" || prefix == "xmlns" || uri == xmlSpace || uri == xmlnsSpace:
		return p.fail("a reserved namespace is bound")
	case prefix != "" && uri == "":
		return p.fail("a prefix is bound to no namespace")
	case uri != "" && !absolute(uri):
		return p.fail("a namespace is not an absolute URI")
	case len(uri) > maxURIBytes:
		return fault.New(fault.XMLTooComplex, offset(p.pos), "a namespace longer than %d bytes", maxURIBytes)
	}
	e.Namespaces = append(e.Namespaces, Namespace{Prefix: prefix, URI: uri})
	p.scope[prefix] = append(p.scope[prefix], uri)
	return nil
}

// absolute reports whether the URI starts with a scheme (RFC 3986 §3.1).
func absolute(uri string) bool {
	scheme, _, found := strings.Cut(uri, ":")
	if !found || scheme == "" || !isLetter(scheme[0]) {
		return false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !isLetter(c) && !(c >= '0' && c <= '9') && !strings.ContainsRune("+-.", rune(c)) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// resolveNames gives the element and its attributes their namespaces.
func (p *parser) resolveNames(e *Element, qname string) (err error) {
	if e.Prefix, e.Local, e.Space, err = p.resolveName(qname, true); err != nil {
		return err
	}
	for i := range e.Attrs {
		a := &e.Attrs[i]
		if a.Prefix, a.Local, a.Space, err = p.resolveName(a.Local, false); err != nil {
			return err
		}
		for _, other := range e.Attrs[:i] {
			if other.Local == a.Local && other.Space == a.Space {
				return p.fail("an attribute is given twice")
			}
		}
	}
	return nil
}

func (p *parser) resolveName(qname string, defaulted bool) (prefix, local, space string, err error) {
	prefix, local, prefixed := strings.Cut(qname, ":")
	if !prefixed {
		prefix, local = "", qname
	}
	if local == "" || (prefixed && prefix == "") || strings.Contains(local, ":") || prefix == "xmlns" || !startsName(local) {
		return "", "", "", p.fail("a name is malformed")
	}
	if prefix == "" && !defaulted {
		return "", local, "", nil
	}
	bound := p.scope[prefix]
	if len(bound) == 0 {
		return "", "", "", p.fail("a prefix is not declared")
	}
	return prefix, local, bound[len(bound)-1], nil
}

func (p *parser) endTag() error {
	start := p.pos
	p.pos += len("</")
	qname, err := p.name()
	if err != nil {
		return err
	}
	p.spaces()
	if !strings.HasPrefix(p.in[p.pos:], ">") {
		return p.fail("an end tag is malformed")
	}
	p.pos++
	if len(p.open) == 0 {
		return malformed(start, "an end tag without an element")
	}
	e := p.open[len(p.open)-1]
	if qname != qualified(e.Prefix, e.Local) {
		return malformed(start, "an end tag does not match its element")
	}
	p.open = p.open[:len(p.open)-1]
	p.leave(e)
	return nil
}

// leave closes an element: its namespaces go out of scope.
func (p *parser) leave(e *Element) {
	settle(e)
	for _, ns := range e.Namespaces {
		bound := p.scope[ns.Prefix]
		p.scope[ns.Prefix] = bound[:len(bound)-1]
	}
}

func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

// predefined entities: the only ones there are without a document type.
var predefined = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// resolve replaces the references in a run of text or an attribute value.
func (p *parser) resolve(s string) (string, error) {
	at := strings.IndexByte(s, '&')
	if at < 0 {
		return s, nil
	}
	var b strings.Builder
	for ; at >= 0; at = strings.IndexByte(s, '&') {
		b.WriteString(s[:at])
		s = s[at+1:]
		end := strings.IndexByte(s, ';')
		if end < 0 {
			return "", p.fail("a reference does not end")
		}
		value, err := p.reference(s[:end])
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		s = s[end+1:]
	}
	b.WriteString(s)
	return b.String(), nil
}

func (p *parser) reference(name string) (string, error) {
	if value, ok := predefined[name]; ok {
		return value, nil
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if digits == name {
		return "", fault.New(fault.XMLDoctype, offset(p.pos), "an entity that is not predefined")
	}
	if hex := strings.TrimPrefix(digits, "x"); hex != digits {
		digits, base = hex, 16
	}
	code, err := strconv.ParseUint(digits, base, 21)
	if err != nil || !isCharacter(rune(code)) {
		return "", p.fail("a character reference is malformed")
	}
	return string(rune(code)), nil
}

// spaces skips white space and reports whether there was any.
func (p *parser) spaces() bool {
	start := p.pos
	for p.pos < len(p.in) && isSpace(p.in[p.pos]) {
		p.pos++
	}
	return p.pos > start
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// name reads a Name (XML 1.0 §2.3).
func (p *parser) name() (string, error) {
	start := p.pos
	for p.pos < len(p.in) {
		r, size := utf8.DecodeRuneInString(p.in[p.pos:])
		if !isNameCharacter(r) {
			break
		}
		p.pos += size
	}
	name := p.in[start:p.pos]
	switch {
	case !startsName(name):
		return "", malformed(start, "a name is expected")
	case len(name) > maxNameBytes:
		return "", fault.New(fault.XMLTooComplex, offset(start), "a name longer than %d bytes", maxNameBytes)
	}
	return name, nil
}

func startsName(name string) bool {
	r, size := utf8.DecodeRuneInString(name)
	return size > 0 && r != '-' && r != '.' && !(r >= '0' && r <= '9') && r != 0xB7 &&
		!(r >= 0x300 && r <= 0x36F) && r != 0x203F && r != 0x2040 && isNameCharacter(r)
}

// nameRanges are the characters of a Name beyond ASCII (XML 1.0 fifth edition,
// productions 4 and 4a).
var nameRanges = [][2]rune{
	{0xB7, 0xB7}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D}, {0x203F, 0x2040},
	{0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
}

func isNameCharacter(r rune) bool {
	if r < utf8.RuneSelf {
		return isLetter(byte(r)) || (r >= '0' && r <= '9') || r == '_' || r == ':' || r == '-' || r == '.'
	}
	for _, in := range nameRanges {
		if r >= in[0] && r <= in[1] {
			return true
		}
	}
	return false
}

// isCharacter is production 2 of XML 1.0.
func isCharacter(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || (r >= 0x20 && r <= 0xD7FF) || (r >= 0xE000 && r <= 0xFFFD) ||
		(r >= 0x10000 && r <= 0x10FFFF)
}

// badCharacter returns the offset of the first byte that is no UTF-8 or no XML
// character, or -1.
func badCharacter(text string) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if (r == utf8.RuneError && size == 1) || !isCharacter(r) {
			return i
		}
		i += size
	}
	return -1
}

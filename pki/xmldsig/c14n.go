package xmldsig

import (
	"bytes"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// Method is a canonicalisation: Canonical XML 1.0 (inclusive) or Exclusive XML
// Canonicalization 1.0, with or without comments.
type Method struct {
	Exclusive bool
	Comments  bool
	// Prefixes is the InclusiveNamespaces PrefixList of an exclusive method
	// (Exclusive C14N §4); the default namespace is "#default".
	Prefixes []string
}

// The identifiers of the canonicalisations.
const (
	InclusiveURI             = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	InclusiveWithCommentsURI = InclusiveURI + "#WithComments"
	ExclusiveURI             = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ExclusiveWithCommentsURI = ExclusiveURI + "WithComments"
)

// methods by URI. Canonical XML 1.1 is not used by any peer and not offered.
var methods = map[string]Method{
	InclusiveURI:             {},
	InclusiveWithCommentsURI: {Comments: true},
	ExclusiveURI:             {Exclusive: true},
	ExclusiveWithCommentsURI: {Exclusive: true, Comments: true},
}

// URI of the method.
func (m Method) URI() string {
	uri := InclusiveURI
	switch {
	case m.Exclusive && m.Comments:
		return ExclusiveWithCommentsURI
	case m.Exclusive:
		return ExclusiveURI
	case m.Comments:
		uri = InclusiveWithCommentsURI
	}
	return uri
}

// growth bounds how much longer than its source a canonical form may be: a
// quote takes six bytes as a reference, and namespaces move. A form that grows
// more repeats one long namespace over and over and is an attack.
const (
	growth     = 8
	growthBase = 64 << 10
)

// Canonical returns the canonical form of the document.
func (m Method) Canonical(d *Document) ([]byte, error) { return m.document(d, nil) }

// document canonicalises everything but the subtree at omit.
func (m Method) document(d *Document, omit *Element) ([]byte, error) {
	w := m.writer(d.Root, omit)
	for _, n := range d.Before {
		if w.outside(n) {
			w.out.WriteByte('\n')
		}
	}
	w.element(d.Root, true)
	for _, n := range d.After {
		if w.wanted(n) {
			w.out.WriteByte('\n')
			w.outside(n)
		}
	}
	return w.result()
}

// CanonicalElement returns the canonical form of the subtree at e, with the
// namespaces (and for an inclusive method the xml: attributes) it inherits.
func (m Method) CanonicalElement(e *Element) ([]byte, error) { return m.subtree(e, nil) }

func (m Method) subtree(e, omit *Element) ([]byte, error) {
	w := m.writer(e, omit)
	w.element(e, true)
	return w.result()
}

// canonicalWriter writes one canonical form. rendered holds, by prefix, the
// namespace that the output has in force where the writer stands.
type canonicalWriter struct {
	Method
	out      bytes.Buffer
	max      int
	omit     *Element
	rendered map[string]string
	err      error
}

func (m Method) writer(apex, omit *Element) *canonicalWriter {
	return &canonicalWriter{Method: m, omit: omit, rendered: map[string]string{}, max: growthBase + growth*weight(apex)}
}

// weight is about the length of the subtree in its source.
func weight(e *Element) int {
	total := 0
	e.walk(func(e *Element) {
		total += 2*(len(e.Prefix)+len(e.Local)) + 5
		for _, a := range e.Attrs {
			total += len(a.Prefix) + len(a.Local) + len(a.Value) + 4
		}
		for _, ns := range e.Namespaces {
			total += len(ns.Prefix) + len(ns.URI) + 10
		}
		for _, n := range e.Children {
			switch n := n.(type) {
			case Text:
				total += len(n)
			case Comment:
				total += len(n)
			case Instruction:
				total += len(n.Target) + len(n.Data)
			}
		}
	})
	return total
}

func (w *canonicalWriter) result() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.out.Bytes(), nil
}

// wanted reports whether a comment or instruction is part of the form.
func (w *canonicalWriter) wanted(n Node) bool {
	_, comment := n.(Comment)
	return !comment || w.Comments
}

// outside writes a comment or instruction and reports whether it wrote any.
func (w *canonicalWriter) outside(n Node) bool {
	if !w.wanted(n) {
		return false
	}
	switch n := n.(type) {
	case Comment:
		w.out.WriteString("<!--" + string(n) + "-->")
	case Instruction:
		w.out.WriteString("<?" + n.Target)
		if n.Data != "" {
			w.out.WriteString(" " + n.Data)
		}
		w.out.WriteString("?>")
	}
	return true
}

// element writes the subtree; apex is its topmost element.
func (w *canonicalWriter) element(e *Element, apex bool) {
	if e == w.omit || w.err != nil {
		return
	}
	if w.out.Len() > w.max {
		w.err = fault.New(fault.XMLTooComplex, "", "the canonical form grows beyond %d bytes", w.max)
		return
	}
	name := qualified(e.Prefix, e.Local)
	w.out.WriteString("<" + name)
	undo := w.namespaces(w.needed(e, apex))
	w.attributes(w.inherited(e, apex))
	w.out.WriteByte('>')
	for _, n := range e.Children {
		switch n := n.(type) {
		case *Element:
			w.element(n, false)
		case Text:
			w.out.WriteString(escapeText.Replace(string(n)))
		default:
			w.outside(n)
		}
	}
	w.out.WriteString("</" + name + ">")
	for _, ns := range undo {
		w.rendered[ns.Prefix] = ns.URI
	}
}

// needed lists the namespaces the element calls for. Inclusive: all in scope,
// which below the apex means those it declares itself, since the others were
// called for by an ancestor. Exclusive: those its own name and its attributes'
// names use (Exclusive C14N §3), and those of the PrefixList inclusively.
func (w *canonicalWriter) needed(e *Element, apex bool) []Namespace {
	declared := slices.Clone(e.Namespaces)
	if apex {
		declared = declared[:0]
		for prefix, uri := range e.inScope() {
			declared = append(declared, Namespace{prefix, uri})
		}
	}
	if !w.Exclusive {
		return declared
	}
	used := []Namespace{{e.Prefix, e.Space}}
	for _, a := range e.Attrs {
		if a.Prefix != "" {
			used = append(used, Namespace{a.Prefix, a.Space})
		}
	}
	for _, ns := range declared {
		listed := ns.Prefix
		if listed == "" {
			listed = "#default"
		}
		if slices.Contains(w.Prefixes, listed) {
			used = append(used, ns)
		}
	}
	return used
}

// namespaces writes those that are not in force yet, sorted by prefix, and
// returns what to restore when the element is left. An empty default namespace
// needs xmlns="" only where another is in force (Canonical XML 1.0 §2.3); the
// map's zero value says just that.
func (w *canonicalWriter) namespaces(needed []Namespace) (undo []Namespace) {
	slices.SortFunc(needed, func(a, b Namespace) int { return strings.Compare(a.Prefix, b.Prefix) })
	for _, ns := range needed {
		before := w.rendered[ns.Prefix]
		if ns.Prefix == "xml" || before == ns.URI {
			continue
		}
		undo = append(undo, Namespace{ns.Prefix, before})
		w.rendered[ns.Prefix] = ns.URI
		w.out.WriteString(" xmlns")
		if ns.Prefix != "" {
			w.out.WriteString(":" + ns.Prefix)
		}
		w.out.WriteString(`="` + escapeAttr.Replace(ns.URI) + `"`)
	}
	return undo
}

// inherited returns the element's attributes with, at the apex of an inclusive
// form, the xml: attributes of its ancestors (Canonical XML 1.0 §2.4).
func (w *canonicalWriter) inherited(e *Element, apex bool) []Attr {
	attrs := slices.Clone(e.Attrs)
	if !apex || w.Exclusive {
		return attrs
	}
	for at := e.parent; at != nil; at = at.parent {
		for _, a := range at.Attrs {
			nearer := func(b Attr) bool { return b.Space == xmlSpace && b.Local == a.Local }
			if a.Space == xmlSpace && !slices.ContainsFunc(attrs, nearer) {
				attrs = append(attrs, a)
			}
		}
	}
	return attrs
}

// attributes writes them sorted by namespace, then local name.
func (w *canonicalWriter) attributes(attrs []Attr) {
	slices.SortFunc(attrs, func(a, b Attr) int {
		if c := strings.Compare(a.Space, b.Space); c != 0 {
			return c
		}
		return strings.Compare(a.Local, b.Local)
	})
	for _, a := range attrs {
		w.out.WriteString(" " + qualified(a.Prefix, a.Local) + `="` + escapeAttr.Replace(a.Value) + `"`)
	}
}

// The character escapes of Canonical XML 1.0 §2.3.
var (
	escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	escapeAttr = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)

// EscapeText writes a string as character data, for those who build XML as text.
func EscapeText(s string) string { return escapeText.Replace(s) }

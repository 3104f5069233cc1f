package xmldsig

import "strings"

// Document is a read XML document: what stands before the root element, the
// root, and what stands after it. Only comments and processing instructions
// stand outside the root.
type Document struct {
	Before []Node
	Root   *Element
	After  []Node
}

// Node is an *Element, a Text, a Comment or an Instruction.
type Node interface{ node() }

// Text is character data with references resolved and CDATA sections opened.
type Text string

// Comment is the text between <!-- and -->.
type Comment string

// Instruction is a processing instruction.
type Instruction struct{ Target, Data string }

// Element is an element with its prefix as written and its namespace resolved.
type Element struct {
	Prefix, Local, Space string
	Attrs                []Attr      // without the namespace declarations
	Namespaces           []Namespace // declared on this element
	Children             []Node

	parent *Element
}

// Attr is an attribute; Space is "" for an unprefixed one.
type Attr struct{ Prefix, Local, Space, Value string }

// Namespace is a declaration; Prefix is "" for the default namespace.
type Namespace struct{ Prefix, URI string }

func (*Element) node()    {}
func (Text) node()        {}
func (Comment) node()     {}
func (Instruction) node() {}

// Is reports whether the element has this namespace and local name.
func (e *Element) Is(space, local string) bool {
	return e != nil && e.Local == local && e.Space == space
}

// Parent of the element; nil for a root.
func (e *Element) Parent() *Element { return e.parent }

// Elements returns the child elements in document order. It and the other
// readers take a nil element for an empty one, so that a path can be walked
// without a check at each step.
func (e *Element) Elements() []*Element {
	if e == nil {
		return nil
	}
	var out []*Element
	for _, n := range e.Children {
		if child, ok := n.(*Element); ok {
			out = append(out, child)
		}
	}
	return out
}

// All returns the child elements of this name.
func (e *Element) All(space, local string) []*Element {
	var out []*Element
	for _, child := range e.Elements() {
		if child.Is(space, local) {
			out = append(out, child)
		}
	}
	return out
}

// Child returns the only child element of this name, or nil when there is none
// or more than one: a field that is sent twice has no value.
func (e *Element) Child(space, local string) *Element {
	if all := e.All(space, local); len(all) == 1 {
		return all[0]
	}
	return nil
}

// Text returns the character data directly inside the element. Comments and
// instructions do not split it, as they do not in its canonical form.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	if len(e.Children) == 1 {
		if text, ok := e.Children[0].(Text); ok {
			return string(text)
		}
	}
	var b strings.Builder
	for _, n := range e.Children {
		if text, ok := n.(Text); ok {
			b.WriteString(string(text))
		}
	}
	return b.String()
}

// Attr returns the value of an attribute and whether it is there.
func (e *Element) Attr(space, local string) (string, bool) {
	if e == nil {
		return "", false
	}
	for _, a := range e.Attrs {
		if a.Local == local && a.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// Append puts a child at the end. The child must declare the prefixes it uses
// itself, as every root returned by Parse does.
func (e *Element) Append(child *Element) {
	child.parent = e
	e.Children = append(e.Children, child)
}

// contains reports whether other is e or stands inside it.
func (e *Element) contains(other *Element) bool {
	for ; other != nil; other = other.parent {
		if other == e {
			return true
		}
	}
	return false
}

// inScope returns the namespaces in scope at the element, by prefix; an
// undeclared default namespace is present as "".
func (e *Element) inScope() map[string]string {
	scope := make(map[string]string)
	for at := e; at != nil; at = at.parent {
		for _, ns := range at.Namespaces {
			if _, nearer := scope[ns.Prefix]; !nearer {
				scope[ns.Prefix] = ns.URI
			}
		}
	}
	return scope
}

// walk visits the element and everything inside it, in document order.
func (e *Element) walk(visit func(*Element)) {
	visit(e)
	for _, child := range e.Elements() {
		child.walk(visit)
	}
}

package charge

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
)

// node is one element read under the grammar: its text is of the right form
// and its children are complete.
type node struct {
	path     string
	text     string
	children map[string][]*node
}

// only returns the child that the grammar requires exactly once.
func (n *node) only(name string) *node { return n.children[name][0] }

// optional returns the child that may be absent, or nil.
func (n *node) optional(name string) *node {
	if all := n.children[name]; len(all) > 0 {
		return all[0]
	}
	return nil
}

// reader pulls tokens and holds them against the grammar as they come, so that
// a hostile document costs no more than its first wrong element.
type reader struct {
	tokens   *xml.Decoder
	elements int
}

// readTree parses the document into nodes.
func readTree(raw []byte) (*node, error) {
	if len(raw) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "the declaration is empty")
	}
	if len(raw) > documentBytesMax {
		return nil, fault.New(fault.InputTooBig, "", "the declaration has more than %d bytes", documentBytesMax)
	}
	// Strict, and with no CharsetReader: anything but UTF-8 is an error.
	r := &reader{tokens: xml.NewDecoder(bytes.NewReader(raw))}
	root, err := r.root()
	if err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return root, nil
}

func (r *reader) root() (*node, error) {
	for first := true; ; first = false {
		token, err := r.next("")
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.ProcInst:
			if !first || t.Target != "xml" {
				return nil, fault.New(fault.DeclarationMalformed, "", "a processing instruction at byte %d", r.tokens.InputOffset())
			}
		case xml.CharData: // the decoder lets only white space stand here
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, fault.New(fault.DeclarationMalformed, "", "text before the document at byte %d", r.tokens.InputOffset())
			}
		case xml.StartElement:
			if t.Name.Local != "Declaration" || t.Name.Space != Namespace {
				return nil, fault.New(fault.DeclarationUnknown, "", "the document is not a Declaration of %s", Namespace)
			}
			return r.element(declaration, t, "/Declaration", 1)
		default:
			return nil, forbidden(token, "")
		}
	}
}

// end accepts white space and nothing else after the document.
func (r *reader) end() error {
	for {
		token, err := r.tokens.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(err, fault.DeclarationMalformed, "", "after the document")
		}
		if text, ok := token.(xml.CharData); !ok || len(bytes.TrimSpace(text)) > 0 {
			return fault.New(fault.DeclarationMalformed, "", "something stands after the document at byte %d", r.tokens.InputOffset())
		}
	}
}

// element reads the rest of an element whose start has been read.
func (r *reader) element(grammar *element, start xml.StartElement, path string, depth int) (*node, error) {
	if r.elements++; r.elements > elementsMax || depth > depthMax {
		return nil, fault.New(fault.DeclarationTooDeep, path, "more than %d elements or %d levels", elementsMax, depthMax)
	}
	if err := checkAttributes(grammar, start, path); err != nil {
		return nil, err
	}
	n := &node{path: path, children: make(map[string][]*node)}
	var text strings.Builder
	for {
		token, err := r.next(path)
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := r.child(grammar, n, t, depth); err != nil {
				return nil, err
			}
		case xml.CharData:
			if text.Len()+len(t) > documentTextMax(grammar) {
				return nil, fault.New(fault.DeclarationValue, path, "the text is too long")
			}
			text.Write(t)
		case xml.EndElement:
			n.text = text.String()
			return n, n.check(grammar)
		default:
			return nil, forbidden(token, path)
		}
	}
}

// documentTextMax bounds an element's text; between child elements it is the
// white space of indentation.
func documentTextMax(grammar *element) int {
	if grammar.text == nil {
		return documentBytesMax
	}
	return textBytesMax
}

func (r *reader) child(grammar *element, parent *node, start xml.StartElement, depth int) error {
	name := start.Name.Local
	row, known := grammar.children[name]
	if !known || start.Name.Space != Namespace {
		return fault.New(fault.DeclarationUnknown, parent.path, "an element that does not belong here at byte %d", r.tokens.InputOffset())
	}
	index := len(parent.children[name])
	if index == row.max {
		return fault.New(fault.DeclarationUnknown, parent.path+"/"+name, "stands more than %d times", row.max)
	}
	path := parent.path + "/" + name
	if row.max > 1 {
		path += "/" + strconv.Itoa(index)
	}
	n, err := r.element(row.element, start, path, depth+1)
	if err != nil {
		return err
	}
	parent.children[name] = append(parent.children[name], n)
	return nil
}

// check holds the finished element against its row.
func (n *node) check(grammar *element) error {
	if grammar.text != nil {
		if !grammar.text.MatchString(n.text) {
			return fault.New(fault.DeclarationValue, n.path, "the value has not the required form")
		}
		return nil
	}
	if strings.TrimSpace(n.text) != "" {
		return fault.New(fault.DeclarationUnknown, n.path, "text between elements")
	}
	for _, name := range slices.Sorted(maps.Keys(grammar.children)) {
		if len(n.children[name]) < grammar.children[name].min {
			return fault.New(fault.DeclarationMissing, n.path+"/"+name, "the element is required")
		}
	}
	return nil
}

// checkAttributes lets namespace declarations pass and, where the grammar says
// so, requires the currency.
func checkAttributes(grammar *element, start xml.StartElement, path string) error {
	var currency string
	for _, a := range start.Attr {
		switch {
		case a.Name.Space == "xmlns", a.Name.Space == "" && a.Name.Local == "xmlns":
		case grammar.currency && a.Name.Space == "" && a.Name.Local == "currencyID" && currency == "":
			currency = a.Value
		default:
			return fault.New(fault.DeclarationUnknown, path, "an attribute that does not belong here")
		}
	}
	if grammar.currency && currency != money.Currency {
		return fault.New(fault.DeclarationValue, path, "currencyID is not %s", money.Currency)
	}
	return nil
}

func (r *reader) next(path string) (xml.Token, error) {
	token, err := r.tokens.Token()
	if err != nil { // io.EOF is an error here: the document has not ended
		return nil, fault.Wrap(err, fault.DeclarationMalformed, path, "at byte %d", r.tokens.InputOffset())
	}
	return token, nil
}

// forbidden refuses what could change the meaning of a signed text unseen: a
// DTD declares entities, a comment splits a value.
func forbidden(token xml.Token, path string) error {
	what := "a processing instruction"
	switch token.(type) {
	case xml.Directive:
		what = "a DTD or another directive"
	case xml.Comment:
		what = "a comment"
	}
	return fault.New(fault.DeclarationMalformed, path, "%s is not taken", what)
}

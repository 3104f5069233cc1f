package xmldsig

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits bound what Parse builds. A zero field means its default.
type Limits struct {
	Bytes      int // of the input
	Depth      int // of nested elements
	Nodes      int // elements, attributes, texts, comments and instructions together
	Attributes int // of one element, namespace declarations included
}

// The defaults: the largest answer of ГБД ЮЛ in use is some hundreds of KiB and
// eight levels deep; what is ten times that is not one of our messages.
const (
	MaxBytes      = 8 << 20
	MaxDepth      = 64
	MaxNodes      = 200_000
	MaxAttributes = 64

	maxNameBytes = 512 // of a qualified name
	maxURIBytes  = 2048
)

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field    *int
		fallback int
	}{{&l.Bytes, MaxBytes}, {&l.Depth, MaxDepth}, {&l.Nodes, MaxNodes}, {&l.Attributes, MaxAttributes}} {
		if *d.field <= 0 {
			*d.field = d.fallback
		}
	}
	return l
}

// Namespaces that XML itself defines.
const (
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace = "http://www.w3.org/2000/xmlns/"
)

// Parse reads one XML document.
func Parse(input []byte, limits Limits) (*Document, error) {
	limits = limits.withDefaults()
	switch {
	case len(input) == 0:
		return nil, fault.New(fault.InputEmpty, "", "no XML")
	case len(input) > limits.Bytes:
		return nil, fault.New(fault.InputTooBig, "", "XML of %d bytes, limit %d", len(input), limits.Bytes)
	}
	p := &parser{limits: limits, scope: map[string][]string{"xml": {xmlSpace}, "": {""}}}
	text, err := decode(input)
	if err != nil {
		return nil, err
	}
	p.in = text
	if err := p.document(); err != nil {
		return nil, err
	}
	return &p.doc, nil
}

// decode checks the characters and normalises line ends (XML 1.0 §2.2, §2.11).
func decode(input []byte) (string, error) {
	input = bytes.TrimPrefix(input, []byte("\xEF\xBB\xBF"))
	text := string(input)
	if at := badCharacter(text); at >= 0 {
		return "", malformed(at, "not a UTF-8 XML character")
	}
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return text, nil
}

// parser is one pass over the text with an explicit stack of open elements.
type parser struct {
	in     string
	pos    int
	limits Limits
	nodes  int
	doc    Document
	open   []*Element
	scope  map[string][]string // prefix → the URIs bound to it, innermost last
}

func malformed(at int, format string, args ...any) error {
	return fault.New(fault.XMLMalformed, offset(at), format, args...)
}

func offset(at int) string { return "byte " + strconv.Itoa(at) }

func (p *parser) fail(format string, args ...any) error { return malformed(p.pos, format, args...) }

func (p *parser) document() error {
	if err := p.declaration(); err != nil {
		return err
	}
	for p.pos < len(p.in) {
		if err := p.item(); err != nil {
			return err
		}
	}
	switch {
	case len(p.open) > 0:
		return p.fail("an element is not closed")
	case p.doc.Root == nil:
		return p.fail("no root element")
	}
	return nil
}

// xmlDeclaration is production 23 of XML 1.0 narrowed to what is taken here.
var xmlDeclaration = regexp.MustCompile(`^<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*("1\.0"|'1\.0')` +
	`([ \t\n]+encoding[ \t\n]*=[ \t\n]*("(?i:utf-8)"|'(?i:utf-8)'))?` +
	`([ \t\n]+standalone[ \t\n]*=[ \t\n]*("yes"|'yes'|"no"|'no'))?[ \t\n]*\?>`)

func (p *parser) declaration() error {
	if !strings.HasPrefix(p.in, "<?xml") || len(p.in) < 6 || !isSpace(p.in[5]) {
		return nil
	}
	if p.pos = len(xmlDeclaration.FindString(p.in)); p.pos == 0 {
		return p.fail("the XML declaration is not of version 1.0 in UTF-8")
	}
	return nil
}

// item reads one piece of markup or a run of text.
func (p *parser) item() error {
	rest := p.in[p.pos:]
	switch {
	case rest[0] != '<':
		return p.text()
	case strings.HasPrefix(rest, "</"):
		return p.endTag()
	case strings.HasPrefix(rest, "<!--"):
		return p.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		return p.cdata()
	case strings.HasPrefix(rest, "<!"):
		return fault.New(fault.XMLDoctype, offset(p.pos), "a document type or other declaration")
	case strings.HasPrefix(rest, "<?"):
		return p.instruction()
	}
	return p.startTag()
}

// add puts a node where the parser stands and counts it.
func (p *parser) add(n Node) error {
	if err := p.count(); err != nil {
		return err
	}
	if len(p.open) > 0 {
		top := p.open[len(p.open)-1]
		top.Children = append(top.Children, n)
		return nil
	}
	root, element := n.(*Element)
	switch {
	case element && p.doc.Root != nil:
		return p.fail("a second root element")
	case element:
		p.doc.Root = root
	case p.doc.Root == nil:
		p.doc.Before = append(p.doc.Before, n)
	default:
		p.doc.After = append(p.doc.After, n)
	}
	return nil
}

func (p *parser) count() error {
	if p.nodes++; p.nodes > p.limits.Nodes {
		return fault.New(fault.XMLTooComplex, offset(p.pos), "more than %d nodes", p.limits.Nodes)
	}
	return nil
}

// addText puts text into the open element and joins it with a neighbouring run.
func (p *parser) addText(s string) error {
	if s == "" {
		return nil
	}
	top := p.open[len(p.open)-1]
	if last := len(top.Children) - 1; last >= 0 {
		if before, ok := top.Children[last].(pieces); ok {
			top.Children[last] = append(before, s)
			return nil
		}
	}
	return p.add(pieces{s})
}

// pieces is a Text under construction: it grows without copying.
type pieces []string

func (pieces) node() {}

// settle turns the pieces of a closed element into texts.
func settle(e *Element) {
	for i, n := range e.Children {
		if run, ok := n.(pieces); ok {
			e.Children[i] = Text(strings.Join(run, ""))
		}
	}
}

func (p *parser) text() error {
	end := strings.IndexByte(p.in[p.pos:], '<')
	if end < 0 {
		end = len(p.in) - p.pos
	}
	run := p.in[p.pos : p.pos+end]
	if len(p.open) == 0 {
		if strings.Trim(run, " \t\n") != "" {
			return p.fail("text outside the root element")
		}
		p.pos += end
		return nil
	}
	if strings.Contains(run, "]]>") {
		return p.fail("]]> in text")
	}
	resolved, err := p.resolve(run)
	if err != nil {
		return err
	}
	p.pos += end
	return p.addText(resolved)
}

func (p *parser) cdata() error {
	if len(p.open) == 0 {
		return p.fail("text outside the root element")
	}
	body := p.in[p.pos+len("<![CDATA["):]
	end := strings.Index(body, "]]>")
	if end < 0 {
		return p.fail("a CDATA section does not end")
	}
	p.pos += len("<![CDATA[") + end + len("]]>")
	return p.addText(body[:end])
}

func (p *parser) comment() error {
	body := p.in[p.pos+len("<!--"):]
	end := strings.Index(body, "--")
	if end < 0 || !strings.HasPrefix(body[end:], "-->") {
		return p.fail("a comment does not end, or holds --")
	}
	p.pos += len("<!--") + end + len("-->")
	return p.add(Comment(body[:end]))
}

func (p *parser) instruction() error {
	start := p.pos
	p.pos += len("<?")
	target, err := p.name()
	if err != nil {
		return err
	}
	if strings.EqualFold(target, "xml") || strings.Contains(target, ":") {
		return malformed(start, "a processing instruction may not be called so")
	}
	body := p.in[p.pos:]
	end := strings.Index(body, "?>")
	if end < 0 || (end > 0 && !isSpace(body[0])) {
		return malformed(start, "a processing instruction is malformed")
	}
	p.pos += end + len("?>")
	return p.add(Instruction{Target: target, Data: strings.TrimLeft(body[:end], " \t\n")})
}

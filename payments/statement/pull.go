package statement

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits of a file. encoding/xml keeps one token and the names of the open
// elements in memory; these bound both.
const (
	fileBytesMax  = 8 << 30  // a day of five million lines
	tokenBytesMax = 64 << 10 // far above any element or text of the schema
	depthMax      = 24       // the deepest path of camt.053 has 17 levels
	textBytesMax  = 2 << 10  // the longest text of the schema has 500 characters
	entryBytesMax = 16 << 20 // an entry is kept whole until its end; this one has ten thousand transactions
	readAhead     = 4 << 10  // what encoding/xml's own buffer may have read beyond a token
)

// puller reads a document as nested calls: whoever handles an element reads
// it to its end.
type puller struct {
	tokens *xml.Decoder
	guard  *guard
	depth  int
	until  int64 // where the entry being read must have ended; 0 outside
}

func newPuller(r io.Reader) *puller {
	g := &guard{source: r}
	return &puller{tokens: xml.NewDecoder(g), guard: g}
}

// guard ends the reading when the file, or one token of it, is too long. The
// parser cannot do the latter: it returns from a token only at its end.
type guard struct {
	source    io.Reader
	delivered int64
	tokenEnd  int64 // where the last whole token ended
}

func (g *guard) Read(p []byte) (int, error) {
	if g.delivered-g.tokenEnd > tokenBytesMax+readAhead {
		return 0, fault.New(fault.StatementMalformed, "", "a token of more than %d bytes", tokenBytesMax)
	}
	if g.delivered > fileBytesMax {
		return 0, fault.New(fault.InputTooBig, "", "the file has more than %d bytes", int64(fileBytesMax))
	}
	if len(p) > readAhead {
		p = p[:readAhead]
	}
	n, err := g.source.Read(p)
	g.delivered += int64(n)
	return n, err
}

// next returns the next token that means something: comments and processing
// instructions are passed over, a DTD is refused because it could declare
// entities.
func (p *puller) next() (xml.Token, error) {
	for {
		token, err := p.tokens.Token()
		if err != nil {
			return nil, p.malformed(err)
		}
		p.guard.tokenEnd = p.tokens.InputOffset()
		if p.until > 0 && p.guard.tokenEnd > p.until {
			return nil, fault.New(fault.StatementMalformed, "", "an entry of more than %d bytes", entryBytesMax)
		}
		switch token.(type) {
		case xml.Directive:
			return nil, fault.New(fault.StatementMalformed, "", "a DTD at byte %d", p.tokens.InputOffset())
		case xml.Comment, xml.ProcInst:
			continue
		}
		return token, nil
	}
}

// malformed keeps the class of a limit and of a reader that failed.
func (p *puller) malformed(err error) error {
	if fault.Of(err) != nil {
		return err
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Wrap(err, fault.StatementMalformed, "", "at byte %d", p.tokens.InputOffset())
	}
	if strings.HasPrefix(err.Error(), "xml:") { // an encoding it does not know
		return fault.Wrap(err, fault.StatementMalformed, "", "at byte %d", p.tokens.InputOffset())
	}
	return fault.Wrap(err, fault.Unreadable, "", "at byte %d", p.tokens.InputOffset())
}

// children hands each child of the current element to handle, which must read
// it to its end: by children, text or skip.
func (p *puller) children(handle func(start xml.StartElement) error) error {
	if p.depth++; p.depth > depthMax {
		return fault.New(fault.StatementMalformed, "", "more than %d levels at byte %d", depthMax, p.tokens.InputOffset())
	}
	defer func() { p.depth-- }()
	for {
		token, err := p.next()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := handle(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// fields is children by a table: an element that is not in it is skipped.
func (p *puller) fields(table map[string]func(xml.StartElement) error) error {
	return p.children(func(start xml.StartElement) error {
		if handle, ok := table[start.Name.Local]; ok {
			return handle(start)
		}
		return p.skip()
	})
}

// within walks down a path of elements, each the only one of interest inside
// the one before, and applies the handler at its end.
func (p *puller) within(handle func(xml.StartElement) error, path ...string) func(xml.StartElement) error {
	for i := len(path) - 1; i >= 0; i-- {
		inner := handle
		name := path[i]
		handle = func(xml.StartElement) error {
			return p.fields(map[string]func(xml.StartElement) error{name: inner})
		}
	}
	return handle
}

// skip reads the current element to its end, within the same limits.
func (p *puller) skip() error {
	return p.children(func(xml.StartElement) error { return p.skip() })
}

// text reads the current element, which holds text only.
func (p *puller) text() (string, error) {
	var b strings.Builder
	for {
		token, err := p.next()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			if b.Len()+len(t) > textBytesMax {
				return "", fault.New(fault.StatementMalformed, "", "a text of more than %d bytes at byte %d", textBytesMax, p.tokens.InputOffset())
			}
			b.Write(t)
		case xml.StartElement:
			return "", fault.New(fault.StatementMalformed, "", "an element within a text at byte %d", p.tokens.InputOffset())
		case xml.EndElement:
			return strings.TrimSpace(b.String()), nil
		}
	}
}

// into stores the text of an element; of several the first is kept.
func (p *puller) into(target *string) func(xml.StartElement) error {
	return func(xml.StartElement) error {
		s, err := p.text()
		if *target == "" {
			*target = s
		}
		return err
	}
}

package xmlpull

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Limits of a document. They bound memory; the length of the whole does not.
const (
	// TokenBytesMax is the longest tag, text, comment or CDATA section.
	TokenBytesMax = 64 << 10
	// DepthMax is how deep elements may nest; camt.053 has 17 levels.
	DepthMax = 64

	bufferBytes = 256 << 10
	// endsMax ends the reading of a reader that gives nothing, again and again.
	endsMax = 100
)

// Kind of a token.
type Kind uint8

// The tokens. An empty element is a Start and an End.
const (
	Start Kind = iota + 1
	Text
	End
)

// Errors of a document. All of them, and those of the reader, come as an
// *Error that has the place.
var (
	ErrSyntax    = errors.New("not well-formed")
	ErrTooLong   = fmt.Errorf("a token of more than %d bytes", TokenBytesMax)
	ErrTooDeep   = fmt.Errorf("more than %d levels", DepthMax)
	ErrDoctype   = errors.New("a document type declaration")
	ErrEncoding  = errors.New("not the encoding that the document declares")
	ErrTruncated = errors.New("the document ends too early")
)

// Error is what is wrong, and where.
type Error struct {
	Err    error
	Offset int64 // bytes of UTF-8 before the token
	Detail string
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%v at byte %d", e.Err, e.Offset)
	}
	return fmt.Sprintf("%v at byte %d: %s", e.Err, e.Offset, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

// Attribute of a start tag. Its slices are valid till the next token.
type Attribute struct{ Name, Value []byte }

// Scanner reads one document. What it hands out is valid till the next call.
type Scanner struct {
	source io.Reader
	buffer []byte
	at     int   // of the next byte
	end    int   // of what is read
	valid  int   // of what is known to be whole runes
	base   int64 // bytes before the buffer
	ended  bool  // the source has no more
	failed error

	vocabulary *Vocabulary
	token      int64 // where the last token began
	name       span  // of the last start or end, in the buffer
	tag        Tag   // of the last start
	text       []byte
	value      []byte // of several pieces
	scratch    []byte // a text with its references resolved, or of several pieces
	attributes []Attribute
	values     []byte // attribute values with their references resolved

	prefix    []byte   // of the root's name, with its colon
	open      []byte   // names of open elements that are not the prefix and a name of the vocabulary
	starts    []opened // the open elements
	pendEnd   bool     // an empty element's end is still to be told
	rootEnded bool
}

// opened is an open element: the root's prefix and a name of the vocabulary, or
// else a name that stands in open from a place to the end.
type opened struct {
	tag  Tag // 0 if the name is in open
	from int
}

// span is where a name begins with and without its prefix, and where it ends.
type span struct{ full, local, end int }

// New reads from r, which must give UTF-8 or what its XML declaration says. base
// is how many bytes of the document were read before. The vocabulary may be
// nil: all tags are zero then.
func New(r io.Reader, base int64, vocabulary *Vocabulary) *Scanner {
	if vocabulary == nil {
		vocabulary = NewVocabulary()
	}
	s := &Scanner{source: r, buffer: make([]byte, bufferBytes), vocabulary: vocabulary, base: base}
	s.failed = s.prologue()
	return s
}

// Offset is where the last token began, in bytes of UTF-8.
func (s *Scanner) Offset() int64 { return s.token }

// Name of the last Start or End, without its prefix.
func (s *Scanner) Name() []byte { return s.buffer[s.name.local:s.name.end] }

// Text of the last Text. A text with CDATA sections or comments in it comes
// in several tokens. White space alone, as between elements, is no token.
func (s *Scanner) Text() []byte { return s.text }

// Attribute returns the value of an attribute of the last Start.
func (s *Scanner) Attribute(name string) ([]byte, bool) {
	for _, a := range s.attributes {
		if string(a.Name) == name {
			return a.Value, true
		}
	}
	return nil, false
}

// Namespace is what the last Start's own tag declares for its prefix, or for
// names without one. It is "" where an element further out declares it.
func (s *Scanner) Namespace() string {
	name := "xmlns"
	if s.name.local > s.name.full {
		name = "xmlns:" + string(s.buffer[s.name.full:s.name.local-1])
	}
	value, _ := s.Attribute(name)
	return string(value)
}

// Next reads a token. At the end of the document, when nothing but white
// space, comments and processing instructions follow, it returns io.EOF.
func (s *Scanner) Next() (Kind, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	kind, err := s.next()
	if err != nil {
		s.failed = err
	}
	return kind, err
}

func (s *Scanner) next() (Kind, error) {
	if s.pendEnd {
		s.pendEnd = false
		s.pop()
		return End, nil
	}
	for {
		s.token = s.base + int64(s.at)
		if s.at == s.end && !s.more() {
			return 0, s.atEnd()
		}
		if s.buffer[s.at] != '<' {
			if significant, err := s.characters(); significant || err != nil {
				return Text, err
			}
			continue
		}
		if s.at+1 == s.end && !s.more() {
			return 0, s.atEnd()
		}
		switch s.buffer[s.at+1] {
		case '/':
			return End, s.endTag()
		case '?':
			if err := s.instruction(); err != nil {
				return 0, err
			}
		case '!':
			if isText, err := s.declaration(); isText || err != nil {
				return Text, err
			}
		default:
			return Start, s.startTag()
		}
	}
}

// Child goes on to the next element within the current one and returns its
// tag, or false at the current one's end. A text between elements is an error.
func (s *Scanner) Child() (tag Tag, found bool, err error) {
	if s.failed == nil && !s.pendEnd && len(s.starts) > 0 {
		at := s.at
		for at < s.end && isSpace[s.buffer[at]] {
			at++
		}
		// As almost always: the tag lies in the buffer, and its name is known and
		// has the prefix that the root has, if any.
		full := at + len("<")
		local := full + len(s.prefix)
		if s.end-local > quickBytes && at-s.at <= TokenBytesMax && s.buffer[at] == '<' {
			if s.buffer[full] == '/' {
				if s.closesHere(at) {
					return 0, false, nil
				}
			} else if len(s.prefix) > 0 && !bytes.HasPrefix(s.buffer[full:s.end], s.prefix) {
				// Next sees what it is.
			} else if tag, length := s.vocabulary.begin(s.buffer[local:s.end]); tag != 0 && len(s.starts) < DepthMax {
				s.token = s.base + int64(at)
				end := local + length
				if s.buffer[end] != '>' { // it has attributes
					s.at = at
					s.failed = s.startTag()
					return s.tag, s.failed == nil, s.failed
				}
				s.at = end + len(">")
				s.name = span{full, local, end}
				s.tag = tag
				s.attributes = s.attributes[:0]
				s.starts = append(s.starts, opened{tag, len(s.open)})
				return tag, true, nil
			}
		}
	}
	kind, err := s.Next()
	if err != nil {
		return 0, false, err
	}
	if kind == Text {
		s.failed = s.wrong(ErrSyntax, "a text between elements")
		return 0, false, s.failed
	}
	return s.tag, kind == Start, nil
}

// Value reads the text of the element that the last Start began, to its End,
// with white space trimmed. An element within is an error; the limit of a
// token holds for the whole.
func (s *Scanner) Value() ([]byte, error) {
	if value, ok := s.plainValue(); ok {
		return value, nil
	}
	value := s.value[:0]
	for {
		kind, err := s.Next()
		if err != nil {
			return nil, err
		}
		switch kind {
		case Start:
			s.failed = s.wrong(ErrSyntax, "an element within a text")
			return nil, s.failed
		case Text:
			if len(value)+len(s.text) > TokenBytesMax {
				s.failed = s.wrong(ErrTooLong, "")
				return nil, s.failed
			}
			value = append(value, s.text...)
			s.value = value
		case End:
			return trim(value), nil
		}
	}
}

// trim takes white space away, Unicode's too.
func trim(b []byte) []byte {
	if n := len(b); n > 0 && !isEdge[b[0]] && (!isEdge[b[n-1]] || b[n-1] >= utf8.RuneSelf && b[n-2] >= 0xD0 && b[n-2] <= 0xD3) {
		return b // what ends in Cyrillic, too
	}
	return bytes.TrimSpace(b)
}

// plainValue is Value where the text and the end tag lie in the buffer and
// nothing in the text needs care, as almost always.
func (s *Scanner) plainValue() ([]byte, bool) {
	if s.pendEnd || s.failed != nil {
		return nil, false
	}
	length := 0
	for _, b := range s.buffer[s.at:s.end] {
		if !isPlain[b] {
			break
		}
		length++
	}
	end := s.at + length
	text := s.buffer[s.at:end]
	if length > TokenBytesMax {
		return nil, false
	}
	if !s.closesHere(end) {
		return nil, false
	}
	return trim(text), true
}

// Skip reads the element that the last Start began to its End.
func (s *Scanner) Skip() error {
	for depth := len(s.starts) - 1; len(s.starts) > depth || s.pendEnd; {
		if _, err := s.Next(); err != nil {
			return err
		}
	}
	return nil
}

// atEnd says whether the document may end here.
func (s *Scanner) atEnd() error {
	switch {
	case s.failed != nil:
		return s.failed
	case !s.rootEnded:
		return s.wrong(ErrTruncated, "")
	}
	return io.EOF
}

func (s *Scanner) wrong(err error, detail string) error {
	if s.failed != nil { // the reader's, or the encoding's: it is the cause
		return s.failed
	}
	return &Error{Err: err, Offset: s.token, Detail: detail}
}

// more reads on, keeping what is not consumed. It is false at the end and on
// an error, which is in failed.
func (s *Scanner) more() bool {
	if s.ended || s.failed != nil {
		return false
	}
	if s.at > 0 {
		copy(s.buffer, s.buffer[s.at:s.valid])
		s.base += int64(s.at)
		s.end -= s.at
		s.valid -= s.at
		s.at = 0
	}
	if s.valid == len(s.buffer) {
		s.failed = s.wrong(ErrTooLong, "")
		return false
	}
	before := s.end
	for range endsMax {
		n, err := s.source.Read(s.buffer[s.valid:])
		s.valid += n
		if err != nil && !errors.Is(err, io.EOF) {
			s.failed = &Error{Err: err, Offset: s.base + int64(s.valid)}
			return false
		}
		s.ended = err != nil
		if !s.runes() {
			return false
		}
		if s.end > before || s.ended {
			return s.end > before
		}
	}
	s.failed = &Error{Err: io.ErrNoProgress, Offset: s.base + int64(s.valid)}
	return false
}

// runes makes what was read available up to its last whole rune.
func (s *Scanner) runes() bool {
	fresh := s.buffer[s.end:s.valid]
	whole := len(fresh)
	if !s.ended {
		// A rune of which only the beginning has come waits for its end.
		for i := 1; i <= min(utf8.UTFMax-1, len(fresh)); i++ {
			if b := fresh[len(fresh)-i]; utf8.RuneStart(b) {
				if !utf8.FullRune(fresh[len(fresh)-i:]) {
					whole -= i
				}
				break
			}
		}
	}
	if !utf8.Valid(fresh[:whole]) {
		s.failed = &Error{Err: ErrEncoding, Offset: s.base + int64(s.end), Detail: "not UTF-8"}
		return false
	}
	s.end += whole
	return true
}

// find returns the place of the byte at or after from, reading on as needed.
// from is relative to at, and so is what it returns.
func (s *Scanner) find(b byte, from int) (int, error) {
	for {
		if i := bytes.IndexByte(s.buffer[s.at+from:s.end], b); i >= 0 {
			if from+i > TokenBytesMax {
				return 0, s.wrong(ErrTooLong, "")
			}
			return from + i, nil
		}
		from = s.end - s.at
		if from > TokenBytesMax {
			return 0, s.wrong(ErrTooLong, "")
		}
		if !s.more() {
			return 0, s.wrong(ErrTruncated, "")
		}
	}
}

// through returns the place behind the text at or after from.
func (s *Scanner) through(text string, from int) (int, error) {
	for {
		if i := bytes.Index(s.buffer[s.at+from:s.end], []byte(text)); i >= 0 && from+i+len(text) <= TokenBytesMax {
			return from + i + len(text), nil
		}
		from = max(from, s.end-s.at-len(text)+1)
		if from > TokenBytesMax {
			return 0, s.wrong(ErrTooLong, "")
		}
		if !s.more() {
			return 0, s.wrong(ErrTruncated, "")
		}
	}
}

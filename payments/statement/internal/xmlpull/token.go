package xmlpull

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// isSpace has white space as XML knows it.
var isSpace = [256]bool{' ': true, '\t': true, '\r': true, '\n': true}

// isPlain has what stands in a text or an attribute's value for itself.
var isPlain = plainBytes()

func plainBytes() (plain [256]bool) {
	for b := ' '; b < 256; b++ {
		plain[b] = b != '&' && b != '<'
	}
	plain['\t'], plain['\n'] = true, true
	return plain
}

// isEdge has the bytes that white space may begin or end with, in ASCII or, as
// Unicode has more of it, beyond.
var isEdge = edgeBytes()

func edgeBytes() (edge [256]bool) {
	for b := range edge {
		edge[b] = b <= ' ' || b >= utf8.RuneSelf && (b < 0xD0 || b > 0xD3)
	}
	return edge
}

// endsName has what a name ends with, and what it must not have. Other rules of
// names do not matter here: a name that is not of the schema is passed over.
var endsName = [256]bool{
	' ': true, '\t': true, '\r': true, '\n': true, '/': true, '>': true, '=': true,
	'<': true, '&': true, '"': true, '\'': true, 0: true,
}

// characters reads text up to the next tag. White space alone is nothing.
// Outside the root any other text is an error.
func (s *Scanner) characters() (significant bool, err error) {
	n, err := s.untilTag()
	if err != nil {
		return false, err
	}
	raw := s.buffer[s.at : s.at+n]
	space := 0
	for space < n && isSpace[raw[space]] {
		space++
	}
	if space == n {
		s.at += n
		return false, nil
	}
	if len(s.starts) == 0 {
		return false, s.wrong(ErrSyntax, "text outside the document's element")
	}
	if s.text, s.scratch, err = s.resolve(raw, s.scratch[:0]); err != nil {
		return false, err
	}
	s.at += n
	return true, nil
}

// untilTag is the length of the text: the rest of the file, outside the root.
func (s *Scanner) untilTag() (int, error) {
	for from := 0; ; {
		if i := bytes.IndexByte(s.buffer[s.at+from:s.end], '<'); i >= 0 {
			from += i
		} else if from = s.end - s.at; from <= TokenBytesMax && s.more() {
			continue
		} else if s.failed != nil || len(s.starts) > 0 && from <= TokenBytesMax {
			return 0, s.wrong(ErrTruncated, "")
		}
		if from > TokenBytesMax {
			return 0, s.wrong(ErrTooLong, "")
		}
		return from, nil
	}
}

// resolve returns the text with its references resolved: raw itself if it has
// none, else a part of scratch, which is returned with what was added.
func (s *Scanner) resolve(raw, scratch []byte) (text, grown []byte, err error) {
	plain := 0
	for plain < len(raw) && isPlain[raw[plain]] {
		plain++
	}
	if plain == len(raw) {
		return raw, scratch, nil
	}
	from := len(scratch)
	scratch = append(scratch, raw[:plain]...)
	for i := plain; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '\r': // XML 1.0 §2.11: a line ends with a line feed
			scratch = append(scratch, '\n')
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
		case b == '&':
			end := bytes.IndexByte(raw[i:], ';')
			if end < 0 {
				return nil, scratch, s.wrong(ErrSyntax, "a reference without an end")
			}
			r, ok := reference(string(raw[i+1 : i+end]))
			if !ok {
				return nil, scratch, s.wrong(ErrSyntax, "a reference that nobody declared")
			}
			scratch = utf8.AppendRune(scratch, r)
			i += end
		case b < ' ' && !isSpace[b]:
			return nil, scratch, s.wrong(ErrSyntax, "a control character")
		default:
			scratch = append(scratch, b)
		}
	}
	return scratch[from:], scratch, nil
}

// reference resolves what stands between & and ; (XML 1.0 §4.1, §4.6).
func reference(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	digits, base := "", 10
	switch {
	case len(name) > 2 && name[:2] == "#x":
		digits, base = name[2:], 16
	case len(name) > 1 && name[0] == '#':
		digits = name[1:]
	}
	n, err := strconv.ParseUint(digits, base, 21)
	r := rune(n)
	isChar := r >= ' ' && utf8.ValidRune(r) && r != 0xFFFE && r != 0xFFFF || r == '\t' || r == '\n' || r == '\r'
	return r, err == nil && isChar
}

// startTag reads a start tag or an empty element's.
func (s *Scanner) startTag() error {
	if s.rootEnded {
		return s.wrong(ErrSyntax, "a second element after the document's")
	}
	s.attributes = s.attributes[:0]
	// Most tags are a name and nothing else, and lie in the buffer.
	rest := s.buffer[s.at+1 : s.end]
	if length := nameLength(rest); length > 0 && length < min(len(rest), TokenBytesMax) && rest[length] == '>' {
		from := s.at + 1
		s.at += length + len("<>")
		return s.push(from, rest[:length])
	}
	n, err := s.tagEnd()
	if err != nil {
		return err
	}
	from := s.at + 1
	tag := s.buffer[from : s.at+n] // without < and >
	s.at += n + 1
	if len(tag) > 0 && tag[len(tag)-1] == '/' {
		tag = tag[:len(tag)-1]
		s.pendEnd = true
	}
	length := nameLength(tag)
	if length == 0 {
		return s.wrong(ErrSyntax, "a tag without a name")
	}
	if err := s.readAttributes(tag[length:]); err != nil {
		return err
	}
	return s.push(from, tag[:length])
}

// tagEnd finds the > that ends the tag: one in an attribute's value does not.
func (s *Scanner) tagEnd() (int, error) {
	quote := byte(0)
	for from := 1; ; {
		n, err := s.find('>', from)
		if err != nil {
			return 0, err
		}
		for _, b := range s.buffer[s.at+from : s.at+n] {
			switch {
			case quote == 0 && (b == '"' || b == '\''):
				quote = b
			case b == quote:
				quote = 0
			}
		}
		if quote == 0 {
			return n, nil
		}
		from = n + 1
	}
}

func nameLength(tag []byte) int {
	for i, b := range tag {
		if endsName[b] {
			return i
		}
	}
	return len(tag)
}

// readAttributes reads what stands behind the name.
func (s *Scanner) readAttributes(rest []byte) error {
	s.values = s.values[:0]
	for {
		trimmed := skipSpace(rest)
		if len(trimmed) == 0 {
			return nil
		}
		length := nameLength(trimmed)
		if length == 0 || len(trimmed) == len(rest) {
			return s.wrong(ErrSyntax, "a tag with something that is no attribute")
		}
		name := trimmed[:length]
		value := skipSpace(trimmed[length:])
		if len(value) == 0 || value[0] != '=' {
			return s.wrong(ErrSyntax, "an attribute without a value")
		}
		value = skipSpace(value[1:])
		if len(value) == 0 || value[0] != '"' && value[0] != '\'' {
			return s.wrong(ErrSyntax, "an attribute's value without quotes")
		}
		end := bytes.IndexByte(value[1:], value[0])
		if end < 0 || bytes.IndexByte(value[1:end+1], '<') >= 0 {
			return s.wrong(ErrSyntax, "an attribute's value without an end")
		}
		rest = value[end+2:]
		if _, twice := s.Attribute(string(name)); twice {
			return s.wrong(ErrSyntax, "an attribute twice")
		}
		text, grown, err := s.resolve(value[1:end+1], s.values)
		if err != nil {
			return err
		}
		s.values = grown
		s.attributes = append(s.attributes, Attribute{name, text})
	}
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && isSpace[b[0]] {
		b = b[1:]
	}
	return b
}

// push opens an element. full is its name with the prefix, at from in the
// buffer.
func (s *Scanner) push(from int, full []byte) error {
	if len(s.starts) == DepthMax {
		return s.wrong(ErrTooDeep, "")
	}
	local, err := s.localName(full)
	if err != nil {
		return err
	}
	s.name = span{from, from + local, from + len(full)}
	s.tag = s.vocabulary.find(full[local:])
	if len(s.starts) == 0 {
		s.prefix = append(s.prefix[:0], full[:local]...)
	}
	element := opened{s.tag, len(s.open)}
	if s.tag == 0 || !bytes.Equal(full[:local], s.prefix) {
		element.tag = 0
		s.open = append(s.open, full...)
	}
	s.starts = append(s.starts, element)
	return nil
}

// localName is where a name goes on behind its prefix.
func (s *Scanner) localName(full []byte) (int, error) {
	colon := bytes.IndexByte(full, ':')
	if colon < 0 {
		return 0, nil
	}
	if colon == 0 || colon == len(full)-1 || bytes.IndexByte(full[colon+1:], ':') >= 0 {
		return 0, s.wrong(ErrSyntax, "a name with a colon out of place")
	}
	return colon + 1, nil
}

// endsInnermost reports whether a full name is that of the innermost open
// element, and where it goes on behind its prefix.
func (s *Scanner) endsInnermost(full []byte) (local int, same bool) {
	last := s.starts[len(s.starts)-1]
	if last.tag == 0 {
		return bytes.IndexByte(full, ':') + 1, bytes.Equal(full, s.open[last.from:])
	}
	name, found := bytes.CutPrefix(full, s.prefix)
	return len(s.prefix), found && bytes.Equal(name, s.vocabulary.names[last.tag])
}

// pop ends the innermost element.
func (s *Scanner) pop() {
	last := len(s.starts) - 1
	s.open = s.open[:s.starts[last].from]
	s.starts = s.starts[:last]
	s.rootEnded = last == 0
}

// closesHere ends the innermost element if its end tag stands at a place of
// the buffer, as almost always: with no white space in it and a name of the
// vocabulary. It may say no where that is wrong.
func (s *Scanner) closesHere(at int) bool {
	last := &s.starts[len(s.starts)-1]
	full := at + len("</")
	local := full + len(s.prefix)
	if s.end-local < quickBytes || s.buffer[at] != '<' || s.buffer[at+1] != '/' ||
		len(s.prefix) > 0 && !bytes.HasPrefix(s.buffer[full:s.end], s.prefix) || !s.vocabulary.closes(last.tag, s.buffer[local:s.end]) {
		return false
	}
	end := local + len(s.vocabulary.names[last.tag])
	s.token = s.base + int64(at)
	s.at = end + len(">")
	s.name = span{full, local, end}
	s.pop()
	return true
}

func (s *Scanner) endTag() error {
	if len(s.starts) == 0 {
		return s.wrong(ErrSyntax, "an end tag that ends nothing")
	}
	n, err := s.find('>', len("</"))
	if err != nil {
		return err
	}
	from := s.at + len("</")
	full := bytes.TrimRight(s.buffer[from:s.at+n], " \t\r\n")
	local, same := s.endsInnermost(full)
	if !same {
		return s.wrong(ErrSyntax, "an end tag that ends nothing")
	}
	s.name = span{from, from + local, from + len(full)}
	s.at += n + 1
	s.pop()
	return nil
}

// instruction passes over <?…?>.
func (s *Scanner) instruction() error {
	n, err := s.through("?>", len("<?"))
	if err != nil {
		return err
	}
	s.at += n
	return nil
}

// declaration passes over a comment, or reads a CDATA section as text.
func (s *Scanner) declaration() (isText bool, err error) {
	const cdata, comment = "<![CDATA[", "<!--"
	for s.end-s.at < len(cdata) && s.more() {
	}
	head := s.buffer[s.at:s.end]
	switch {
	case bytes.HasPrefix(head, []byte(comment)):
		n, err := s.through("-->", len(comment))
		s.at += n
		return false, err
	case bytes.HasPrefix(head, []byte(cdata)) && len(s.starts) > 0:
		n, err := s.through("]]>", len(cdata))
		if err != nil {
			return false, err
		}
		s.text = s.buffer[s.at+len(cdata) : s.at+n-len("]]>")]
		s.at += n
		return true, nil
	case bytes.HasPrefix(head, []byte("<!DOCTYPE")):
		return false, s.wrong(ErrDoctype, "")
	}
	return false, s.wrong(ErrSyntax, "a declaration")
}

package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
)

// jsonDepthMax bounds objects and lists within one another: nothing in the
// contract is a tenth as deep.
const jsonDepthMax = 128

// checkJSON holds a body against I-JSON (RFC 7493): one value in UTF-8, no
// member twice, no half of a surrogate pair. encoding/json would take the last
// of two members and write U+FFFD for what is no character, and so let a caller
// say two things at once.
func checkJSON(body []byte) error {
	r := newJSONReader(body)
	if err := r.skip(); err != nil {
		return err
	}
	return r.end()
}

// jsonReader reads I-JSON from front to back, once, and gives texts as parts of
// the body. It is for bodies of many thousand members, and for telling whether
// a body is I-JSON at all. After an error it is not to be used again.
type jsonReader struct {
	text  string
	at    int
	depth int
}

func newJSONReader(body []byte) *jsonReader { return &jsonReader{text: string(body)} }

func notJSON() error { return fault.New(fault.BodyInvalid, "", "not one JSON value in UTF-8") }

// next is the byte after the white space, 0 at the end.
func (r *jsonReader) next() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take passes over c if it is next.
func (r *jsonReader) take(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

// end refuses what follows the value.
func (r *jsonReader) end() error {
	if r.next() != 0 || r.at < len(r.text) {
		return notJSON()
	}
	return nil
}

// object reads an object: member reads the value of each of its names.
func (r *jsonReader) object(member func(name string) error) error {
	var had names
	return r.each('{', '}', func() error {
		name, err := r.string()
		if err != nil {
			return err
		}
		if !had.add(name) {
			return fault.New(fault.BodyInvalid, "", "an object has a member twice")
		}
		if !r.take(':') {
			return notJSON()
		}
		return member(name)
	})
}

// list reads a list: element reads each of its elements.
func (r *jsonReader) list(element func() error) error { return r.each('[', ']', element) }

func (r *jsonReader) each(begin, end byte, one func() error) error {
	if r.depth == jsonDepthMax || !r.take(begin) {
		return notJSON()
	}
	r.depth++
	for first := true; !r.take(end); first = false {
		if !first && !r.take(',') {
			return notJSON()
		}
		if err := one(); err != nil {
			return err
		}
	}
	r.depth--
	return nil
}

// string reads a text.
func (r *jsonReader) string() (string, error) {
	if !r.take('"') {
		return "", notJSON()
	}
	text, escaped := r.text[r.at:], false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			r.at += i + 1
			if escaped {
				return unescape(text[:i])
			}
			return text[:i], nil
		case c == '\\':
			escaped = true
			i++ // what it escapes
		case c < ' ':
			return "", notJSON()
		case c >= utf8.RuneSelf:
			// U+FFFD stands for what was no character already.
			char, size := utf8.DecodeRuneInString(text[i:])
			if char == utf8.RuneError {
				return "", notCharacter()
			}
			i += size - 1
		}
	}
	return "", notJSON()
}

func notCharacter() error {
	return fault.New(fault.BodyInvalid, "", "a text holds what is no character")
}

// unescape is what a text with escapes says.
func unescape(quoted string) (text string, err error) {
	if err := json.Unmarshal([]byte(`"`+quoted+`"`), &text); err != nil {
		return "", fault.Wrap(err, fault.BodyInvalid, "", "read a text")
	}
	if strings.ContainsRune(text, utf8.RuneError) { // half of a surrogate pair
		return "", notCharacter()
	}
	return text, nil
}

// integer reads a number without a fraction.
func (r *jsonReader) integer() (int64, error) {
	number, err := r.number()
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fault.New(fault.BodyInvalid, "", "not a whole number of 64 bits")
	}
	return value, nil
}

// number reads a number as it is written (RFC 8259 §6).
func (r *jsonReader) number() (string, error) {
	r.next()
	begin := r.at
	if r.at < len(r.text) && r.text[r.at] == '-' {
		r.at++
	}
	zero := strings.HasPrefix(r.text[r.at:], "0")
	if n := r.digits(); n == 0 || zero && n > 1 {
		return "", notJSON()
	}
	if strings.HasPrefix(r.text[r.at:], ".") {
		r.at++
		if r.digits() == 0 {
			return "", notJSON()
		}
	}
	if rest := r.text[r.at:]; rest != "" && rest[0]|0x20 == 'e' {
		r.at++
		if len(rest) > 1 && (rest[1] == '+' || rest[1] == '-') {
			r.at++
		}
		if r.digits() == 0 {
			return "", notJSON()
		}
	}
	return r.text[begin:r.at], nil
}

// digits passes over digits and counts them.
func (r *jsonReader) digits() int {
	begin := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - begin
}

// skip passes over any value.
func (r *jsonReader) skip() error {
	switch c := r.next(); c {
	case '{':
		return r.object(func(string) error { return r.skip() })
	case '[':
		return r.list(r.skip)
	case '"':
		_, err := r.string()
		return err
	case 't', 'f', 'n':
		for _, word := range [...]string{"true", "false", "null"} {
			if strings.HasPrefix(r.text[r.at:], word) {
				r.at += len(word)
				return nil
			}
		}
		return notJSON()
	}
	_, err := r.number()
	return err
}

// membersFew is up to how many names comparing each with each is quicker than a
// map.
const membersFew = 16

// names are the names that an object has had.
type names struct {
	few   [membersFew]string
	count int
	many  map[string]bool
}

// add notes a name and reports false for one that was there before.
func (n *names) add(name string) bool {
	if n.many == nil && n.count < membersFew {
		if slices.Contains(n.few[:n.count], name) {
			return false
		}
		n.few[n.count] = name
		n.count++
		return true
	}
	if n.many == nil {
		n.many = make(map[string]bool)
		for _, few := range n.few {
			n.many[few] = true
		}
	}
	if n.many[name] {
		return false
	}
	n.many[name] = true
	return true
}

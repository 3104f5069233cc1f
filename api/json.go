package api

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
)

// checkJSON holds a body against I-JSON (RFC 7493): one value in UTF-8, no
// member twice, no half of a surrogate pair. encoding/json would take the last
// of two members and write U+FFFD for what is no character, and so let a caller
// say two things at once.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) || !json.Valid(body) {
		return fault.New(fault.BodyInvalid, "", "not one JSON value in UTF-8")
	}
	var open []container // the objects and lists around the next byte
	for i := 0; i < len(body); i++ {
		last := len(open) - 1
		switch body[i] {
		case '{', '[':
			open = append(open, container{object: body[i] == '{', name: true})
		case '}', ']':
			open = open[:last]
		case ',':
			open[last].name = true
		case '"':
			end := i + textLength(body[i:])
			text, err := textOf(body[i:end])
			if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
				return fault.Wrap(err, fault.BodyInvalid, "", "a text holds what is no character")
			}
			if last >= 0 && !open[last].take(text) {
				return fault.New(fault.BodyInvalid, "", "an object has a member twice")
			}
			i = end - 1
		}
	}
	return nil
}

// textLength is the length of the string that valid JSON begins with, quotes
// included.
func textLength(json []byte) int {
	for i := 1; ; i++ {
		switch json[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// textOf is what a string of JSON says. Most have no escapes.
func textOf(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return []byte(text), err
}

// membersFew is up to how many names comparing each with each is quicker than
// a map.
const membersFew = 16

// container is an object, with the names it has had, or a list.
type container struct {
	object bool
	name   bool // the next string of an object is a name
	few    [][]byte
	many   map[string]bool
}

// take notes a string and reports false for a name that was there before.
func (c *container) take(text []byte) bool {
	if !c.object || !c.name {
		return true
	}
	c.name = false
	if c.many == nil && len(c.few) < membersFew {
		for _, name := range c.few {
			if bytes.Equal(name, text) {
				return false
			}
		}
		c.few = append(c.few, text)
		return true
	}
	if c.many == nil {
		c.many = make(map[string]bool)
		for _, name := range c.few {
			c.many[string(name)] = true
		}
	}
	if c.many[string(text)] {
		return false
	}
	c.many[string(text)] = true
	return true
}

package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
)

// checkJSON holds a body against I-JSON (RFC 7493): one value in UTF-8, no
// member twice, no half of a surrogate pair. encoding/json would take the last
// of two members and write U+FFFD for what is no character, and so let a caller
// say two things at once.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) || !json.Valid(body) { // a Decoder would pass over what follows the first value
		return fault.New(fault.BodyInvalid, "", "not one JSON value in UTF-8")
	}
	var open []members // the objects and lists around the next token
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(err, fault.BodyInvalid, "", "not JSON")
		}
		if text, ok := token.(string); ok && strings.ContainsRune(text, utf8.RuneError) {
			return fault.New(fault.BodyInvalid, "", "a text holds what is no character")
		}
		if last := len(open) - 1; last >= 0 && !open[last].take(token) {
			return fault.New(fault.BodyInvalid, "", "an object has a member twice")
		}
		switch token {
		case json.Delim('{'):
			open = append(open, members{seen: make(map[string]bool)})
		case json.Delim('['):
			open = append(open, members{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
	}
}

// members are the names an open object has had; seen is nil for a list.
type members struct {
	seen  map[string]bool
	value bool // the next token is a value, not a name
}

// take notes a token and reports false for a name that was there before.
func (m *members) take(token json.Token) bool {
	name, ok := token.(string)
	if m.seen == nil || token == json.Delim('}') {
		return true
	}
	if m.value = !m.value; !m.value || !ok {
		return true
	}
	if m.seen[name] {
		return false
	}
	m.seen[name] = true
	return true
}

package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckJSON(t *testing.T) {
	for body, good := range map[string]bool{
		`{}`: true, `[]`: true, `1`: true, `"x"`: true, `null`: true,
		`{"a":1,"b":{"a":1,"b":[{"a":1},{"a":2}]}}`: true,
		`{"a":"a","b":"a"}`:                         true,
		`["a","a"]`:                                 true,
		`{"a":["b"],"b":"c","c":{}}`:                true,
		`{"қ":"😀","q":"\ud83d\ude00"}`:              true,

		` [ 0 , -0.5e+7 , 1E-2 , true , false , null ] `: true,
		`"\"\\\/\b\f\n\r\t\u0451"`:                       true,

		`01`: false, `-`: false, `1.`: false, `.5`: false, `+1`: false, `1e`: false, `1e+`: false, `0x1`: false, `NaN`: false, `truer`: false,
		`[1,]`: false, `[,1]`: false, `[1 2]`: false, `{"a":1,}`: false, `{"a"}`: false, `{1:2}`: false, `{"a":}`: false, `[1}`: false,
		`"`: false, `"a`: false, `"\`: false, `"\x"`: false, `"\u12"`: false, "\"\n\"": false, "\"\x00\"": false, "1\x00": false, `"\ufffd"`: false,
		``: false, `{`: false, `{}{}`: false, `{} x`: false, `nul`: false,
		`{"a":1,"a":1}`:                   false,
		`{"a":{},"a":[]}`:                 false,
		`{"a":1,"\u0061":2}`:              false,
		`[{"b":{"c":0,"d":[],"c":null}}]`: false,
		"\"\xff\"":                        false,
		`"\ud800"`:                        false,
		`{"\udc00":1}`:                    false,
	} {
		if err := checkJSON([]byte(body)); (err == nil) != good {
			t.Errorf("%q: %v", body, err)
		}
	}
	if err := checkJSON([]byte(strings.Repeat("[", 16<<10))); err == nil {
		t.Error("lists without end were taken")
	}
	for depth, good := range map[int]bool{jsonDepthMax: true, jsonDepthMax + 1: false} {
		if err := checkJSON([]byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))); (err == nil) != good {
			t.Errorf("%d lists in one another: %v", depth, err)
		}
	}
}

// Names beyond the few are kept in another way.
func TestCheckJSONOfManyMembers(t *testing.T) {
	for _, n := range []int{membersFew - 1, membersFew, membersFew + 1, 3 * membersFew} {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"m%d":%d`, i, i))
		}
		object := func(more ...string) []byte { return []byte("{" + strings.Join(append(members, more...), ",") + "}") }
		if err := checkJSON(object()); err != nil {
			t.Errorf("%d members: %v", n, err)
		}
		for i := range n {
			if body := object(fmt.Sprintf(`"m%d":null`, i)); checkJSON(body) == nil {
				t.Errorf("taken: %s", body)
			}
		}
	}
}

// characters reads valid JSON as encoding/json does, token by token, and reports
// whether each object has its members once, no text what is no character, and
// nothing is too deep.
func characters(d *json.Decoder) bool {
	var open []map[string]bool // nil for a list
	name := false              // of an object the next text is a name
	for {
		token, err := d.Token()
		if err != nil {
			return err == io.EOF
		}
		text, isText := token.(string)
		if strings.ContainsRune(text, utf8.RuneError) {
			return false
		}
		if len(open) > jsonDepthMax {
			return false
		}
		switch last := len(open) - 1; {
		case token == json.Delim('{'):
			open = append(open, map[string]bool{})
		case token == json.Delim('['):
			open = append(open, nil)
		case token == json.Delim('}'), token == json.Delim(']'):
			open = open[:last]
		case isText && name:
			if open[last][text] {
				return false
			}
			open[last][text] = true
			name = false // its value is next
			continue
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, body := range []string{
		`{"a":1,"b":[{"a":"x"}]}`, `{"a":1,"a":1}`, `{"a":["a",{"a":"a"}],"\u0061":2}`, `["\ud800"]`, `{"\ud83d\ude00":"\\\""}`, `{} []`,
		`{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"10":0,"11":0,"12":0,"13":0,"14":0,"15":0,"16":0,"17":0,"1":0}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want := utf8.Valid(body) && json.Valid(body) && characters(json.NewDecoder(bytes.NewReader(body)))
		if err := checkJSON(body); (err == nil) != want {
			t.Errorf("%q: %v, and encoding/json says %t", body, err, want)
		}
	})
}

package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCheckJSON(t *testing.T) {
	for body, good := range map[string]bool{
		`{}`: true, `[]`: true, `1`: true, `"x"`: true, `null`: true,
		`{"a":1,"b":{"a":1,"b":[{"a":1},{"a":2}]}}`: true,
		`{"a":"a","b":"a"}`:                         true,
		`["a","a"]`:                                 true,
		`{"a":["b"],"b":"c","c":{}}`:                true,
		`{"қ":"😀","q":"\ud83d\ude00"}`:              true,

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
}

func FuzzCheckJSON(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[{"a":"x"}]}`))
	f.Add([]byte(`{"a":1,"a":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkJSON(body) == nil && !json.Valid(body) {
			t.Errorf("taken: %q", body)
		}
	})
}

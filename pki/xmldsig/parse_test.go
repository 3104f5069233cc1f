package xmldsig

import (
	"bytes"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		code fault.Code
	}{
		"empty":                      {"", fault.InputEmpty},
		"no root":                    {"<!-- only -->", fault.XMLMalformed},
		"not XML":                    {"hello", fault.XMLMalformed},
		"truncated":                  {"<a><b>", fault.XMLMalformed},
		"second root":                {"<a/><b/>", fault.XMLMalformed},
		"text before the root":       {"x<a/>", fault.XMLMalformed},
		"text after the root":        {"<a/>x", fault.XMLMalformed},
		"CDATA outside the root":     {"<a/><![CDATA[x]]>", fault.XMLMalformed},
		"mismatched end tag":         {"<a></b>", fault.XMLMalformed},
		"end tag by another prefix":  {`<p:a xmlns:p="urn:1" xmlns:q="urn:1"></q:a>`, fault.XMLMalformed},
		"lone end tag":               {"</a>", fault.XMLMalformed},
		"DOCTYPE":                    {"<!DOCTYPE a><a/>", fault.XMLDoctype},
		"DOCTYPE with entities":      {`<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>`, fault.XMLDoctype},
		"entity without a DOCTYPE":   {"<a>&e;</a>", fault.XMLDoctype},
		"entity in an attribute":     {`<a b="&nbsp;"/>`, fault.XMLDoctype},
		"reference without end":      {"<a>&amp</a>", fault.XMLMalformed},
		"reference to no character":  {"<a>&#0;</a>", fault.XMLMalformed},
		"reference to a surrogate":   {"<a>&#xD800;</a>", fault.XMLMalformed},
		"reference out of range":     {"<a>&#x110000;</a>", fault.XMLMalformed},
		"reference with a sign":      {"<a>&#+65;</a>", fault.XMLMalformed},
		"reference in capitals":      {"<a>&#X41;</a>", fault.XMLMalformed},
		"control character":          {"<a>\x01</a>", fault.XMLMalformed},
		"U+FFFE":                     {"<a>\uFFFE</a>", fault.XMLMalformed},
		"invalid UTF-8":              {"<a>\xC0\xAF</a>", fault.XMLMalformed},
		"UTF-16":                     {"\xFF\xFE<\x00a\x00/\x00>\x00", fault.XMLMalformed},
		"another encoding":           {`<?xml version="1.0" encoding="windows-1251"?><a/>`, fault.XMLMalformed},
		"version 1.1":                {`<?xml version="1.1"?><a/>`, fault.XMLMalformed},
		"declaration without end":    {`<?xml version="1.0"`, fault.XMLMalformed},
		"declaration not first":      {` <?xml version="1.0"?><a/>`, fault.XMLMalformed},
		"instruction called XML":     {"<a><?XmL x?></a>", fault.XMLMalformed},
		"instruction without end":    {"<a><?pi", fault.XMLMalformed},
		"comment with --":            {"<a><!-- x -- y --></a>", fault.XMLMalformed},
		"comment with --->":          {"<a><!-- x ---></a>", fault.XMLMalformed},
		"comment without end":        {"<a><!-- x", fault.XMLMalformed},
		"CDATA without end":          {"<a><![CDATA[x", fault.XMLMalformed},
		"]]> in text":                {"<a>]]></a>", fault.XMLMalformed},
		"unquoted attribute":         {"<a b=1/>", fault.XMLMalformed},
		"attribute without value":    {"<a b/>", fault.XMLMalformed},
		"attribute without end":      {`<a b="1`, fault.XMLMalformed},
		"attributes without a gap":   {`<a b="1"c="2"/>`, fault.XMLMalformed},
		"< in an attribute":          {`<a b="<"/>`, fault.XMLMalformed},
		"attribute twice":            {`<a b="1" b="2"/>`, fault.XMLMalformed},
		"attribute twice by prefix":  {`<a xmlns:p="urn:1" xmlns:q="urn:1" p:b="1" q:b="2"/>`, fault.XMLMalformed},
		"undeclared prefix":          {"<p:a/>", fault.XMLMalformed},
		"undeclared attribute":       {`<a p:b="1"/>`, fault.XMLMalformed},
		"prefix out of scope":        {`<a><b xmlns:p="urn:1"/><p:c/></a>`, fault.XMLMalformed},
		"prefix unbound":             {`<a xmlns:p=""/>`, fault.XMLMalformed},
		"prefix xml rebound":         {`<a xmlns:xml="urn:1"/>`, fault.XMLMalformed},
		"prefix xmlns bound":         {`<a xmlns:xmlns="urn:1"/>`, fault.XMLMalformed},
		"XML's namespace taken":      {`<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, fault.XMLMalformed},
		"namespace declared twice":   {`<a xmlns="urn:1" xmlns="urn:2"/>`, fault.XMLMalformed},
		"relative namespace":         {`<a xmlns="one/two"/>`, fault.XMLMalformed},
		"name with two colons":       {`<a:b:c xmlns:a="urn:1"/>`, fault.XMLMalformed},
		"name ends with a colon":     {`<a: xmlns:a="urn:1"/>`, fault.XMLMalformed},
		"name starts with a digit":   {"<1a/>", fault.XMLMalformed},
		"local name is a digit":      {`<a:1 xmlns:a="urn:1"/>`, fault.XMLMalformed},
		"element called xmlns":       {`<xmlns:a/>`, fault.XMLMalformed},
		"space before the name":      {"< a/>", fault.XMLMalformed},
		"too deep":                   {strings.Repeat("<a>", MaxDepth+1), fault.XMLTooComplex},
		"too many attributes":        {"<a " + manyAttributes(MaxAttributes+1) + "/>", fault.XMLTooComplex},
		"too long a name":            {"<" + strings.Repeat("a", maxNameBytes+1) + "/>", fault.XMLTooComplex},
		"too long a namespace":       {`<a xmlns="urn:` + strings.Repeat("a", maxURIBytes) + `"/>`, fault.XMLTooComplex},
		"too many nodes":             {"<a>" + strings.Repeat("<b/>", MaxNodes) + "</a>", fault.XMLTooComplex},
		"too many bytes":             {"<a>" + strings.Repeat("x", MaxBytes) + "</a>", fault.InputTooBig},
		"a zero byte in the content": {"<a>\x00</a>", fault.XMLMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), Limits{})
			if !fault.Is(err, c.code) {
				t.Errorf("err = %v, want %s", err, c.code)
			}
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("x", i) + `="1"`)
	}
	return b.String()
}

func TestParseTakes(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark":        "\uFEFF<a/>",
		"single quotes":          "<?xml version='1.0' encoding='utf-8' standalone='no' ?><a b='1'/>",
		"stylesheet instruction": `<?xml-stylesheet href="x"?><a/>`,
		"deep to the limit":      strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth),
	} {
		if _, err := Parse([]byte(text), Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	f.Add([]byte(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	f.Fuzz(func(t *testing.T, input []byte) {
		d, err := Parse(input, Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		// What was read can be written, and reading it again gives the same.
		m := Method{Comments: true}
		once, err := m.Canonical(d)
		if err != nil {
			return
		}
		again, err := Parse(once, Limits{Bytes: len(once)})
		if err != nil {
			t.Fatalf("the canonical form %q of %q does not parse: %v", once, input, err)
		}
		if twice, err := m.Canonical(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q then %q (%v)", once, twice, err)
		}
	})
}

package xmldsig

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

func mustParse(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("Parse(%.200q): %v", text, err)
	}
	return d
}

// documents exercise what canonicalisation changes: comments, namespaces,
// attribute order, default namespaces, xml: attributes, references, CR, CDATA,
// instructions, empty elements.
var documents = []string{
	`<a/>`,
	`<?xml version="1.0" encoding="UTF-8"?><!-- before --><?pi  some data ?><a>text</a><!-- after --><?end?>`,
	"<a b='1'\n c=\"2\"\ta='3'  ></a >",
	"<a b=\"line\nnext\ttab\r\nend&#10;&#13;&#9;\">t\r\nt\rt&#13;&#10;</a>",
	`<a b='"&quot;&lt;&gt;&amp;&apos;>'>&lt;&gt;&amp;"'&#x41F;&#1086; > </a>`,
	`<a><![CDATA[<b>&amp;]]>x<![CDATA[]]></a>`,
	`<z:a xmlns:z="urn:z" xmlns:a="urn:b" xmlns:b="urn:a" b:k="1" a:k="2" k="3" z:k="4" b:a="5" xml:lang="kk"/>`,
	`<a xmlns="urn:one"><b xmlns=""><c xmlns="urn:two"><d xmlns="urn:two"/><e xmlns=""/></c></b></a>`,
	`<a xmlns:p="urn:p" xmlns:q="urn:q"><p:b><q:c/><p:d xmlns:p="urn:other" p:e="1"/><p:f/></p:b><b p:x="1" q:y="2"/></a>`,
	`<a xmlns:p="urn:p"><b xmlns:p="urn:p" p:c="1"/><b xmlns:p="urn:q" p:c="1"/></a>`,
	`<a xmlns:p="urn:unused" xml:space="preserve" xml:base="http://x.kz/"><b xml:lang="ru"> <c/> </b></a>`,
	`<a xmlns:xml="http://www.w3.org/XML/1998/namespace" xml:lang="en"/>`,
	`<сенім атрибут="мән">Қазақстан 😀<!-- түсініктеме --></сенім>`,
	`<a xmlns="urn:d" xmlns:d="urn:d"><d:b c="1" d:c="2"/></a>`,
	"<a>\n  <b  />\n  <!-- c -->\n</a>\n",
}

// xmllint canonicalises as libxml2 does, always with comments.
func xmllint(t testing.TB, flag, text string) []byte {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed (apt-get install libxml2-utils)")
	}
	command := exec.Command(program, "--nonet", flag, "-")
	command.Stdin = strings.NewReader(text)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("xmllint %s %q: %v\n%s", flag, text, err, stderr.Bytes())
	}
	return out
}

var counterparts = map[string]Method{
	"--c14n":     {Comments: true},
	"--exc-c14n": {Exclusive: true, Comments: true},
}

func compareWithXmllint(t testing.TB, fail func(string, ...any), text string) {
	d := mustParse(t, text)
	for flag, method := range counterparts {
		want := xmllint(t, flag, text)
		got, err := method.Canonical(d)
		if err != nil {
			fail("%s %q: %v", flag, text, err)
		} else if !bytes.Equal(got, want) {
			fail("%s of %q\n got %q\nwant %q", flag, text, got, want)
		}
	}
}

func TestCanonicalAgreesWithXmllint(t *testing.T) {
	for _, text := range documents {
		compareWithXmllint(t, t.Errorf, text)
	}
}

func TestCanonicalOfRandomDocumentsAgreesWithXmllint(t *testing.T) {
	if testing.Short() {
		t.Skip("runs xmllint many times")
	}
	rapid.Check(t, func(r *rapid.T) {
		text := randomElement(r, 0, map[string]bool{})
		compareWithXmllint(t, r.Fatalf, text)
		// The canonical form of a canonical form is itself, comments and all.
		for _, m := range counterparts {
			once, _ := m.Canonical(mustParse(t, text))
			twice, err := m.Canonical(mustParse(t, string(once)))
			if err != nil || !bytes.Equal(once, twice) {
				r.Fatalf("%s: %q then %q (%v)", m.URI(), once, twice, err)
			}
		}
	})
}

// randomElement writes an element over few names, prefixes and URIs, so that
// they meet: redeclared, shadowed, unused, equal under two prefixes.
func randomElement(r *rapid.T, depth int, declared map[string]bool) string {
	prefixes, uris := []string{"p", "q", "r"}, []string{"urn:1", "urn:2", "urn:3"}
	scope := map[string]bool{}
	for prefix := range declared {
		scope[prefix] = true
	}
	var attrs []string
	for _, prefix := range prefixes {
		if (depth == 0 && prefix == "p") || rapid.IntRange(0, 3).Draw(r, "declare") == 0 {
			attrs = append(attrs, fmt.Sprintf("xmlns:%s='%s'", prefix, rapid.SampledFrom(uris).Draw(r, "uri")))
			scope[prefix] = true
		}
	}
	if rapid.IntRange(0, 3).Draw(r, "default") == 0 {
		attrs = append(attrs, fmt.Sprintf("xmlns='%s'", rapid.SampledFrom([]string{"", "urn:1", "urn:2"}).Draw(r, "uri")))
	}
	value := rapid.StringOfN(rapid.SampledFrom([]rune("ab&<>\"\t\n\rқ]")), 0, 6, -1)
	for _, local := range []string{"k", "l"} {
		prefix := rapid.SampledFrom([]string{"", "-", "xml:", "p:", "q:", "r:"}).Draw(r, "attribute")
		if prefix == "-" || (prefix != "" && prefix != "xml:" && !scope[strings.TrimSuffix(prefix, ":")]) {
			continue
		}
		attrs = append(attrs, fmt.Sprintf(`%s%s="%s"`, prefix, local, escapeAttr.Replace(value.Draw(r, "value"))))
	}
	attrs = rapid.Permutation(attrs).Draw(r, "order")
	name := "e"
	if prefix := rapid.SampledFrom([]string{"", "p", "q", "r"}).Draw(r, "prefix"); scope[prefix] {
		name = prefix + ":e"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<%s %s>", name, strings.Join(attrs, " "))
	for range rapid.IntRange(0, 3).Draw(r, "children") {
		switch kind := rapid.IntRange(0, 4).Draw(r, "kind"); {
		case kind <= 1 && depth < 4:
			b.WriteString(randomElement(r, depth+1, scope))
		case kind == 2:
			b.WriteString("<!-- c --><?pi d?>")
		default:
			b.WriteString(EscapeText(value.Draw(r, "text")))
		}
	}
	return b.String() + "</" + name + ">"
}

// A subtree inherits namespaces, and xml: attributes in an inclusive form only.
func TestCanonicalElementInherits(t *testing.T) {
	d := mustParse(t, `<r xmlns="urn:d" xmlns:p="urn:p" xmlns:u="urn:u" xml:lang="kk" xml:space="preserve"><!--c-->`+
		`<m xml:lang="ru"><p:e q="1"><f/></p:e></m></r>`)
	e := d.Root.Child("urn:d", "m").Child("urn:p", "e")
	for _, c := range []struct {
		method Method
		want   string
	}{
		{Method{}, `<p:e xmlns="urn:d" xmlns:p="urn:p" xmlns:u="urn:u" q="1" xml:lang="ru" xml:space="preserve"><f></f></p:e>`},
		{Method{Exclusive: true}, `<p:e xmlns:p="urn:p" q="1"><f xmlns="urn:d"></f></p:e>`},
		{Method{Exclusive: true, Prefixes: []string{"u", "#default"}}, `<p:e xmlns="urn:d" xmlns:p="urn:p" xmlns:u="urn:u" q="1"><f></f></p:e>`},
	} {
		got, err := c.method.CanonicalElement(e)
		if err != nil || string(got) != c.want {
			t.Errorf("%+v\n got %s (%v)\nwant %s", c.method, got, err, c.want)
		}
	}
}

func TestCanonicalOmitsCommentsUnlessAsked(t *testing.T) {
	d := mustParse(t, "<!--x--><a>1<!--y-->2</a><!--z-->")
	got, err := Method{}.Canonical(d)
	if err != nil || string(got) != "<a>12</a>" {
		t.Errorf("got %q, %v", got, err)
	}
	if text := d.Root.Text(); text != "12" {
		t.Errorf("Text() = %q; a comment must not split a value", text)
	}
}

// One long namespace used by many siblings would make a form of gigabytes.
func TestCanonicalFormIsBounded(t *testing.T) {
	text := `<r xmlns:p="urn:` + strings.Repeat("x", 2000) + `">` + strings.Repeat("<p:e/>", 10_000) + `</r>`
	_, err := Method{Exclusive: true}.Canonical(mustParse(t, text))
	if !fault.Is(err, fault.XMLTooComplex) {
		t.Errorf("err = %v", err)
	}
}

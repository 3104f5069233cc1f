package xmlpull_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/charmap"

	"github.com/senim-kz/senim/payments/statement/internal/xmlpull"
)

// tokens writes a document's tokens, one after the other, texts joined and
// without white space.
func tokens(r io.Reader) (string, error) {
	var b strings.Builder
	s := xmlpull.New(r, 0, nil)
	text := ""
	flush := func() {
		if text = strings.Join(strings.Fields(text), ""); text != "" {
			fmt.Fprintf(&b, "%q", text)
		}
		text = ""
	}
	for {
		kind, err := s.Next()
		if err != nil {
			flush()
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b.String(), err
		}
		switch kind {
		case xmlpull.Start:
			flush()
			fmt.Fprintf(&b, "<%s", s.Name())
			if v, ok := s.Attribute("Ccy"); ok {
				fmt.Fprintf(&b, " %q", v)
			}
			if ns := s.Namespace(); ns != "" {
				fmt.Fprintf(&b, " {%s}", ns)
			}
			b.WriteByte('>')
		case xmlpull.End:
			flush()
			fmt.Fprintf(&b, "</%s>", s.Name())
		case xmlpull.Text:
			text += string(s.Text())
		}
	}
}

func TestTokens(t *testing.T) {
	tests := []struct{ in, want string }{
		{`<a/>`, `<a></a>`},
		{"\xEF\xBB\xBF<?xml version='1.0'?> <!-- c --> <a> x </a> <?p q?>", `<a>"x"</a>`},
		{`<a xmlns="u"><b Ccy = 'K&amp;Z' x=">"/></a>`, `<a {u}><b "K&Z"></b></a>`},
		{`<p:a xmlns:p="u" xmlns="v"><p:b>1</p:b></p:a >`, `<a {u}><b>"1"</b></a>`},
		{`<a>&lt;&#65;&#x42;&quot;&apos;&gt;</a>`, `<a>"<AB\"'>"</a>`},
		{`<a>1<![CDATA[<2>&amp;]]>3<!-- - -->4</a>`, `<a>"1<2>&amp;34"</a>`},
		{"<a>1\r\n2\r3</a>", `<a>"123"</a>`},
		{`<ä>сенім</ä>`, `<ä>"сенім"</ä>`},
	}
	for _, test := range tests {
		for name, r := range map[string]io.Reader{
			"whole":        strings.NewReader(test.in),
			"byte by byte": iotest.OneByteReader(strings.NewReader(test.in)),
			"data and EOF": iotest.DataErrReader(strings.NewReader(test.in)),
		} {
			if got, err := tokens(r); err != nil || got != test.want {
				t.Errorf("%s, %s: %s, %v", test.in, name, got, err)
			}
		}
	}
}

// TestValue reads values as the statements do.
func TestValue(t *testing.T) {
	tests := []struct{ in, want string }{
		{`<a>1</a>`, "1"},
		{`<a/>`, ""},
		{`<a></a>`, ""},
		{`<a>  </a >`, ""},
		{"<a>\n 1 2\r\n</a>", "1 2"},
		{`<a>1&amp;<!-- --><![CDATA[ 2 ]]>3</a>`, "1& 2 3"},
		{"<a>1\r2</a>", "1\n2"},
	}
	for _, test := range tests {
		for _, r := range []io.Reader{strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in))} {
			s := xmlpull.New(r, 0, nil)
			if kind, err := s.Next(); kind != xmlpull.Start || err != nil {
				t.Fatal(kind, err)
			}
			if got, err := s.Value(); err != nil || string(got) != test.want {
				t.Errorf("%q: %q, %v", test.in, got, err)
			}
			if _, err := s.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("%q: behind it %v", test.in, err)
			}
		}
	}
	for in, want := range map[string]error{
		`<a><b/></a>`: xmlpull.ErrSyntax, `<a>1</b>`: xmlpull.ErrSyntax, `<a>1`: xmlpull.ErrTruncated,
		`<a>` + strings.Repeat(strings.Repeat("x", 1000)+"<!-- -->", 70) + `</a>`: xmlpull.ErrTooLong,
	} {
		s := xmlpull.New(strings.NewReader(in), 0, nil)
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Value(); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", in, err, want)
		}
	}
}

func TestSkip(t *testing.T) {
	for _, in := range []string{`<a><b><c/>x<b>y</b></b><d/></a>`, `<a><b/><d/></a>`} {
		s := xmlpull.New(strings.NewReader(in), 0, nil)
		for range 2 {
			if _, err := s.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Skip(); err != nil {
			t.Fatal(err)
		}
		if kind, err := s.Next(); err != nil || kind != xmlpull.Start || string(s.Name()) != "d" {
			t.Errorf("%s: %v %s, %v", in, kind, s.Name(), err)
		}
	}
}

func TestEncodings(t *testing.T) {
	body := `<a>Алматы қ.</a>`
	for _, declared := range []string{"windows-1251", "WINDOWS-1251", "cp1251"} {
		head := `<?xml version="1.0" encoding="` + declared + `"?>`
		in, err := charmap.Windows1251.NewEncoder().String(head + `<a>Алматы</a>`)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tokens(strings.NewReader(in)); err != nil || got != `<a>"Алматы"</a>` {
			t.Errorf("%s: %s, %v", declared, got, err)
		}
	}
	if got, err := tokens(strings.NewReader(`<?xml version="1.0" encoding='UTF-8'?>` + body)); err != nil || got != `<a>"Алматық."</a>` {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{`<?xml version="1.0" encoding="x-none"?><a/>`, `<?xml version="1.0" encoding="utf-16"?><a/>`, "<a>\xC0\xAF</a>", "<a>\xD0"} {
		if _, err := tokens(strings.NewReader(bad)); !errors.Is(err, xmlpull.ErrEncoding) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", xmlpull.TokenBytesMax)
	tests := []struct {
		in   string
		want error
	}{
		{``, xmlpull.ErrTruncated},
		{`  `, xmlpull.ErrTruncated},
		{`<a>`, xmlpull.ErrTruncated},
		{`<a>1`, xmlpull.ErrTruncated},
		{`<a`, xmlpull.ErrTruncated},
		{`<a></a`, xmlpull.ErrTruncated},
		{`<a><!-- </a>`, xmlpull.ErrTruncated},
		{`<a></b>`, xmlpull.ErrSyntax},
		{`<a></a></a>`, xmlpull.ErrSyntax},
		{`<a/><b/>`, xmlpull.ErrSyntax},
		{`<a/>x`, xmlpull.ErrSyntax},
		{`x<a/>`, xmlpull.ErrSyntax},
		{`<a>&nbsp;</a>`, xmlpull.ErrSyntax},
		{`<a>&#0;</a>`, xmlpull.ErrSyntax},
		{`<a>&#xD800;</a>`, xmlpull.ErrSyntax},
		{`<a>&amp</a>`, xmlpull.ErrSyntax},
		{"<a>\x01</a>", xmlpull.ErrSyntax},
		{`<a b/>`, xmlpull.ErrSyntax},
		{`<a b=1/>`, xmlpull.ErrSyntax},
		{`<a b="1"c="2"/>`, xmlpull.ErrSyntax},
		{`<a b="1" b="2"/>`, xmlpull.ErrSyntax},
		{`<a b="<"/>`, xmlpull.ErrSyntax},
		{`< a/>`, xmlpull.ErrSyntax},
		{`<a><!ELEMENT x></a>`, xmlpull.ErrSyntax},
		{`<!DOCTYPE a [<!ENTITY x "y">]><a/>`, xmlpull.ErrDoctype},
		{`<a>` + long + `x</a>`, xmlpull.ErrTooLong},
		{`<a b="` + long + `"/>`, xmlpull.ErrTooLong},
		{`<!--` + long + `--><a/>`, xmlpull.ErrTooLong},
		{strings.Repeat(`<a>`, xmlpull.DepthMax+1), xmlpull.ErrTooDeep},
	}
	for _, test := range tests {
		_, err := tokens(strings.NewReader(test.in))
		if !errors.Is(err, test.want) {
			t.Errorf("%.60q: %v, want %v", test.in, err, test.want)
		}
	}
	broken := errors.New("the disk")
	if _, err := tokens(io.MultiReader(strings.NewReader(`<a>`), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	if _, err := tokens(strings.NewReader("\xEF\xBB\xBF<a></a")); err == nil || !strings.Contains(err.Error(), "at byte 6") {
		t.Errorf("the mark is not counted: %v", err)
	}
	if _, err := tokens(strings.NewReader(`<a></a`)); err == nil || !strings.Contains(err.Error(), "at byte 3") {
		t.Errorf("no place: %v", err)
	}
}

// names of the walk, one of them longer than what is compared in one piece.
var names = []string{"a", "Amt", "CdtDbtInd", "LongerThanOthers", "v", "AcctSvcrReferen"}

var vocabulary = xmlpull.NewVocabulary(names...)

// walk writes the tokens of a document as statements are read: by children,
// with the text of every element called v.
func walk(r io.Reader) (string, error) {
	var b strings.Builder
	s := xmlpull.New(r, 0, vocabulary)
	var element func() error
	element = func() error {
		name := string(s.Name())
		if i := slices.Index(names, name) + 1; int(s.Tag()) != i {
			return fmt.Errorf("the tag of %s is %d, not %d", name, s.Tag(), i)
		}
		fmt.Fprintf(&b, "<%s", name)
		if v, ok := s.Attribute("Ccy"); ok {
			fmt.Fprintf(&b, " %q", v)
		}
		if ns := s.Namespace(); ns != "" {
			fmt.Fprintf(&b, " {%s}", ns)
		}
		b.WriteByte('>')
		if name == "v" {
			v, err := s.Value()
			if err != nil {
				return err
			}
			if text := strings.Join(strings.Fields(string(v)), ""); text != "" {
				fmt.Fprintf(&b, "%q", text)
			}
		} else {
			for {
				_, found, err := s.Child()
				if err != nil {
					return err
				}
				if !found {
					break
				}
				if err := element(); err != nil {
					return err
				}
			}
		}
		fmt.Fprintf(&b, "</%s>", s.Name())
		return nil
	}
	if kind, err := s.Next(); err != nil || kind != xmlpull.Start {
		return "", fmt.Errorf("the root: %w", err)
	}
	if err := element(); err != nil {
		return b.String(), err
	}
	if _, err := s.Next(); !errors.Is(err, io.EOF) {
		return b.String(), fmt.Errorf("behind the root: %w", err)
	}
	return b.String(), nil
}

// What is read by children has the same tokens, wherever the pieces end.
func TestChildren(t *testing.T) {
	for _, in := range []string{
		`<a/>`, `<a></a>`, "<a>\n <Amt Ccy=\"KZT\"/><x:Amt  Ccy='KZT' ></x:Amt ><v>1</v><p:v>2 &amp; 3</p:v><other/>\n</a>",
		`<p:a xmlns:p="u"><AcctSvcrReferen><v/></AcctSvcrReferen><LongerThanOthers><v><![CDATA[<]]></v></LongerThanOthers><b>` +
			`<CdtDbtInd><!-- --><v>Алматы </v></CdtDbtInd><CdtDbtInds/><CdtDbtInd x="1"/></b></p:a>` + strings.Repeat(" ", 50),
	} {
		want, err := tokens(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			if got, err := walk(r); err != nil || got != want {
				t.Errorf("%s: %s, %v; want %s", in, got, err, want)
			}
		}
	}
	for in, want := range map[string]error{
		`<a>x</a>`: xmlpull.ErrSyntax, `<a><Amt></a></Amt>`: xmlpull.ErrSyntax, `<a><Amt Ccy></Amt></a>                  `: xmlpull.ErrSyntax,
		`<a><Amt Ccy="1" Ccy="2"></Amt></a>                  `:              xmlpull.ErrSyntax,
		strings.Repeat(`<a>`, xmlpull.DepthMax+1) + strings.Repeat(" ", 50): xmlpull.ErrTooDeep,
		`<a>` + strings.Repeat(" ", xmlpull.TokenBytesMax+1) + `<Amt/></a>`: xmlpull.ErrTooLong,
	} {
		if _, err := walk(strings.NewReader(in)); !errors.Is(err, want) {
			t.Errorf("%.60q: %v, want %v", in, err, want)
		}
	}
}

// A vocabulary that is full still knows its names and no others.
func TestVocabularyIsFull(t *testing.T) {
	var all []string
	for i := range xmlpull.NamesMax + 1 {
		all = append(all, fmt.Sprintf("n%d", i))
	}
	full := xmlpull.NewVocabulary(all...)
	for i, name := range all {
		s := xmlpull.New(strings.NewReader("<"+name+"/>"), 0, full)
		if _, err := s.Next(); err != nil || int(s.Tag()) != (i+1)%(xmlpull.NamesMax+1) {
			t.Errorf("%s: %d, %v", name, s.Tag(), err)
		}
	}
}

// FuzzScanner holds the scanner against encoding/xml: what it accepts, that
// accepts too, with the same tokens.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`<a/>`, `<a b="1">x&amp;<![CDATA[y]]></a>`, `<?xml version="1.0"?><p:a xmlns:p="u"><p:b/></p:a>`, `<a>` + "\r\n" + `</a>`,
		`<a><Amt Ccy="KZT"><v>1</v></Amt><CdtDbtInd><v>CRDT</v></CdtDbtInd><LongerThanOthers/><AcctSvcrReferen></AcctSvcrReferen></a>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := tokens(bytes.NewReader(in))
		one, oneErr := tokens(iotest.OneByteReader(bytes.NewReader(in)))
		if one != got || (err == nil) != (oneErr == nil) {
			t.Fatalf("in pieces %s, %v; whole %s, %v", one, oneErr, got, err)
		}
		walked, walkErr := walk(bytes.NewReader(in))
		inPieces, piecesErr := walk(iotest.OneByteReader(bytes.NewReader(in)))
		if (walkErr == nil) != (piecesErr == nil) || walkErr == nil && (walked != inPieces || walked != got || err != nil) {
			t.Fatalf("by children %s, %v; in pieces %s, %v; by tokens %s, %v", walked, walkErr, inPieces, piecesErr, got, err)
		}
		if err != nil || bytes.Contains(in, []byte("encoding")) || bytes.Contains(in, []byte("Ccy")) {
			return
		}
		want, err := reference(in)
		if err != nil {
			t.Skip("stricter here: names and versions are of no use to a statement")
		}
		if got = namespaces(got); want != got {
			t.Fatalf("%s, encoding/xml has %s", got, want)
		}
	})
}

// namespaces takes the namespaces out of what tokens wrote.
func namespaces(s string) string {
	for {
		i := strings.Index(s, " {")
		if i < 0 {
			return s
		}
		j := strings.IndexByte(s[i:], '}')
		if j < 0 {
			return s
		}
		s = s[:i] + s[i+j+1:]
	}
}

func reference(in []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(in, []byte("\xEF\xBB\xBF"))))
	var b strings.Builder
	text := ""
	flush := func() {
		if text = strings.Join(strings.Fields(text), ""); text != "" {
			fmt.Fprintf(&b, "%q", text)
		}
		text = ""
	}
	depth := 0
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			flush()
			depth++
			fmt.Fprintf(&b, "<%s>", token.Name.Local)
		case xml.EndElement:
			flush()
			depth--
			fmt.Fprintf(&b, "</%s>", token.Name.Local)
		case xml.CharData:
			if depth > 0 {
				text += string(token)
			}
		}
	}
}

func BenchmarkScanner(b *testing.B) {
	entry := `<Ntry><Amt Ccy="KZT">100.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt></Ntry>` + "\n"
	leaves := xmlpull.NewVocabulary("Amt", "CdtDbtInd", "Cd", "Dt")
	document := []byte(`<Stmt>` + strings.Repeat(entry, 20_000) + `</Stmt>`)
	for name, read := range map[string]func() error{
		"xmlpull": func() error {
			s := xmlpull.New(bytes.NewReader(document), 0, leaves)
			for {
				kind, err := s.Next()
				if err == nil && kind == xmlpull.Start && s.Tag() != 0 {
					_, err = s.Value()
				}
				if err != nil {
					return err
				}
			}
		},
		"encoding-xml": func() error {
			d := xml.NewDecoder(bytes.NewReader(document))
			for {
				if _, err := d.RawToken(); err != nil {
					return err
				}
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}

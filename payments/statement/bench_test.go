package statement_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// treasuryDay is a statement with entries of 1,139 bytes, as the treasury's are.
func treasuryDay(t testing.TB, entries int) []byte {
	t.Helper()
	r, err := sample.TreasuryDay{Account: order.TreasuryIIK, Day: kz.DayOf(now), ID: "DAY", Entries: entries}.Reader()
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// BenchmarkCAMT reads the same statement as it may be written, to entries and to
// the lines that reconciliation needs; and, to compare, its tokens by
// encoding/xml.
func BenchmarkCAMT(b *testing.B) {
	const entries = 20_000
	compact := treasuryDay(b, entries)
	same := func() []byte { return compact }
	prefixed := func() []byte {
		all := regexp.MustCompile(`<(/?)(\w)`).ReplaceAll(compact, []byte("<${1}d:$2"))
		return bytes.Replace(all, []byte("xmlns="), []byte("xmlns:d="), 1)
	}
	indented := func() []byte { return bytes.ReplaceAll(compact, []byte("><"), []byte(">\n                <")) }
	cyrillic := func() []byte {
		all, err := charmap.Windows1251.NewEncoder().Bytes(bytes.Replace(compact, []byte("UTF-8"), []byte("windows-1251"), 1))
		if err != nil {
			b.Fatal(err)
		}
		return all
	}
	read := func(entry func(*statement.Statement, *statement.Entry) error) func([]byte) (int, error) {
		return func(document []byte) (int, error) {
			n := 0
			err := statement.Parse(bytes.NewReader(document), statement.Options{}, statement.Sink{
				Entry: func(s *statement.Statement, e *statement.Entry) error { n++; return entry(s, e) },
			})
			return n, err
		}
	}
	parse := read(func(*statement.Statement, *statement.Entry) error { return nil })
	for _, test := range []struct {
		name     string
		document func() []byte
		read     func([]byte) (int, error)
	}{
		{"compact", same, parse},
		{"indented", indented, parse},
		{"prefixed", prefixed, parse},
		{"windows-1251", cyrillic, parse},
		{"lines", same, read(func(s *statement.Statement, e *statement.Entry) error {
			_, err := statement.Lines(s, e)
			return err
		})},
		{"x-raw-tokens", same, func(document []byte) (int, error) {
			n := 0
			d := xml.NewDecoder(bytes.NewReader(document))
			for {
				token, err := d.RawToken()
				if errors.Is(err, io.EOF) {
					return n, nil
				}
				if err != nil {
					return n, err
				}
				if start, ok := token.(xml.StartElement); ok && start.Name.Local == "Ntry" {
					n++
				}
			}
		}},
	} {
		b.Run(test.name, func(b *testing.B) {
			document := test.document()
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := test.read(document); err != nil || n != entries {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

package statement_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// lines is a file that is made while it is read: a head, many lines, a foot.
type lines struct {
	head, foot string
	line       func(i int) string
	count      int

	at   int // of the lines
	rest string
}

func (l *lines) Read(p []byte) (int, error) {
	if l.rest == "" {
		switch {
		case l.at == 0:
			l.rest = l.head + l.line(0)
		case l.at < l.count:
			l.rest = l.line(l.at)
		case l.at == l.count:
			l.rest = l.foot
		default:
			return 0, io.EOF
		}
		l.at++
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Memory does not grow with a statement, in whatever format: what is alive at
// its end, after some 10 to 70 MB of it, is what was alive after its first
// lines.
func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 150 MB")
	}
	const entries = 60_000
	day, err := sample.TreasuryDay{Account: order.TreasuryIIK, Day: kz.DayOf(now), ID: "DAY", Entries: entries}.Reader()
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := statement.ParseMapping([]byte("columns: {booking_day: day, amount: sum, reference: no, purpose: text}"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("customs duty ", 10)
	for name, r := range map[string]io.Reader{
		"camt.053": day,
		"MT940": &lines{
			head: ":20:A\n:25:" + iik + "\n:28C:1\n:60F:C261104KZT0,\n", foot: fmt.Sprintf(":62F:C261105KZT%d,\n-\n", entries), count: entries,
			line: func(i int) string { return fmt.Sprintf(":61:2611051105C1,00NTRFA%d//B%d\n:86:%s\n", i, i, text) },
		},
		"MT100": &lines{count: entries, line: func(i int) string {
			return fmt.Sprintf("{1:F01K}{2:I100S}\n{4:\n:20:A%d\n:32A:261105KZT1,00\n:50:/D/KZ1\n:59:%s\n:70:/KNP/911\n/ASSIGN/%s\n-}\n", i, iik, text)
		}},
		"revenue service": &lines{head: "[", foot: "]", count: entries, line: func(i int) string {
			return strings.Repeat(",", min(i, 1)) + fmt.Sprintf(`{"paymentDocumentNumber":"%d","dateOfBudgetEnrollment":"05.11.2026","paymentAmount":"1","paymentPurpose":"%s"}`, i, text)
		}},
		"CSV": &lines{head: "day;sum;no;text\n", count: entries, line: func(i int) string { return fmt.Sprintf("05.11.2026;1,00;%d;%s\n", i, text) }},
	} {
		t.Run(name, func(t *testing.T) { readFlat(t, r, statement.Options{Mapping: mapping}, entries) })
	}
}

// readFlat reads a file and looks from time to time what is alive.
func readFlat(t *testing.T, r io.Reader, o statement.Options, entries int) {
	const growthMax = 2 << 20
	alive := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var first uint64
	n := 0
	err := statement.Parse(r, o, statement.Sink{
		Entry: func(s *statement.Statement, e *statement.Entry) error {
			if n++; n == 2000 {
				first = alive()
			} else if n%20_000 == 0 {
				if now := alive(); now > first+growthMax {
					t.Errorf("%d bytes after 2000 entries, %d after %d", first, now, n)
				}
			}
			_, err := statement.Lines(s, e)
			return err
		},
		End: func(s *statement.Statement) error { return s.Check(iik) },
	})
	if err != nil || n != entries {
		t.Errorf("%d entries, %v", n, err)
	}
}

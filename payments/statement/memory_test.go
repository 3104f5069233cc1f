package statement_test

import (
	"runtime"
	"testing"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// Memory does not grow with a statement: what is alive after 68 MB of it is
// what was alive after two.
func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 68 MB")
	}
	const entries, growthMax = 60_000, 2 << 20
	r, err := sample.TreasuryDay{Account: order.TreasuryIIK, Day: kz.DayOf(now), ID: "DAY", Entries: entries}.Reader()
	if err != nil {
		t.Fatal(err)
	}
	alive := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var first uint64
	n := 0
	err = statement.Parse(r, statement.Options{}, statement.Sink{
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
		End: func(s *statement.Statement) error { return s.Check(order.TreasuryIIK) },
	})
	if err != nil || n != entries {
		t.Errorf("%d entries, %v", n, err)
	}
}

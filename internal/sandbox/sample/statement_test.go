package sample_test

import (
	"io"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

func day(t *testing.T) kz.Day {
	t.Helper()
	d, err := kz.ParseDay("2026-11-20")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The statement is whole, and its entries are as long as those of the bank's
// that the speed of reading is told for.
func TestTreasuryDay(t *testing.T) {
	const entries = 5000
	length := map[int]int64{}
	for _, n := range []int{0, entries} {
		r, err := sample.TreasuryDay{Account: order.TreasuryIIK, Day: day(t), ID: "DAY", Opening: 7, Entries: n, First: 40}.Reader()
		if err != nil {
			t.Fatal(err)
		}
		var copied strings.Builder
		lines := 0
		err = statement.Parse(io.TeeReader(r, &copied), statement.Options{}, statement.Sink{
			Entry: func(s *statement.Statement, e *statement.Entry) error {
				all, err := statement.Lines(s, e)
				if err == nil && (all[0].Identifier == "" || all[0].BudgetCode == "" || all[0].Payer != string(sample.DeclarantBIN) || all[0].EndToEnd == "") {
					t.Errorf("%+v", all[0])
				}
				lines += len(all)
				return err
			},
			End: func(s *statement.Statement) error { return s.Check(order.TreasuryIIK) },
		})
		if err != nil || lines != n {
			t.Errorf("%d lines, %v", lines, err)
		}
		length[n] = int64(copied.Len())
	}
	if got := (length[entries] - length[0]) / entries; got != 1139 {
		t.Errorf("an entry has %d bytes", got)
	}
}

package payments_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/report"
)

// printed is a report as CSV, which names no moment; asOf is a day, or zero for
// now.
func (w *world) printed(name string, asOf kz.Day) string {
	w.t.Helper()
	kind, err := report.Find(name)
	if err != nil {
		w.t.Fatal(err)
	}
	now := w.clock.Now()
	r := report.Request{Report: kind, Format: report.CSV, Language: fault.English}
	if r.At, err = kind.Moment(asOf, now); err != nil {
		w.t.Fatal(err)
	}
	r.Past = r.At.Before(now) && !asOf.IsZero()
	if r.Period, err = kind.Period(kz.Day{}, kz.Day{}, r.At); err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := w.service.Treasury().WriteReport(w.ctx(), &b, r); err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

// What was outstanding at the end of each day is what a later report says of
// it, line by line, whatever has become of the orders since.
func TestOutstandingAsOfAnEarlierDay(t *testing.T) {
	w, jobs := refundWorld(t)
	var orders []*order.Order
	pay := func(n int, amount money.Tiyn) {
		if err := w.bank.Do(pshep.Act{Name: pshep.Pay, Order: orders[n].ID, Tiyn: amount}); err != nil {
			t.Fatal(err)
		}
		w.deliver()
	}
	var refund *order.Refund
	days := []func(){
		func() { // drafts, presented, a part payment and a whole one
			for range 6 {
				orders = append(orders, w.presented())
			}
			orders = append(orders, w.newOrder())
			pay(0, 1_000_00)
			pay(1, 0)
		},
		func() { // the rest of the part payment comes, another order is cancelled
			pay(0, 0)
			if err := w.service.Cancel(w.ctx(), orders[2].ID); err != nil {
				t.Fatal(err)
			}
			pay(3, 30_000_00)
		},
		func() { // times are over, and one order is presented again
			if err := w.service.ExpireOverdue(w.ctx()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.service.PresentAgain(w.ctx(), orders[4].ID); err != nil {
				t.Fatal(err)
			}
			refund = w.asked(payments.RefundRequest{Order: orders[3].ID, Lines: all(w.get(orders[3]))})
			w.approved(refund.ID)
		},
		func() { // the part payment goes back, and with it the debt
			w.works(jobs, 1)
			w.act(pshep.Act{Name: pshep.Reverse, Order: orders[1].ID})
			w.deliver()
		},
		func() {
			if _, err := w.service.PresentAgain(w.ctx(), orders[4].ID); err != nil {
				t.Fatal(err)
			}
			pay(4, 0)
		},
	}
	then := map[string]map[kz.Day]string{"outstanding": {}, "ageing": {}}
	var past []kz.Day
	for _, act := range days {
		act()
		day := kz.DayOf(w.clock.Now())
		w.clock.Advance(day.End().Add(-time.Second).Sub(w.clock.Now()))
		past = append(past, day)
		for name := range then {
			then[name][day] = w.printed(name, kz.Day{})
		}
		w.clock.Advance(2 * time.Second)
	}
	for name, printed := range then {
		different := map[string]bool{}
		for _, day := range past {
			if diff := cmp.Diff(printed[day], w.printed(name, day)); diff != "" {
				t.Errorf("%s as of %s: %s", name, day, diff)
			}
			different[printed[day]] = true
		}
		if len(different) < len(past)-1 || !strings.Contains(printed[past[0]], "total") {
			t.Errorf("%s says the same of %d days: %s", name, len(past), printed[past[0]])
		}
	}

	// What the history does not tell is refused, and so is a day to come, and
	// another moment of a report of its period's days.
	kind, _ := report.Find("outstanding")
	now := w.clock.Now()
	if _, err := kind.Moment(kz.DayOf(now).AddDays(1), now); !fault.Is(err, fault.ReportPeriodInvalid) {
		t.Errorf("tomorrow: %v", err)
	}
	received, _ := report.Find("received")
	if _, err := received.Moment(past[0], now); !fault.Is(err, fault.ReportPeriodInvalid) {
		t.Errorf("received as of a day: %v", err)
	}
	if _, err := w.pool.Exec(w.ctx(), `UPDATE payment_order SET received = 5, paid[1] = 5, state = 'partially_paid' WHERE id = $1`, orders[5].ID); err != nil {
		t.Fatal(err)
	}
	r := report.Request{Report: kind, Format: report.CSV, Past: true, At: past[0].End().Add(-time.Microsecond)}
	r.Period, _ = kind.Period(kz.Day{}, kz.Day{}, r.At)
	if _, err := w.service.Treasury().WriteReport(w.ctx(), &bytes.Buffer{}, r); !fault.Is(err, fault.ReportHistoryMissing) {
		t.Errorf("a payment that the ledger does not know: %v", err)
	}
}

package payments_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
)

// approvedRefund is a refund of a wholly paid order that is under way.
func (w *world) approvedRefund(o *order.Order, lines map[order.Identifier]money.Tiyn) *order.Refund {
	w.t.Helper()
	r := w.asked(payments.RefundRequest{Order: o.ID, Lines: lines})
	w.approved(r.ID)
	return w.refund(r.ID)
}

// bare is an identifier as a bank's field of 35 characters holds it.
func bareID(id uuid.UUID) string { return strings.ReplaceAll(id.String(), "-", "") }

// refundedFact says that the gateway has executed a refund.
func refundedFact(w *world, r *order.Refund, reference string) gateway.Fact {
	return gateway.Fact{Kind: gateway.Refunded, Reference: reference, Original: r.ID.String(), Order: r.Order, Amount: r.Amount, PaidAt: w.clock.Now()}
}

// tellOf hands in a fact of the gateway pshep.
func (w *world) tellOf(f gateway.Fact, want payments.FactState, reason fault.Code) {
	w.t.Helper()
	told := toldOf(f)
	told.Gateway = "pshep"
	got, err := w.service.Take(w.ctx(), told)
	if err != nil || got.State != want || got.Reason != reason {
		w.t.Fatalf("%s: %+v, %v; want %s %s", f.Reference, got, err, want, reason)
	}
}

// open are the open cases, by the bank's reference or what they are about.
func (w *world) open() map[string]fault.Code {
	w.t.Helper()
	all, err := w.service.Treasury().Cases(w.ctx(), reconcile.Filter{State: reconcile.CaseOpen})
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[string]fault.Code{}
	for _, c := range all {
		name := c.Reference
		if name == "" {
			name = string(c.Reason)
		}
		found[name] = c.Reason
	}
	return found
}

// paidBack checks that refunds were paid back so often, and that the accounts
// between the gateway and the treasury are at zero.
func (w *world) paidBack(entries int, clearing money.Tiyn) {
	w.t.Helper()
	if n := w.count("ledger_entry WHERE kind = 'refund_paid'"); n != entries {
		w.t.Errorf("%d refunds are paid in the ledger, want %d", n, entries)
	}
	if refunds, got := w.balance(ledger.Refunds("pshep")), w.balance(ledger.Clearing("pshep")); got != clearing || refunds != 0 {
		w.t.Errorf("refunds %s, clearing %s of %s", refunds, got, clearing)
	}
	w.verified()
}

// Whichever comes first, the gateway's word or the statement's line, executes
// the refund, and the other changes nothing. The line may name it in many ways.
func TestRefundIsPaidBackOnce(t *testing.T) {
	namings := []func(*order.Refund, *row){
		func(r *order.Refund, line *row) { line.endToEnd = r.ID.String() },
		func(r *order.Refund, line *row) { line.endToEnd = strings.ToUpper(bareID(r.ID)) },
		func(r *order.Refund, line *row) { line.reference = bareID(r.ID) },
		func(r *order.Refund, line *row) { line.endToEnd = r.Payment },
		func(_ *order.Refund, line *row) {}, // the identifier of what had been paid
	}
	for _, first := range []string{"gateway", "statement"} {
		t.Run(first, func(t *testing.T) {
			w, _ := refundWorld(t)
			day := kz.DayOf(w.clock.Now())
			var refunds []*order.Refund
			var credits, shown []row
			for i, naming := range namings {
				o := w.paidOrder(0)
				line := o.Lines[1]
				for _, l := range o.Lines {
					credits = append(credits, lineFor(fmt.Sprint("IN", i, l.Identifier), l))
				}
				r := w.approvedRefund(o, map[order.Identifier]money.Tiyn{line.Identifier: 100_00})
				debit := row{reference: fmt.Sprint("OUT", i), code: string(line.BudgetCode), amount: -100_00}
				if i == len(namings)-1 {
					debit.identifier = string(line.Identifier)
				}
				naming(r, &debit)
				refunds, shown = append(refunds, r), append(shown, debit)
			}
			w.importFile(treasuryFile("S1", day, credits...))
			told := make([]gateway.Fact, len(refunds))
			tell := func(want payments.FactState) {
				for i, r := range refunds {
					if told[i].Reference == "" {
						told[i] = refundedFact(w, r, fmt.Sprint("GW", i))
					}
					w.tellOf(told[i], want, "")
				}
			}
			show := func() {
				w.importFile(treasuryFile("S2", day.AddDays(1), shown...))
				for range 2 {
					w.reconciled(day, nil)
				}
			}
			if first == "gateway" {
				tell(payments.FactPosted)
				show()
				tell(payments.FactPosted)
			} else {
				show()
				tell(payments.FactNoted)
				tell(payments.FactNoted)
			}
			w.paidBack(len(refunds), 0)
			for _, r := range refunds {
				if got := w.refund(r.ID); got.State != order.RefundExecuted || got.Shown() != (first == "statement") {
					t.Errorf("%+v", got)
				}
				o := w.get(&order.Order{Transaction: r.Transaction})
				if events := w.events(o); o.State != order.Paid || o.Lines[1].Refunded != 100_00 || o.Refunding != 0 || events[len(events)-1] != payments.EventRefunded {
					t.Errorf("%+v, %v", o, events)
				}
			}
			result := w.reconciled(day.AddDays(1), nil)
			n := len(refunds)
			if result.Matched != n || result.MatchedAmount != -100_00*money.Tiyn(n) || len(result.Totals) != 1 || result.Totals[0].Office == "" {
				t.Errorf("%+v", result)
			}
			// The gateway has paid it once more: that money is real, and in suspense.
			w.tellOf(refundedFact(w, refunds[0], "TWICE"), payments.FactException, fault.RefundState)
			if got := w.balance(ledger.Suspense(string(fault.RefundState))); got != 100_00 {
				t.Errorf("%s is in suspense", got)
			}
			w.paidBack(n, -100_00)
		})
	}
}

// A refund of several lines, in one debit and in one for each line; and debits
// that are none.
func TestRefundsOnTheStatement(t *testing.T) {
	w, _ := refundWorld(t)
	first, second, third := w.paidOrder(0), w.paidOrder(0), w.paidOrder(0)
	day := kz.DayOf(w.clock.Now())
	whole := w.approvedRefund(first, all(first))
	parts := w.approvedRefund(second, all(second))
	asked := w.asked(payments.RefundRequest{Order: third.ID, Lines: map[order.Identifier]money.Tiyn{third.Lines[0].Identifier: 5_00}})
	short := w.approvedRefund(third, map[order.Identifier]money.Tiyn{third.Lines[1].Identifier: 9_00})
	out := func(reference, endToEnd string, amount money.Tiyn) row {
		return row{reference: reference, endToEnd: endToEnd, amount: -amount}
	}
	rows := []row{
		out("ONE", bareID(whole.ID), whole.Amount), out("TWO", bareID(whole.ID), whole.Amount),
		out("EARLY", bareID(asked.ID), asked.Amount), out("SHORT", bareID(short.ID), short.Amount-1), out("ALIEN", "NOBODY", 3),
		{reference: "BACK", endToEnd: bareID(whole.ID), amount: whole.Amount, returned: true},
	}
	for i, l := range second.Lines {
		rows = append(rows, row{reference: fmt.Sprint("PART", i), identifier: string(l.Identifier), code: string(l.BudgetCode), amount: -l.Paid})
	}
	w.importFile(treasuryFile("S1", day.AddDays(1), rows...))
	for range 2 {
		result := w.reconciled(day.AddDays(1), nil)
		if result.Matched != 1+len(second.Lines) || result.MatchedAmount != -whole.Amount-parts.Amount ||
			result.Rules[reconcile.ByRefund] != len(first.Lines) || result.Rules[reconcile.ByRefundLine] != len(second.Lines) {
			t.Errorf("%+v", result)
		}
	}
	want := map[string]fault.Code{
		"TWO": fault.DuplicatePayment, "EARLY": fault.RefundNotOrdered, "SHORT": fault.AmountDiffers, "ALIEN": fault.DebitEntry, "BACK": fault.RefundReturned,
	}
	if diff := cmp.Diff(want, w.open()); diff != "" {
		t.Error(diff)
	}
	for _, r := range []*order.Refund{whole, parts} {
		if got := w.refund(r.ID); !got.Shown() || w.get(&order.Order{Transaction: got.Transaction}).State != order.Refunded {
			t.Errorf("%+v", got)
		}
	}
	if got := w.refund(short.ID).State; got != order.RefundApproved {
		t.Errorf("a refund of which a part is shown is %s", got)
	}
	w.verified()

	// Two persons find that SHORT and a tiyn of another debit are that refund;
	// a debit is no payment, and a refund takes no more than is open.
	w.importFile(treasuryFile("S2", day.AddDays(2), out("LOST", "", short.Amount)))
	w.reconciled(day, nil)
	id := w.caseNamed("LOST")
	for target, want := range map[string]fault.Code{
		string(third.Lines[0].Identifier): fault.CaseTargetBad, "refund:" + uuid.NewString(): fault.RefundNotFound, "refund:x": fault.CaseTargetBad,
		"refund:" + asked.ID.String(): fault.CaseTargetBad, "refund:" + whole.ID.String(): fault.AmountDiffers,
	} {
		if err := w.resolve(id, reconcile.ToMatch, target); !fault.Is(err, want) {
			t.Errorf("%s: %v, want %s", target, err, want)
		}
	}
	if err := w.resolve(id, reconcile.ToMatch, "refund:"+short.ID.String()); err != nil {
		t.Fatal(err)
	}
	if got := w.refund(short.ID); !got.Shown() {
		t.Errorf("%+v", got)
	}
	w.reconciled(day, nil)
	w.tellOf(refundedFact(w, short, "GW9"), payments.FactNoted, "")
	w.verified()
	if n := w.count("ledger_entry WHERE kind = 'refund_paid'"); n != 3 {
		t.Errorf("%d refunds are paid in the ledger", n)
	}
}

// caseNamed is the case of the line with a reference.
func (w *world) caseNamed(reference string) uuid.UUID {
	w.t.Helper()
	all, err := w.service.Treasury().Cases(w.ctx(), reconcile.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range all {
		if c.Reference == reference {
			return c.ID
		}
	}
	w.t.Fatalf("no case of %s", reference)
	return uuid.Nil
}

// What the gateway says was paid back and no statement shows, and what it
// refused to pay back, are cases.
func TestRefundsThatAreMissing(t *testing.T) {
	w, jobs := refundWorld(t)
	o, refused := w.paidOrder(0), w.paidOrder(0)
	day := kz.DayOf(w.clock.Now())
	r := w.approvedRefund(o, map[order.Identifier]money.Tiyn{o.Lines[0].Identifier: 7_00})
	w.works(jobs, 1)
	w.strike("refuse")
	failed := w.approvedRefund(refused, map[order.Identifier]money.Tiyn{refused.Lines[0].Identifier: 8_00})
	w.works(jobs, 1)
	if got := w.refund(failed.ID).State; got != order.RefundFailed {
		t.Fatalf("the refused refund is %s", got)
	}
	later := day.AddDays(10)
	w.importFile(treasuryFile("S1", later, row{reference: "X", amount: 1}))
	w.reconciled(later, nil)
	missing, failure := w.caseOf(fault.RefundMissing), w.caseOf(fault.RefundFailed)
	if err := w.resolve(failure, reconcile.ToRefund, ""); !fault.Is(err, fault.CaseResolutionBad) {
		t.Errorf("the failed refund is paid back by its case: %v", err)
	}
	if err := w.resolve(failure, reconcile.AsForeign, ""); err != nil {
		t.Error(err)
	}
	// It comes after all.
	w.importFile(treasuryFile("S2", later.AddDays(1), row{reference: "OUT", endToEnd: w.refund(r.ID).Reference, amount: -7_00}))
	w.clock.Advance(time.Hour)
	w.reconciled(later, nil)
	if c, err := w.service.Treasury().Case(w.ctx(), missing); err != nil || c.State != reconcile.CaseCleared || *c.Refund != r.ID {
		t.Errorf("%+v, %v", c, err)
	}
	w.verified()
}

// A run that is cut off while it executes a refund has executed none, and the
// next one has.
func TestPayingBackCutOff(t *testing.T) {
	w, _ := refundWorld(t)
	o := w.paidOrder(0)
	day := kz.DayOf(w.clock.Now())
	r := w.approvedRefund(o, map[order.Identifier]money.Tiyn{o.Lines[0].Identifier: 7_00})
	w.importFile(treasuryFile("S1", day, row{reference: "OUT", endToEnd: bareID(r.ID), amount: -r.Amount}))
	run := func(ctx context.Context) error { _, err := w.service.Reconcile(ctx, day); return err }
	for _, table := range []string{"payment_refund_match", "audit_records", "events", "payment_refund", "payment_order"} {
		for _, connection := range []bool{true, false} {
			postgrestest.CutOff(t, w.pool, table, connection, run)
			if got := w.refund(r.ID).State; got != order.RefundApproved || w.count("payment_refund_match") != 0 || w.count("ledger_key WHERE natural_key LIKE 'refund_paid:%'") != 0 {
				t.Errorf("%s: the refund is %s", table, got)
			}
		}
	}
	w.reconciled(day, nil)
	if got := w.refund(r.ID); !got.Shown() {
		t.Errorf("%+v", got)
	}
	w.tellOf(refundedFact(w, r, "GW"), payments.FactNoted, "")
	w.verified()
}

// The database refuses matches of refunds that exceed a side, change or are
// withdrawn from a closed day.
func TestTheDatabaseKeepsRefundMatches(t *testing.T) {
	w, _ := refundWorld(t)
	o := w.paidOrder(0)
	day := kz.DayOf(w.clock.Now())
	r := w.approvedRefund(o, all(o))
	w.importFile(treasuryFile("S1", day, row{reference: "OUT", endToEnd: bareID(r.ID), amount: -r.Amount}))
	w.reconciled(day, nil)
	w.clock.Advance(48 * time.Hour)
	if _, err := w.service.Treasury().ProposeDay(w.ctx(), day, operator); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Treasury().CloseDay(w.ctx(), day, controller); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		`UPDATE payment_refund_match SET amount = 1`, `DELETE FROM payment_refund_match`, `TRUNCATE payment_refund_match`,
		`INSERT INTO payment_refund_match SELECT refund_id, position, 1, 100 + position, booking_day + 9, gen_random_uuid(), 1, due_amount, line_amount, run_id, false, rule, gateway FROM payment_refund_match`,
		`INSERT INTO payment_refund_match SELECT refund_id, 5, 0, 100, booking_day, gen_random_uuid(), 1, 1, 1, run_id, false, rule, gateway FROM payment_refund_match LIMIT 1`,
	} {
		if _, err := w.pool.Exec(w.ctx(), s); err == nil {
			t.Errorf("the database takes %s", s)
		}
	}
	w.reconciled(day, nil)
	if n := w.count("payment_refund_match"); n != len(o.Lines) {
		t.Errorf("%d matches", n)
	}
}

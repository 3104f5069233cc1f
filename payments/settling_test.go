package payments_test

import (
	"context"
	"sync"
	"sync/atomic"
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

// plainWorld is a world whose gateway is plain: facts are told, nothing is
// asked.
func plainWorld(t *testing.T) *world {
	w := newWorld(t)
	w.service = w.newService(plain{}, w.jobs)
	return w
}

// toldBy hands in that a gateway has captured an amount for an order.
func (w *world) toldBy(name, reference string, o *order.Order, amount money.Tiyn) *payments.Outcome {
	w.t.Helper()
	f := captured(w, o, reference)
	f.Amount = amount
	told := toldOf(f)
	told.Gateway = name
	outcome, err := w.service.Take(w.ctx(), told)
	if err != nil {
		w.t.Fatal(err)
	}
	return outcome
}

// reconciled runs a reconciliation of a day and compares clearing accounts.
func (w *world) reconciled(day kz.Day, clearing map[string]money.Tiyn) *reconcile.Result {
	w.t.Helper()
	result, err := w.service.Reconcile(w.ctx(), day)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, want := range clearing {
		if got := w.balance(ledger.Clearing(name)); got != want {
			w.t.Errorf("%s: %s is to be cleared at %s, want %s", day, got, name, want)
		}
	}
	w.verified()
	return result
}

// caseOf is the one case of a reason.
func (w *world) caseOf(reason fault.Code) uuid.UUID {
	w.t.Helper()
	all, err := w.service.Treasury().Cases(w.ctx(), reconcile.Filter{Reason: reason, State: reconcile.CaseOpen})
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%s: %+v, %v", reason, all, err)
	}
	return all[0].ID
}

// resolve has one person propose and another approve.
func (w *world) resolve(id uuid.UUID, r reconcile.Resolution, target string) error {
	w.t.Helper()
	treasury, cases := w.service.Treasury(), []uuid.UUID{id}
	err := treasury.DecideCases(w.ctx(), reconcile.Decision{Cases: cases, Act: reconcile.Suggest, Person: "operator", Resolution: r, Target: target}, nil)
	if err != nil {
		return err
	}
	return treasury.DecideCases(w.ctx(), reconcile.Decision{Cases: cases, Act: reconcile.Approve, Person: "controller"}, nil)
}

func lineFor(reference string, l order.Line) row {
	return row{reference: reference, identifier: string(l.Identifier), code: string(l.BudgetCode), amount: l.Amount}
}

// What an order was paid at two gateways is settled from the account of each,
// a line that both paid too; and what the treasury never got is taken back from
// whoever told of it.
func TestSettledFromTheGatewayThatTold(t *testing.T) {
	w := plainWorld(t)
	o := w.presented()
	fee, duty, vat := o.Lines[0], o.Lines[1], o.Lines[2]
	day := kz.DayOf(w.clock.Now())
	const part = 8_000_00 // of the duty
	w.toldBy("plain", "A1", o, fee.Amount+part)
	w.importFile(treasuryFile("S1", day, lineFor("R1", fee)))
	w.reconciled(day, map[string]money.Tiyn{"plain": part})

	w.clock.Advance(time.Minute)
	w.toldBy("epay", "B1", o, o.Total-fee.Amount-part)
	w.importFile(treasuryFile("S2", day.AddDays(1), lineFor("R2", vat)))
	for range 2 { // again changes nothing
		w.reconciled(day, map[string]money.Tiyn{"plain": part, "epay": duty.Amount - part})
		if n := w.count("payment_match"); n != 2 || w.count("payment_match_withdrawn") != 0 {
			t.Errorf("%d matches", n)
		}
	}
	// The duty does not come: both gateways owe it no longer, the order does.
	w.importFile(treasuryFile("S3", day.AddDays(14), row{reference: "X", code: "101111", amount: 1}))
	w.reconciled(day, nil)
	if err := w.resolve(w.caseOf(fault.PaymentMissing), reconcile.ToRebill, ""); err != nil {
		t.Fatal(err)
	}
	if got := w.get(o); got.State != order.PartiallyPaid || got.Owed() != duty.Amount {
		t.Errorf("rebilled, the order is %s and owes %s", got.State, got.Owed())
	}
	w.reconciled(day, map[string]money.Tiyn{"plain": 0, "epay": 0})

	// It is paid again, by two, and comes in one line.
	w.clock.Advance(time.Minute)
	w.toldBy("epay", "B2", o, part)
	w.clock.Advance(time.Minute)
	w.toldBy("plain", "A2", o, duty.Amount-part)
	w.reconciled(day, map[string]money.Tiyn{"epay": part, "plain": duty.Amount - part})
	w.importFile(treasuryFile("S4", day.AddDays(15), lineFor("R4", duty)))
	result := w.reconciled(day.AddDays(15), map[string]money.Tiyn{"plain": 0, "epay": 0})
	if result.Matched != 1 || result.Rules[reconcile.ByIdentifier] != 2 || result.MatchedAmount != duty.Amount {
		t.Errorf("%+v", result)
	}
	if got := w.get(o); got.Lines[1].State != order.LineReconciled {
		t.Errorf("the duty is %s", got.Lines[1].State)
	}
}

// A case may be matched with money of two gateways as well.
func TestAcceptedMatchOfTwoGateways(t *testing.T) {
	w := plainWorld(t)
	o := w.presented()
	day := kz.DayOf(w.clock.Now())
	w.toldBy("plain", "A1", o, 1_000_00)
	w.clock.Advance(time.Minute)
	w.toldBy("epay", "B1", o, o.Total-1_000_00)
	wrong := lineFor("R1", o.Lines[0])
	wrong.code = "101111"
	w.importFile(treasuryFile("S1", day, wrong))
	w.reconciled(day, nil)
	if err := w.resolve(w.caseOf(fault.WrongBudgetCode), reconcile.ToMatch, wrong.identifier); err != nil {
		t.Fatal(err)
	}
	w.reconciled(day, map[string]money.Tiyn{"plain": 0, "epay": o.Total - o.Lines[0].Amount})
}

// The money of a fact that fitted no order comes, and what becomes of it is the
// fact's own case.
func TestLineOfASuspendedFact(t *testing.T) {
	w := plainWorld(t)
	day := kz.DayOf(w.clock.Now())
	f := gateway.Fact{Kind: gateway.Captured, Reference: "LOST", Order: uuid.New(), Payer: firm, BankBIC: "HSBKKZKX", Amount: 500_00, PaidAt: w.clock.Now()}
	w.told(f, payments.FactException, fault.UnknownOrder)
	w.importFile(treasuryFile("S1", day, row{reference: "R1", code: "106201", amount: 500_00}))
	w.reconciled(day, map[string]money.Tiyn{"plain": 500_00})
	line := w.caseOf(fault.MissingIdentifier)
	if err := w.resolve(line, reconcile.ToMatch, "fact:plain:NONE"); !fault.Is(err, fault.CaseTargetBad) {
		t.Errorf("no such fact: %v", err)
	}
	if err := w.resolve(line, reconcile.ToMatch, "fact:plain:LOST"); err != nil {
		t.Fatal(err)
	}
	w.importFile(treasuryFile("S2", day, row{reference: "R2", code: "106201", amount: 500_00}))
	w.reconciled(day, map[string]money.Tiyn{"plain": 0})
	if err := w.resolve(w.caseOf(fault.MissingIdentifier), reconcile.ToMatch, "fact:plain:LOST"); !fault.Is(err, fault.CaseTargetBad) {
		t.Errorf("a second line of the same fact: %v", err)
	}
	if got := w.balance(ledger.Suspense(string(fault.UnknownOrder))); got != -500_00 {
		t.Errorf("%s is in suspense", got)
	}
	if err := w.resolve(w.caseOf(fault.UnknownOrder), reconcile.ToAdvance, firm); err != nil {
		t.Fatal(err)
	}
	if got := w.balance(ledger.Advance(firm)); got != -500_00 || w.balance(ledger.Suspense(string(fault.UnknownOrder))) != 0 {
		t.Errorf("the advance is %s", got)
	}
	w.reconciled(day, map[string]money.Tiyn{"plain": 0})
}

// What was paid too much is on the statement with its order's money, and what
// an advance pays is on no statement.
func TestCreditAndAdvanceOnTheStatement(t *testing.T) {
	w := plainWorld(t)
	first := w.presented()
	day := kz.DayOf(w.clock.Now())
	const over = 500_00
	w.toldBy("plain", "A1", first, first.Total+over)
	whole := lineFor("R1", first.Lines[0])
	whole.amount, whole.code = first.Total+over, ""
	w.importFile(treasuryFile("S1", day, whole))
	result := w.reconciled(day, map[string]money.Tiyn{"plain": 0})
	if result.Rules[reconcile.ByOrder] != len(first.Lines)+1 || result.ExceptionCount != 0 {
		t.Errorf("%+v", result)
	}
	if n := w.count("payment_match WHERE position = -1 AND amount = 50000"); n != 1 {
		t.Errorf("%d matches of the credit", n)
	}

	second := w.newOrder()
	if _, err := w.use(second.ID, over); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.PresentAgain(t.Context(), second.ID); err != nil {
		t.Fatal(err)
	}
	w.toldBy("plain", "A2", second, second.Total-over)
	fee := lineFor("R2", second.Lines[0])
	fee.amount -= over
	w.importFile(treasuryFile("S2", day.AddDays(1), fee, lineFor("R3", second.Lines[1]), lineFor("R4", second.Lines[2])))
	result = w.reconciled(day.AddDays(1), map[string]money.Tiyn{"plain": 0})
	if result.Matched != 3 || result.ExceptionCount != 0 || w.balance(ledger.Advance(first.Payer)) != 0 {
		t.Errorf("%+v", result)
	}
}

// someRoom is a room in which every kind of outcome comes.
func someRoom(t *testing.T) *treasuryRoom {
	r := newTreasuryRoom(t, due{payer: firm, code: "106201", purpose: "911", amount: 1000}, due{payer: firm, code: "105102", purpose: "911", amount: 500})
	r.take(r.file(shown{reference: "A", identifier: string(r.dues[0]), code: "106201", amount: 1000},
		shown{reference: "B", identifier: string(r.dues[1]), code: "105102", amount: 499}, shown{reference: "C", code: "101111", amount: 7, day: 1}))
	return r
}

// Runs that come at once go one after the other, and the later ones find
// nothing to do.
func TestReconciliationsAtOnce(t *testing.T) {
	alone, r := someRoom(t), someRoom(t)
	alone.reconcile()
	var ticks atomic.Int64
	at := r.now
	r.Treasury.Now = func() time.Time { return at.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
	const runs = 4
	var group sync.WaitGroup
	for range runs {
		group.Go(func() {
			if _, err := r.ReconcileOpen(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if diff := cmp.Diff(alone.state(), r.state()); diff != "" {
		t.Error(diff)
	}
	r.checkBooks()
	var all, working, entries int
	if err := r.pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM reconcile_run), (SELECT count(*) FROM reconcile_run WHERE made + withdrawn > 0 OR settled <> 0),
		       (SELECT count(*) FROM ledger_entry WHERE kind = 'settlement')`).Scan(&all, &working, &entries); err != nil || all != runs || working != 1 || entries != 1 {
		t.Errorf("%d runs, %d that did something, %d entries, %v", all, working, entries, err)
	}
}

// A run that is cut off in any part of its work leaves nothing, and the next
// one is whole.
func TestReconciliationCutOff(t *testing.T) {
	want, r := someRoom(t), someRoom(t)
	want.reconcile()
	// Who may only insert into the ledger may not lock it against that either.
	if _, err := r.pool.Exec(t.Context(), `GRANT TRUNCATE ON ledger_key, ledger_posting TO CURRENT_USER`); err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context) error { _, err := r.ReconcileOpen(ctx); return err }
	for _, table := range []string{"payment_match", "payment_refund_match", "ledger_key", "ledger_posting", "reconcile_run", "reconcile_case", "reconcile_total"} {
		for _, connection := range []bool{true, false} {
			postgrestest.CutOff(t, r.pool, table, connection, run)
			var left int
			if err := r.pool.QueryRow(t.Context(), `
				SELECT (SELECT count(*) FROM payment_match) + (SELECT count(*) FROM reconcile_run) + (SELECT count(*) FROM reconcile_case)
				     + (SELECT count(*) FROM reconcile_total) + (SELECT count(*) FROM ledger_key WHERE natural_key LIKE 'settlement:%')`).Scan(&left); err != nil || left != 0 {
				t.Errorf("%s: %d rows are left, %v", table, left, err)
			}
		}
	}
	r.reconcile()
	if diff := cmp.Diff(want.state(), r.state()); diff != "" {
		t.Error(diff)
	}
	r.checkBooks()
}

// Money that two persons gave on out of suspense is taken back by its gateway:
// that is an exception of its own, whose money is missing in suspense until two
// persons say whose loss it is. Nothing is taken out of suspense twice,
// whichever comes first, and what moved no money is never given on.
func TestReversedAfterItsReleaseFromSuspense(t *testing.T) {
	w := plainWorld(t)
	day := kz.DayOf(w.clock.Now())
	w.importFile(treasuryFile("S1", day, row{reference: "X", code: "101111", amount: 1}))
	stray := func(reference string) gateway.Fact {
		f := gateway.Fact{Kind: gateway.Captured, Reference: reference, Order: uuid.New(), Payer: firm, BankBIC: "HSBKKZKX", Amount: 500_00, PaidAt: w.clock.Now()}
		w.told(f, payments.FactException, fault.UnknownOrder)
		return f
	}
	balances := func(want map[ledger.Account]money.Tiyn) {
		t.Helper()
		for account, amount := range want {
			if got := w.balance(account); got != amount {
				t.Errorf("%s has %s, want %s", account, got, amount)
			}
		}
		w.verified()
	}
	unknown, released, advance := ledger.Suspense(string(fault.UnknownOrder)), ledger.Suspense(string(fault.SuspenseReleased)), ledger.Advance(firm)

	f := stray("GIVEN-ON")
	w.reconciled(day, nil)
	if err := w.resolve(w.caseOf(fault.UnknownOrder), reconcile.ToAdvance, firm); err != nil {
		t.Fatal(err)
	}
	balances(map[ledger.Account]money.Tiyn{unknown: 0, advance: -f.Amount})
	back := reversed(w, f, "GIVEN-ON-BACK")
	for range 2 {
		w.told(back, payments.FactException, fault.SuspenseReleased)
	}
	balances(map[ledger.Account]money.Tiyn{unknown: 0, released: f.Amount, advance: -f.Amount})
	w.reconciled(day, nil)
	if err := w.resolve(w.caseOf(fault.SuspenseReleased), reconcile.ToAdvance, firm); err != nil {
		t.Fatal(err)
	}
	balances(map[ledger.Account]money.Tiyn{released: 0, advance: 0, ledger.Clearing("plain"): 0})

	// Taken back first, in part, after the case was found: the case is not what it
	// was, and the next run says what is left.
	f = stray("TAKEN-BACK")
	w.reconciled(day, nil)
	found := w.caseOf(fault.UnknownOrder)
	part := reversed(w, f, "TAKEN-BACK-1")
	part.Amount = 200_00
	w.told(part, payments.FactPosted, "")
	if err := w.resolve(found, reconcile.ToAdvance, firm); !fault.Is(err, fault.CaseResolutionBad) {
		t.Errorf("money that is not there any more is given on: %v", err)
	}
	w.reconciled(day, nil)
	if err := w.resolve(found, reconcile.ToRefund, ""); err != nil {
		t.Fatal(err)
	}
	balances(map[ledger.Account]money.Tiyn{unknown: 0, ledger.Suspense(reconcile.PayBack): -300_00, ledger.Clearing("plain"): 300_00})
	rest := reversed(w, f, "TAKEN-BACK-2")
	rest.Amount = 300_00
	w.told(rest, payments.FactException, fault.SuspenseReleased)
	w.reconciled(day, nil)
	if err := w.resolve(w.caseOf(fault.SuspenseReleased), reconcile.ToRefund, ""); err != nil {
		t.Fatal(err)
	}
	balances(map[ledger.Account]money.Tiyn{ledger.Suspense(reconcile.PayBack): 0, released: 0, ledger.Clearing("plain"): 0})

	// All of it was taken back: nothing is left to decide.
	f = stray("GONE")
	w.reconciled(day, nil)
	w.told(reversed(w, f, "GONE-BACK"), payments.FactPosted, "")
	w.reconciled(day, nil)
	open, err := w.service.Treasury().Cases(t.Context(), reconcile.Filter{Reason: fault.UnknownOrder, State: reconcile.CaseOpen})
	if err != nil || len(open) != 0 {
		t.Errorf("%+v, %v", open, err)
	}
	// A reversal whose payment nobody told of has moved nothing.
	w.told(reversed(w, gateway.Fact{Reference: "NEVER", Order: uuid.New(), Payer: firm, BankBIC: "HSBKKZKX", Amount: 7}, "NEVER-BACK"), payments.FactException, fault.OriginalUnknown)
	w.reconciled(day, nil)
	if err := w.resolve(w.caseOf(fault.OriginalUnknown), reconcile.ToAdvance, firm); !fault.Is(err, fault.CaseResolutionBad) {
		t.Errorf("money that never moved is given on: %v", err)
	}
	w.verified()
}

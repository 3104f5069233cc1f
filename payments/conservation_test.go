package payments_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
)

// A database in which everything has happened keeps every law; and each law is
// told of, with its place and both amounts, when somebody changes what stands
// past all guards.
func TestLawsOfConservation(t *testing.T) {
	w, o := worldOfAllKinds(t)
	if v := w.verified(); v.Entries == 0 || len(v.Findings) != 0 {
		t.Fatalf("%+v", v)
	}
	line := "order " + o.ID.String() + " line 0"
	tests := []struct {
		damage string
		place  string
		reason string
		short  money.Tiyn // what stands there less than it should
	}{
		// Money that was told and stands nowhere, or the other way round.
		{`DELETE FROM gateway_fact WHERE reference = 'PAID'`, "payment:plain:PAID", payments.EntryUnfounded, -o.Total},
		{`UPDATE gateway_fact SET amount = amount + 7 WHERE reference = 'PAID'`, "plain:PAID", payments.FactDiffers, 7},
		{`UPDATE gateway_fact SET amount = amount + 7 WHERE reference = 'PAID'`, "clearing:plain", "clearing_differs", 7},
		{`UPDATE gateway_fact SET kind = 'pending' WHERE reference = 'STRAY'`, "suspense:unknown_order", "suspense_differs", 500},
		{`UPDATE gateway_fact SET credited = credited + 7 WHERE reference = 'OVER'`, "plain:OVER", payments.FactUnaccounted, -7},
		{`UPDATE gateway_fact SET state = 'exception', reason = 'duplicate_payment' WHERE reference = 'PAID'`, "suspense:duplicate_payment", "suspense_differs", -o.Total},
		// An order, or a refund, that has more or less than was told.
		{`UPDATE payment_order SET paid[1] = paid[1] - 7 WHERE id = $1`, line, payments.OrderDiffers, 7},
		{`UPDATE payment_order SET paid[1] = paid[1] - 7 WHERE id = $1`, "budget:" + string(o.Lines[0].Requisites.RevenueOffice) + ":" + string(o.Lines[0].BudgetCode), "budget_differs", 7},
		{`UPDATE payment_order SET credited = credited + 7, received = received + 7 WHERE credited > 0`, "advance:" + string(o.Payer), "advance_differs", -7},
		{`UPDATE payment_order SET refunding = refunding - 7 WHERE refunding > 0`, "", payments.RefundDiffers, 7},
		{`UPDATE payment_order SET total = total + 7, tolerated = tolerated + 7 WHERE id = $1`, "order " + o.ID.String(), payments.OrderTotal, 7},
		{`UPDATE payment_refund SET amount = amount - 7 WHERE state = 'approved'`, "refunds:plain", "refunds_differs", 7},
		{`UPDATE payment_refund SET state = 'failed', failure = 'gateway_refused', reference = '' WHERE state = 'executed'`, "", payments.RefundDiffers, -300},
		{`UPDATE payment_advance_use SET amount = amount - 7`, "advance:" + string(o.Payer), "advance_differs", -7},
		{`UPDATE payment_order SET tolerated = 7, total = total + 7 WHERE id = $1; UPDATE payment_line SET amount = amount + 7 WHERE order_id = $1 AND position = 0`, "tolerance:" + string(o.Lines[0].BudgetCode), "tolerance_differs", 7},
		// Statements, and what persons decided.
		{`DELETE FROM payment_match WHERE order_id = $1 AND position = 0`, "treasury", "treasury_differs", -o.Lines[0].Amount},
		{`UPDATE reconcile_case SET amount = amount + 7 WHERE resolution = 'advance'`, "suspense:payer_differs", "suspense_differs", 7},
		{`UPDATE reconcile_case SET resolution = 'foreign', target = '' WHERE resolution = 'refund'`, "suspense:" + reconcile.PayBack, "suspense_differs", 600},
		{`UPDATE ledger_posting SET account = 'payer:1' WHERE (entry_id, position) = (SELECT entry_id, min(position) FROM ledger_posting WHERE account LIKE 'budget:%' GROUP BY 1 LIMIT 1)`, "payer:1", "payer_differs", 0},
	}
	conn, err := pgx.Connect(t.Context(), w.pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, tt := range tests {
		undone := errors.New("undone")
		err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL session_replication_role = replica; GRANT UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO CURRENT_USER`); err != nil {
				return err
			}
			tag, err := tx.Exec(t.Context(), strings.ReplaceAll(tt.damage, "$1", "'"+o.ID.String()+"'"))
			if err != nil || tag.RowsAffected() == 0 {
				return fmt.Errorf("%s, %w", tag, err)
			}
			v := &ledger.Verification{}
			if err := payments.HoldLaws(t.Context(), tx, w.service.Treasury(), v); err != nil {
				return err
			}
			if !slices.ContainsFunc(v.Findings, func(f ledger.Finding) bool {
				return f.Reason == tt.reason && (tt.place == "" || f.Key == tt.place) && (tt.short == 0 || f.Should-f.Has == tt.short)
			}) {
				t.Errorf("%s: %s at %s short of %s is not among", tt.damage, tt.reason, tt.place, tt.short)
				for _, f := range v.Findings {
					t.Logf("    %s at %s: %s, should be %s", f.Reason, f.Key, f.Has, f.Should)
				}
			}
			if !fault.Is(v.Refusal(), fault.LedgerInconsistent) {
				t.Errorf("%s: %v", tt.damage, v.Refusal())
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Errorf("%s: %v", tt.damage, err)
		}
	}
	w.verified()
}

// worldOfAllKinds has a fact, an order, a refund, a match and a decision of
// every kind; it returns an order that was paid once and is on the statement.
func worldOfAllKinds(t *testing.T) (*world, *order.Order) {
	w := newWorld(t)
	w.service = w.newService(plain{}, &refundJobs{jobs: w.jobs})
	paid, over, taken, part, refunding := w.presented(), w.presented(), w.presented(), w.presented(), w.presented()
	w.told(captured(w, paid, "PAID"), payments.FactPosted, "")
	more := captured(w, over, "OVER")
	more.Amount += 5_000
	w.told(more, payments.FactPosted, "")
	f := captured(w, taken, "TAKEN")
	w.told(f, payments.FactPosted, "")
	w.told(reversed(w, f, "TAKEN-BACK"), payments.FactPosted, "")
	w.told(reversed(w, captured(w, taken, "NEVER"), "WAITS"), payments.FactException, fault.OriginalUnknown)
	f = captured(w, part, "PART")
	f.Amount = 1_000
	w.told(f, payments.FactPosted, "")
	if _, err := w.use(part.ID, 400); err != nil {
		t.Fatal(err)
	}
	f = captured(w, part, "STRAY")
	f.Order, f.Amount = uuid.New(), 500
	w.told(f, payments.FactException, fault.UnknownOrder)
	for _, reference := range []string{"FOREIGN", "FOREIGN-2"} {
		f = captured(w, w.presented(), reference)
		f.Payer, f.Amount = serviceBIN, 600
		w.told(f, payments.FactException, fault.PayerDiffers)
	}

	w.told(captured(w, refunding, "REFUND"), payments.FactPosted, "")
	first := w.asked(payments.RefundRequest{Order: refunding.ID, Lines: map[order.Identifier]money.Tiyn{refunding.Lines[0].Identifier: 300}})
	w.approved(first.ID)
	back := w.fact(refunding, "PAID-BACK")
	back.Kind, back.Original, back.Amount = gateway.Refunded, first.ID.String(), 300
	w.told(back, payments.FactPosted, "")
	w.approved(w.asked(payments.RefundRequest{Order: refunding.ID, Lines: map[order.Identifier]money.Tiyn{refunding.Lines[0].Identifier: 200}}).ID)

	day := kz.DayOf(w.clock.Now())
	w.importFile(treasuryFile("S1", day, lineFor("R0", paid.Lines[0]), lineFor("R1", over.Lines[1])))
	if _, err := w.service.Reconcile(w.ctx(), day); err != nil {
		t.Fatal(err)
	}
	cases, err := w.service.Treasury().Cases(w.ctx(), reconcile.Filter{Reason: fault.PayerDiffers})
	if err != nil || len(cases) != 2 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	if err := errors.Join(w.resolve(cases[0].ID, reconcile.ToAdvance, string(paid.Payer)), w.resolve(cases[1].ID, reconcile.ToRefund, "")); err != nil {
		t.Fatal(err)
	}
	return w, w.get(paid)
}

package payments_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// A part is paid, the time is over, the rest is presented again and paid with
// something over, which goes to the payer's advance.
func TestPartPaymentAndTheRest(t *testing.T) {
	w := newWorld(t)
	o := w.paidOrder(100_000_00)
	if o.State != order.PartiallyPaid || o.Paid() != 100_000_00 || o.Lines[0].State != order.LinePaid || o.Lines[1].State != order.LinePartiallyPaid {
		t.Fatalf("%+v", o)
	}
	w.clock.Advance(25 * time.Hour)
	if err := w.service.ExpireOverdue(t.Context()); err != nil || w.get(o).State != order.PartiallyPaid {
		t.Fatalf("%s, %v", w.get(o).State, err)
	}
	if err := w.bank.Do(pshep.Act{Name: pshep.Pay, Order: o.ID}); !fault.Is(err, fault.OrderExpired) {
		t.Errorf("paying an old bill: %v", err)
	}
	if _, err := w.service.Present(t.Context(), o.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("presented as if it were new: %v", err)
	}
	// The answer to the registration is lost: the same bill is registered again.
	if err := w.bank.SetFault(pshep.Fault{Name: pshep.AnswerLost, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.PresentAgain(t.Context(), o.ID); err == nil {
		t.Error("the answer was lost, and nobody knows")
	}
	if _, err := w.service.PresentAgain(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	got := w.get(o)
	if got.Presentations != 2 || !got.ExpiresAt.After(o.ExpiresAt) || got.State != order.PartiallyPaid || got.Registration == o.Registration {
		t.Errorf("%+v", got)
	}
	if err := w.bank.Do(pshep.Act{Name: pshep.Pay, Order: o.ID, Tiyn: o.Owed() + 500_00}); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got = w.get(o); got.State != order.Overpaid || got.Credited != 500_00 || got.Owed() != 0 || got.Lines[2].State != order.LinePaid {
		t.Errorf("%+v", got)
	}
	if advance, err := w.service.AdvanceOf(t.Context(), o.Payer); err != nil || advance != 500_00 {
		t.Errorf("the advance is %s, %v", advance, err)
	}
	if _, err := w.service.PresentAgain(t.Context(), o.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("presented though it is paid: %v", err)
	}
	w.verified()
}

// Many orders are overdue; they expire in sets, each is told of once, and what
// is paid or held stays.
func TestExpireOverdue(t *testing.T) {
	w := newWorld(t)
	draft, presented, paid, held := w.newOrder(), w.presented(), w.paidOrder(0), w.presented()
	if err := w.bank.Do(pshep.Act{Name: pshep.Authorise, Order: held.ID}); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.service.ExpireOverdue(t.Context()); err != nil || w.get(draft).State != order.Draft {
		t.Errorf("too early: %s, %v", w.get(draft).State, err)
	}
	w.clock.Advance(25 * time.Hour)
	young := w.newOrder()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := w.service.ExpireOverdue(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for o, want := range map[*order.Order]order.State{
		draft: order.Expired, presented: order.Expired, paid: order.Paid, held: order.Authorised, young: order.Draft,
	} {
		if got := w.get(o).State; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
	}
	if diff := cmp.Diff([]string{payments.EventCreated, payments.EventPresented, payments.EventExpired}, w.events(presented)); diff != "" {
		t.Error(diff)
	}
	// It lives again, with a bill of its own at the gateway, and is paid.
	if _, err := w.service.PresentAgain(t.Context(), presented.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.pay(presented); err != nil || w.get(presented).State != order.Paid {
		t.Errorf("%s, %v", w.get(presented).State, err)
	}
	// A cancelled order makes room for another of its transaction.
	if err := w.service.Cancel(t.Context(), draft.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.PresentAgain(t.Context(), draft.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("presenting a cancelled order: %v", err)
	}
}

func (w *world) use(id uuid.UUID, amount money.Tiyn) (*order.Order, error) {
	if err := w.service.WithdrawBill(w.ctx(), id); err != nil {
		return nil, err
	}
	var o *order.Order
	return o, postgres.InTx(w.ctx(), w.pool, func(tx pgx.Tx) (err error) {
		o, err = w.service.UseAdvance(w.ctx(), tx, id, amount, "trader")
		return err
	})
}

// What was paid too much pays another order of the same payer, and goes back to
// the advance when that is refunded.
func TestAdvance(t *testing.T) {
	w, jobs := refundWorld(t)
	first := w.presented()
	if err := w.bank.Do(pshep.Act{Name: pshep.Pay, Order: first.ID, Tiyn: 2*first.Total + 7}); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	advance := func() money.Tiyn {
		t.Helper()
		a, err := w.service.AdvanceOf(t.Context(), first.Payer)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if advance() != first.Total+7 {
		t.Fatalf("the advance is %s", advance())
	}
	second := w.presented()
	if _, err := w.use(second.ID, second.Total+1); !fault.Is(err, fault.AmountInvalid) {
		t.Errorf("more than is owed: %v", err)
	}
	if o, err := w.use(second.ID, 5_00); err != nil || o.State != order.PartiallyPaid {
		t.Fatalf("%+v, %v", o, err)
	}
	if err := w.bank.Pay(second.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("the bill can be paid too: %v", err)
	}
	// The rest is presented, and the bank asks for no more than that.
	fourth := w.newOrder()
	if o, err := w.use(fourth.ID, 20_000_00); err != nil || o.Lines[0].State != order.LinePaid {
		t.Fatalf("%+v, %v", o, err)
	}
	if _, err := w.service.PresentAgain(t.Context(), fourth.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.pay(fourth); err != nil || w.get(fourth).State != order.Paid {
		t.Errorf("%s, %v", w.get(fourth).State, err)
	}
	if err := w.service.Cancel(t.Context(), fourth.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("cancelled though it is paid: %v", err)
	}
	back := w.asked(payments.RefundRequest{Order: fourth.ID, Lines: map[order.Identifier]money.Tiyn{fourth.Lines[0].Identifier: 20_000_00}, Gateway: order.AdvanceGateway, Payment: w.advanceUse(fourth.ID)})
	w.approved(back.ID)
	// Many at once use it; together they pay what is owed and no more.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := w.use(second.ID, 0)
			if err != nil && !slices.Contains([]fault.Code{fault.OrderState, fault.LedgerFundsShort}, fault.CodeOf(err)) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := w.get(second); got.State != order.Paid || advance() != 7 || w.balance(ledger.Advance(first.Payer)) != -7 {
		t.Errorf("%s, the advance is %s", got.State, advance())
	}
	third := w.newOrder()
	if o, err := w.use(third.ID, 0); err != nil || o.Paid() != 7 || o.State != order.PartiallyPaid {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := w.use(third.ID, 0); !fault.Is(err, fault.LedgerFundsShort) {
		t.Errorf("of an empty advance: %v", err)
	}
	// The part of the first order that is on the advance is spent: it cannot go
	// back to the payer too.
	if _, err := w.ask(payments.RefundRequest{Order: first.ID, Credit: 1}); !fault.Is(err, fault.LedgerFundsShort) {
		t.Errorf("a refund of what is spent: %v", err)
	}
	// What the advance paid goes back to the advance, and no gateway is asked.
	r := w.asked(payments.RefundRequest{Order: third.ID, Lines: all(w.get(third))})
	w.approved(r.ID)
	if len(jobs.refunds) != 0 || w.refund(r.ID).State != order.RefundExecuted || w.get(third).State != order.Refunded || advance() != 7 {
		t.Errorf("%+v, the advance is %s", w.refund(r.ID), advance())
	}
	// And from the advance to the payer.
	credit := w.asked(payments.RefundRequest{Order: first.ID, Credit: 7})
	if advance() != 0 {
		t.Errorf("asked for, and %s can be spent", advance())
	}
	w.approved(credit.ID)
	w.works(jobs, 1)
	if got := w.get(first); w.refund(credit.ID).State != order.RefundExecuted || got.State != order.Overpaid || got.RefundedCredit != 7 {
		t.Errorf("%+v", got)
	}
	w.verified()
}

// advanceUse is the identifier of the use of the advance for an order.
func (w *world) advanceUse(id uuid.UUID) (use string) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.ctx(), "SELECT id::text FROM payment_advance_use WHERE order_id = $1", id).Scan(&use); err != nil {
		w.t.Fatal(err)
	}
	return use
}

// slow is a gateway at which something happens while it is asked to register.
type slow struct {
	gateway.Port
	meanwhile func()
}

func (s slow) Register(ctx context.Context, b gateway.Bill) (*gateway.Registration, error) {
	r, err := s.Port.Register(ctx, b)
	s.meanwhile()
	return r, err
}

// An order that is cancelled while the gateway is asked to register it: nobody
// is sent to pay it, and nobody can.
func TestCancelledWhileItIsPresented(t *testing.T) {
	w := newWorld(t)
	o := w.newOrder()
	other := w.service
	w.service = w.newService(slow{w.port, func() {
		if err := other.Cancel(t.Context(), o.ID); err != nil {
			t.Error(err)
		}
	}}, w.jobs)
	if url, err := w.service.Present(t.Context(), o.ID); !fault.Is(err, fault.OrderState) || url != "" {
		t.Errorf("%q, %v", url, err)
	}
	if err := w.bank.Pay(o.ID); !fault.Is(err, fault.OrderState) {
		t.Errorf("the bill can be paid: %v", err)
	}
}

// A credit that is asked back and rejected can be spent again.
func TestRejectedCreditIsFree(t *testing.T) {
	w, _ := refundWorld(t)
	o := w.presented()
	if err := w.bank.Do(pshep.Act{Name: pshep.Pay, Order: o.ID, Tiyn: o.Total + 9}); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := w.asked(payments.RefundRequest{Order: o.ID, Credit: 9})
	other := w.newOrder()
	if _, err := w.use(other.ID, 9); !fault.Is(err, fault.LedgerFundsShort) {
		t.Errorf("spent while it is asked back: %v", err)
	}
	err := postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
		_, err := w.service.RejectRefund(t.Context(), tx, payments.Decision{Refund: r.ID, By: controller, Note: "the payer changed its mind"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.use(other.ID, 9); err != nil {
		t.Error(err)
	}
	w.verified()
}

func TestListOrdersAndRefunds(t *testing.T) {
	w, _ := refundWorld(t)
	var made []uuid.UUID
	for range 5 {
		made = append(made, w.newOrder().ID)
	}
	slices.Reverse(made)
	var got []uuid.UUID
	for f := (order.Filter{Limit: 2}); ; {
		page, next, err := w.service.Orders(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			got = append(got, o.ID)
			if len(o.Lines) == 0 {
				t.Error("an order without lines")
			}
		}
		if f.After = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(made, got); diff != "" {
		t.Error(diff)
	}
	paid := w.paidOrder(0)
	r := w.asked(payments.RefundRequest{Order: paid.ID, Lines: all(paid)})
	for name, tt := range map[string]struct {
		f               order.Filter
		orders, refunds int
	}{
		"all":                {order.Filter{}, 6, 1},
		"of a transaction":   {order.Filter{Transaction: paid.Transaction}, 1, 1},
		"of no transaction":  {order.Filter{Transaction: uuid.New()}, 0, 0},
		"of a payer":         {order.Filter{Payer: paid.Payer}, 6, 1},
		"of a party":         {order.Filter{Party: paid.Declarant}, 6, 1},
		"of another party":   {order.Filter{Party: serviceBIN}, 0, 0},
		"of refunds' orders": {order.Filter{Order: paid.ID}, 6, 1},
	} {
		tt.f.Limit = order.PageMax
		orders, _, err := w.service.Orders(t.Context(), tt.f)
		refunds, _, err2 := w.service.Refunds(t.Context(), tt.f)
		if err != nil || err2 != nil || len(orders) != tt.orders || len(refunds) != tt.refunds {
			t.Errorf("%s: %d orders, %d refunds, %v, %v", name, len(orders), len(refunds), err, err2)
		}
	}
	if orders, _, err := w.service.Orders(t.Context(), order.Filter{State: "paid", Limit: 10}); err != nil || len(orders) != 1 || orders[0].ID != paid.ID {
		t.Errorf("%d orders, %v", len(orders), err)
	}
	if refunds, _, err := w.service.Refunds(t.Context(), order.Filter{State: "asked", Limit: 10}); err != nil || len(refunds) != 1 || refunds[0].ID != r.ID {
		t.Errorf("%d refunds, %v", len(refunds), err)
	}
	for name, f := range map[string]order.Filter{
		"no limit": {}, "too many": {Limit: order.PageMax + 1}, "a state": {Limit: 1, State: "reconciled"}, "a cursor": {Limit: 1, After: "x"},
	} {
		_, _, err := w.service.Orders(t.Context(), f)
		_, _, err2 := w.service.Refunds(t.Context(), f)
		if !fault.Is(err, fault.BadArgument) || !fault.Is(err2, fault.BadArgument) {
			t.Errorf("%s: %v, %v", name, err, err2)
		}
	}
}

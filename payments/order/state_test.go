package order_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// Every state with every act: what the table does not list is refused.
func TestMachine(t *testing.T) {
	allowed := map[order.State]string{
		order.Draft:         "present:presented start:pending authorise:authorised capture:captured expire:expired cancel:cancelled part:partially_paid pay:paid overpay:overpaid ",
		order.Presented:     "present:presented start:pending authorise:authorised capture:captured fail:presented expire:expired cancel:cancelled part:partially_paid pay:paid overpay:overpaid ",
		order.Pending:       "start:pending authorise:authorised capture:captured fail:presented expire:expired cancel:cancelled part:partially_paid pay:paid overpay:overpaid ",
		order.Authorised:    "authorise:authorised capture:captured fail:presented part:partially_paid pay:paid overpay:overpaid ",
		order.Captured:      "capture:captured fail:presented part:partially_paid pay:paid overpay:overpaid ",
		order.PartiallyPaid: "present:partially_paid start:partially_paid authorise:partially_paid capture:partially_paid fail:partially_paid part:partially_paid pay:paid overpay:overpaid empty:presented refund:refunding ",
		order.Paid:          "part:partially_paid empty:presented refund:refunding ",
		order.Overpaid:      "part:partially_paid pay:paid overpay:overpaid empty:presented refund:refunding ",
		order.Expired:       "present:presented authorise:authorised capture:captured cancel:cancelled part:partially_paid pay:paid overpay:overpaid ",
		order.Cancelled:     "",
		order.Refunding:     "part:partially_paid pay:paid overpay:overpaid refund:refunding return:refunded ",
		order.Refunded:      "",
		"reconciled":        "",
	}
	if len(allowed) != len(order.States())+1 {
		t.Fatalf("%d rows for %d states", len(allowed)-1, len(order.States()))
	}
	for s, want := range allowed {
		var got string
		for _, a := range append(order.Acts(), "wish") {
			next, err := s.After(a)
			if err == nil {
				got += string(a) + ":" + string(next) + " "
			} else if !fault.Is(err, fault.OrderState) {
				t.Errorf("%s by %s: %v", s, a, err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", s, diff)
		}
	}
}

// bill makes an order of these amounts, outside any database.
func bill(state order.State, amounts ...money.Tiyn) *order.Order {
	o := &order.Order{ID: postgres.NewID(at), State: state}
	for _, a := range amounts {
		o.Lines = append(o.Lines, order.Line{Amount: a})
		o.Total += a
	}
	return o
}

func TestReceive(t *testing.T) {
	tolerance := money.Tolerance{Absolute: 5}
	tests := []struct {
		name   string
		state  order.State
		paid   []money.Tiyn // before
		amount money.Tiyn
		want   order.Reception
		code   fault.Code
	}{
		{"exact", order.Presented, nil, 600,
			order.Reception{Act: order.Pay, State: order.Paid, Lines: []money.Tiyn{100, 200, 300}}, ""},
		{"part fills lines by position", order.Presented, nil, 250,
			order.Reception{Act: order.Part, State: order.PartiallyPaid, Lines: []money.Tiyn{100, 150, 0}}, ""},
		{"the rest", order.PartiallyPaid, []money.Tiyn{100, 150, 0}, 350,
			order.Reception{Act: order.Pay, State: order.Paid, Lines: []money.Tiyn{0, 50, 300}}, ""},
		{"over", order.Authorised, nil, 650,
			order.Reception{Act: order.Overpay, State: order.Overpaid, Lines: []money.Tiyn{100, 200, 300}, Credited: 50}, ""},
		{"the rest and more", order.PartiallyPaid, []money.Tiyn{100, 200, 299}, 2,
			order.Reception{Act: order.Overpay, State: order.Overpaid, Lines: []money.Tiyn{0, 0, 1}, Credited: 1}, ""},
		{"short within the tolerance", order.Pending, nil, 595,
			order.Reception{Act: order.Pay, State: order.Paid, Lines: []money.Tiyn{100, 200, 295}, Tolerated: 5}, ""},
		{"short beyond it", order.Captured, nil, 594,
			order.Reception{Act: order.Part, State: order.PartiallyPaid, Lines: []money.Tiyn{100, 200, 294}}, ""},
		{"told before it was presented", order.Draft, nil, 600,
			order.Reception{Act: order.Pay, State: order.Paid, Lines: []money.Tiyn{100, 200, 300}}, ""},
		{"told after it expired", order.Expired, nil, 600,
			order.Reception{Act: order.Pay, State: order.Paid, Lines: []money.Tiyn{100, 200, 300}}, ""},
		{"nothing", order.Presented, nil, 0, order.Reception{}, fault.AmountInvalid},
		{"negative", order.Presented, nil, -1, order.Reception{}, fault.AmountInvalid},
		{"too much to count", order.PartiallyPaid, []money.Tiyn{1, 0, 0}, math.MaxInt64, order.Reception{}, fault.AmountOverflow},
		{"paid", order.Paid, []money.Tiyn{100, 200, 300}, 600, order.Reception{}, fault.OrderState},
		{"overpaid", order.Overpaid, []money.Tiyn{100, 200, 300}, 600, order.Reception{}, fault.OrderState},
		{"cancelled", order.Cancelled, nil, 600, order.Reception{}, fault.OrderState},
		{"refunding", order.Refunding, []money.Tiyn{100, 200, 300}, 600, order.Reception{}, fault.OrderState},
		{"refunded", order.Refunded, []money.Tiyn{100, 200, 300}, 600, order.Reception{}, fault.OrderState},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := bill(tt.state, 100, 200, 300)
			for i, paid := range tt.paid {
				o.Lines[i].Paid = paid
			}
			got, err := o.Receive(tt.amount, tolerance)
			if fault.CodeOf(err) != tt.code {
				t.Fatalf("%v, want %q", err, tt.code)
			}
			if err != nil {
				if o.State != tt.state || o.Received() != sum(tt.paid) {
					t.Errorf("refused, and the order is %s with %s", o.State, o.Received())
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func sum(amounts []money.Tiyn) (total money.Tiyn) {
	for _, a := range amounts {
		total += a
	}
	return total
}

func TestReverse(t *testing.T) {
	paid := func(amounts ...money.Tiyn) *order.Order {
		o := bill(order.Presented, 100, 200)
		for _, a := range amounts {
			if _, err := o.Receive(a, money.Tolerance{Absolute: 5}); err != nil {
				t.Fatal(err)
			}
		}
		return o
	}
	tests := []struct {
		name   string
		o      *order.Order
		lines  []money.Tiyn
		credit money.Tiyn
		want   order.State
		code   fault.Code
	}{
		{"all", paid(300), []money.Tiyn{100, 200}, 0, order.Presented, ""},
		{"one of two payments", paid(150, 150), []money.Tiyn{100, 50}, 0, order.PartiallyPaid, ""},
		{"all of an overpaid order", paid(350), []money.Tiyn{100, 200}, 50, order.Presented, ""},
		{"only what was too much", paid(350), []money.Tiyn{0, 0}, 50, order.Paid, ""},
		{"some of what was too much", paid(350), []money.Tiyn{0, 0}, 20, order.Overpaid, ""},
		{"what let something go", paid(296), []money.Tiyn{100, 196}, 0, order.Presented, ""},
		{"more than a line has", paid(150), []money.Tiyn{100, 51}, 0, order.PartiallyPaid, fault.OrderState},
		{"more credit than there is", paid(350), []money.Tiyn{0, 0}, 51, order.Overpaid, fault.OrderState},
		{"nothing", paid(150), []money.Tiyn{0, 0}, 0, order.PartiallyPaid, fault.AmountInvalid},
		{"too few lines", paid(150), []money.Tiyn{100}, 0, order.PartiallyPaid, fault.BadArgument},
		{"a negative line", paid(150), []money.Tiyn{100, -1}, 0, order.PartiallyPaid, fault.BadArgument},
		{"an order without money", paid(), []money.Tiyn{1, 0}, 0, order.Presented, fault.OrderState},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.o.Received()
			r, err := tt.o.Reverse(tt.lines, tt.credit)
			if fault.CodeOf(err) != tt.code || tt.o.State != tt.want {
				t.Fatalf("%s, %v; want %s, %q", tt.o.State, err, tt.want, tt.code)
			}
			if err == nil && tt.o.Received()-before != sum(r.Lines)+r.Credited {
				t.Errorf("%+v took %s", r, before-tt.o.Received())
			}
		})
	}
}

func TestRefundOfAnOrder(t *testing.T) {
	o := bill(order.Presented, 100, 200)
	if err := o.OrderRefund(1); !fault.Is(err, fault.RefundExceeds) {
		t.Errorf("of nothing: %v", err)
	}
	if _, err := o.Receive(350, money.Tolerance{}); err != nil {
		t.Fatal(err)
	}
	step := func(name string, err error, code fault.Code, want order.State) {
		t.Helper()
		if fault.CodeOf(err) != code || o.State != want {
			t.Fatalf("%s: %s, %v; want %s, %q", name, o.State, err, want, code)
		}
	}
	step("too much", o.OrderRefund(351), fault.RefundExceeds, order.Overpaid)
	step("the credit", o.OrderRefund(50), "", order.Refunding)
	step("and a line", o.OrderRefund(100), "", order.Refunding)
	step("and more than is left", o.OrderRefund(201), fault.RefundExceeds, order.Refunding)
	step("executed without an order", o.Return([]money.Tiyn{100, 100}, 0), fault.OrderState, order.Refunding)
	step("the credit is back", o.Return([]money.Tiyn{0, 0}, 50), "", order.Refunding)
	step("the credit again", o.Return([]money.Tiyn{0, 0}, 1), fault.RefundExceeds, order.Refunding)
	step("the line was refused", o.DropRefund(100), "", order.Paid)
	step("refused again", o.DropRefund(100), fault.OrderState, order.Paid)
	step("the line once more", o.OrderRefund(100), "", order.Refunding)
	step("executed", o.Return([]money.Tiyn{100, 0}, 0), "", order.Paid)
	if o.Lines[0].State != order.LineRefunded || o.Lines[1].State != order.LinePaid {
		t.Errorf("%+v", o.Lines)
	}
	step("the rest", o.OrderRefund(200), "", order.Refunding)
	step("executed", o.Return([]money.Tiyn{0, 200}, 0), "", order.Refunded)
	step("more", o.OrderRefund(1), fault.RefundExceeds, order.Refunded)
}

// life is one order with what the world outside knows of it.
type life struct {
	o                  *order.Order
	payments           []order.Reception // not taken back
	refunds            []refund          // under way
	received, returned money.Tiyn
}

type refund struct {
	lines  []money.Tiyn
	credit money.Tiyn
}

// act does something at random and says whether the order took it.
func (l *life) act(t *rapid.T) {
	o, before := l.o, l.o.State
	var err error
	switch rapid.SampledFrom([]string{"receive", "receive", "reverse", "order refund", "return", "drop", "move"}).Draw(t, "do") {
	case "receive":
		amount := money.Tiyn(rapid.Int64Range(1, 400).Draw(t, "amount"))
		var r order.Reception
		if r, err = o.Receive(amount, money.Tolerance{Absolute: money.Tiyn(rapid.IntRange(0, 3).Draw(t, "tolerance"))}); err == nil {
			l.payments, l.received = append(l.payments, r), l.received+amount
			if sum(r.Lines)+r.Credited != amount {
				t.Fatalf("%+v is not %s", r, amount)
			}
		}
	case "reverse":
		if len(l.payments) == 0 {
			return
		}
		i := rapid.IntRange(0, len(l.payments)-1).Draw(t, "payment")
		p := l.payments[i]
		if _, err = o.Reverse(p.Lines, p.Credited); err == nil {
			l.payments = append(l.payments[:i:i], l.payments[i+1:]...)
			l.received -= sum(p.Lines) + p.Credited
		}
	case "order refund":
		r := refund{lines: make([]money.Tiyn, len(o.Lines)), credit: money.Tiyn(rapid.Int64Range(0, int64(o.Credited)).Draw(t, "credit"))}
		for i, line := range o.Lines {
			r.lines[i] = money.Tiyn(rapid.Int64Range(0, int64(line.Paid)).Draw(t, "line"))
		}
		if err = o.OrderRefund(sum(r.lines) + r.credit); err == nil {
			l.refunds = append(l.refunds, r)
		}
	case "return", "drop":
		if len(l.refunds) == 0 {
			return
		}
		r := l.refunds[0]
		if rapid.Bool().Draw(t, "executed") {
			if err = o.Return(r.lines, r.credit); err == nil {
				l.returned += sum(r.lines) + r.credit
			}
		} else {
			err = o.DropRefund(sum(r.lines) + r.credit)
		}
		if err == nil {
			l.refunds = l.refunds[1:]
		}
	case "move":
		err = o.Apply(rapid.SampledFrom(order.Acts()).Draw(t, "act"))
	}
	if err != nil && o.State != before {
		t.Fatalf("refused (%v), and the order went from %s to %s", err, before, o.State)
	}
}

// check holds what is true of an order at any moment.
func (l *life) check(t *rapid.T) {
	o := l.o
	var ordered money.Tiyn
	for _, r := range l.refunds {
		ordered += sum(r.lines) + r.credit
	}
	if o.Paid()+o.Credited != l.received || o.Returned() != l.returned || o.Refunding != ordered {
		t.Fatalf("received %s and returned %s of %s and %s, refunding %s of %s", o.Received(), o.Returned(), l.received, l.returned, o.Refunding, ordered)
	}
	if o.Paid()+o.Owed()+o.Tolerated != o.Total || o.Owed() < 0 || o.Tolerated < 0 || o.Credited < o.RefundedCredit || o.RefundedCredit < 0 {
		t.Fatalf("%+v", o)
	}
	for _, line := range o.Lines {
		if line.Paid < 0 || line.Paid > line.Amount || line.Refunded < 0 || line.Refunded > line.Paid {
			t.Fatalf("%+v", line)
		}
	}
	known := false
	for _, s := range order.States() {
		known = known || s == o.State
	}
	money := map[order.State]bool{order.PartiallyPaid: true, order.Paid: true, order.Overpaid: true, order.Refunding: true, order.Refunded: true}
	if !known || money[o.State] != (l.received > 0) || (o.State == order.Refunding) != (ordered > 0) {
		t.Fatalf("%s with %s", o.State, l.received)
	}
	if (o.State == order.Paid || o.State == order.Overpaid) && o.Owed() != 0 {
		t.Fatalf("%s, and %s is owed", o.State, o.Owed())
	}
}

func TestAnySequenceKeepsTheAmounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := life{o: bill(rapid.SampledFrom([]order.State{order.Draft, order.Presented}).Draw(t, "state"), 100, 1, 250)}
		for range rapid.IntRange(1, 30).Draw(t, "acts") {
			l.act(t)
			l.check(t)
		}
	})
}

// The same lives, stored after every act: the database's own checks refuse
// nothing that the machine allows, and what is read back is what was stored.
func TestAnySequenceIsStored(t *testing.T) {
	pool := postgrestest.Pool(t)
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			r := request(t)
			made, err := order.Create(ctx, tx, book(t), r)
			if err != nil {
				return err
			}
			l := life{o: made}
			for range rapid.IntRange(1, 12).Draw(rt, "acts") {
				l.act(rt)
				if err := order.SaveAll(ctx, tx, []*order.Order{l.o}); err != nil {
					return err
				}
			}
			read, err := order.Get(ctx, tx, made.ID)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(l.o, read); diff != "" {
				rt.Error(diff)
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func TestLockAllAndSaveAll(t *testing.T) {
	pool := postgrestest.Pool(t)
	ctx := t.Context()
	var ids []uuid.UUID
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		for i := range 3 {
			r := request(t)
			r.At = at.Add(-time.Duration(i) * time.Hour)
			o, err := order.Create(ctx, tx, book(t), r)
			if err != nil {
				return err
			}
			ids = append(ids, o.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stranger := uuid.New()
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		locked, err := order.LockAll(ctx, tx, append(ids, stranger, ids[0]))
		if err != nil {
			return err
		}
		if len(locked) != 3 || locked[stranger] != nil {
			t.Errorf("%d orders", len(locked))
		}
		var all []*order.Order
		for i, id := range ids {
			o := locked[id]
			if _, err := o.Receive(o.Total+money.Tiyn(i-1)*100, money.Tolerance{}); err != nil {
				return err
			}
			all = append(all, o)
		}
		return order.SaveAll(ctx, tx, all)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []order.State{order.PartiallyPaid, order.Paid, order.Overpaid} {
		o, err := order.Get(ctx, pool, ids[i])
		if err != nil || o.State != want || o.Received() != o.Total+money.Tiyn(i-1)*100 {
			t.Errorf("%+v, %v", o, err)
		}
	}
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		none, err := order.LockAll(ctx, tx, nil)
		if len(none) != 0 {
			t.Errorf("%d orders of none", len(none))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	ghost := bill(order.Draft, 1)
	ghost.CreatedAt, ghost.ExpiresAt = at, at.Add(time.Hour)
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error { return order.SaveAll(ctx, tx, []*order.Order{ghost}) })
	if !fault.Is(err, fault.OrderNotFound) {
		t.Errorf("an order that is not there: %v", err)
	}
}

// The database itself refuses an order whose amounts and state disagree.
func TestTheDatabaseRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	ctx := t.Context()
	var made *order.Order
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) (err error) {
		made, err = order.Create(ctx, tx, book(t), request(t))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for set, constraint := range map[string]string{
		"state = 'reconciled'":                    "payment_order_states",
		"state = 'paid'":                          "",
		"received = 1":                            "payment_order_money",
		"paid = '{-1,0,0}'":                       "payment_order_amounts",
		"state = 'partially_paid', received = -1": "",
		"state = 'partially_paid', received = 5, returned = 6":           "payment_order_returned",
		"state = 'partially_paid', received = 5, refunding = 5":          "payment_order_refunding",
		"state = 'refunding', received = 5, refunding = 3, returned = 3": "payment_order_returned",
		"state = 'overpaid', received = total, credited = 0":             "payment_order_overpaid",
		"state = 'paid', received = total - 1":                           "payment_order_settled",
		"state = 'paid', received = total + 1":                           "",
	} {
		_, err := pool.Exec(ctx, "UPDATE payment_order SET "+set+" WHERE id = $1", made.ID)
		if !postgres.CheckViolation(err, constraint) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// A cancelled order makes room for another of its transaction.
func TestAnotherOrder(t *testing.T) {
	pool := postgrestest.Pool(t)
	ctx := t.Context()
	r := request(t)
	create := func() (o *order.Order, err error) {
		err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			o, err = order.Create(ctx, tx, book(t), r)
			return err
		})
		return o, err
	}
	first, err := create()
	if err != nil {
		t.Fatal(err)
	}
	move := func(id uuid.UUID, act order.Act) error {
		return postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			o, err := order.Lock(ctx, tx, id)
			if err != nil {
				return err
			}
			return o.Move(ctx, tx, act)
		})
	}
	if err := move(first.ID, order.Pay); !fault.Is(err, fault.BadArgument) {
		t.Errorf("paid without an amount: %v", err)
	}
	if err := move(first.ID, order.Cancel); err != nil {
		t.Fatal(err)
	}
	second, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create(); !fault.Is(err, fault.OrderExists) {
		t.Errorf("a third: %v", err)
	}
	all, err := order.Of(ctx, pool, r.Transaction)
	if err != nil || len(all) != 2 || all[0].ID != first.ID || all[1].ID != second.ID {
		t.Errorf("%d orders, %v", len(all), err)
	}
	if first.Lines[0].Identifier == second.Lines[0].Identifier {
		t.Error("two lines of one identifier")
	}
}

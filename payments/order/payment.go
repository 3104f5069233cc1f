package order

import (
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
)

// Paid is what was received on the lines.
func (o *Order) Paid() money.Tiyn {
	var paid money.Tiyn
	for _, l := range o.Lines {
		paid += l.Paid // at most Total
	}
	return paid
}

// Received is all that was received: on the lines, and beyond the debt.
func (o *Order) Received() money.Tiyn { return o.Paid() + o.Credited } // Receive has checked the sum

// Returned is all that was paid back.
func (o *Order) Returned() money.Tiyn {
	returned := o.RefundedCredit
	for _, l := range o.Lines {
		returned += l.Refunded // at most Received
	}
	return returned
}

// Owed is what is still to be paid.
func (o *Order) Owed() money.Tiyn { return o.Total - o.Paid() - o.Tolerated }

// Reception says what a payment, or the taking back of one, did to an order:
// how much it put on each line, let go and credited. Of a reversal none is
// positive. The lines and the credit always add up to the amount.
type Reception struct {
	Act       Act
	State     State        // that the order is in now
	Lines     []money.Tiyn // by position
	Tolerated money.Tiyn
	Credited  money.Tiyn
}

// Receive puts captured money on the order. The lines are filled by their
// position, each before the next; what is missing within the tolerance is let
// go, what is left over is credited to the payer's advance. An order that
// takes no money is fault.OrderState and stays as it is.
func (o *Order) Receive(amount money.Tiyn, t money.Tolerance) (Reception, error) {
	if amount <= 0 {
		return Reception{}, fault.New(fault.AmountInvalid, "/amount", "a payment of %s", amount)
	}
	if !o.State.Takes() {
		return Reception{}, fault.New(fault.OrderState, "", "an order that is %s takes no payment", o.State)
	}
	if _, err := o.Received().Add(amount); err != nil {
		return Reception{}, err
	}
	paid, err := o.Paid().Add(amount)
	if err != nil {
		return Reception{}, err
	}
	settlement, err := t.Settle(o.Total, paid)
	if err != nil {
		return Reception{}, err
	}
	r := Reception{Lines: make([]money.Tiyn, len(o.Lines)), Credited: settlement.Credit}
	if settlement.Outcome == money.WithinTolerance {
		r.Tolerated = settlement.Missing
	}
	rest := amount - settlement.Credit
	for i, l := range o.Lines {
		r.Lines[i] = min(rest, l.Amount-l.Paid)
		rest -= r.Lines[i]
	}
	return r, o.take(&r)
}

// Reverse takes a captured payment back: what it had put on each line, by
// position, and what it had credited. What had been let go with it is owed
// again. Money that was refunded, or is about to be, cannot be taken back a
// second time: that is fault.OrderState, and the order stays as it is.
func (o *Order) Reverse(lines []money.Tiyn, credited money.Tiyn) (Reception, error) {
	r := Reception{Lines: make([]money.Tiyn, len(o.Lines)), Credited: -credited, Tolerated: -o.Tolerated}
	if !holds[o.State] {
		return Reception{}, fault.New(fault.OrderState, "", "of an order that is %s no payment is taken back", o.State)
	}
	if len(lines) != len(o.Lines) || credited < 0 {
		return Reception{}, fault.New(fault.BadArgument, "/lines", "%d lines of %d, or a negative credit", len(lines), len(o.Lines))
	}
	if credited > o.Credited-o.RefundedCredit {
		return Reception{}, fault.New(fault.OrderState, "", "more credit than the order has left")
	}
	whole := credited
	for i, amount := range lines {
		if amount < 0 {
			return Reception{}, fault.New(fault.BadArgument, "/lines", "line %d is negative", i)
		}
		if amount > o.Lines[i].Paid-o.Lines[i].Refunded {
			return Reception{}, fault.New(fault.OrderState, "", "line %d has less left than is taken back", i)
		}
		r.Lines[i] = -amount
		whole += amount
	}
	if whole == 0 {
		return Reception{}, fault.New(fault.AmountInvalid, "/amount", "nothing is taken back")
	}
	return r, o.take(&r)
}

// take changes the amounts as r says and moves the order where they lead. If
// the machine refuses, nothing has changed.
func (o *Order) take(r *Reception) error {
	before := *o
	o.Credited += r.Credited
	o.Tolerated += r.Tolerated
	for i := range o.Lines {
		o.Lines[i].Paid += r.Lines[i]
	}
	r.Act = o.standing()
	next, err := o.State.After(r.Act)
	if err != nil {
		for i := range o.Lines {
			o.Lines[i].Paid -= r.Lines[i]
		}
		o.Credited, o.Tolerated = before.Credited, before.Tolerated
		return err
	}
	o.State, r.State = next, next
	o.derive()
	return nil
}

// standing names how the order stands by its amounts.
func (o *Order) standing() Act {
	paid := o.Paid()
	returned := o.Returned() - o.RefundedCredit // of the lines
	switch {
	case o.Refunding > 0:
		return Repay
	case returned > 0 && returned == paid:
		return Return
	case paid+o.Tolerated == o.Total && o.Credited > o.RefundedCredit:
		return Overpay
	case paid+o.Tolerated == o.Total:
		return Pay
	case paid+o.Credited > 0:
		return Part
	}
	return Empty
}

// OrderRefund orders a refund: so much is to be paid back, and is not yet. No more than
// what was received and not paid back.
func (o *Order) OrderRefund(amount money.Tiyn) error {
	if amount <= 0 || amount > o.Received()-o.Returned()-o.Refunding {
		return fault.New(fault.RefundExceeds, "/amount", "a refund of %s of the %s that are left", amount, o.Received()-o.Returned()-o.Refunding)
	}
	next, err := o.State.After(Repay)
	if err != nil {
		return err
	}
	o.Refunding += amount
	o.State = next
	return nil
}

// DropRefund takes back the order of a refund that came to nothing.
func (o *Order) DropRefund(amount money.Tiyn) error {
	if o.State != Refunding || amount <= 0 || amount > o.Refunding {
		return fault.New(fault.OrderState, "", "no refund of %s is under way", amount)
	}
	return o.end(amount, nil, 0)
}

// Return records that an ordered refund was executed: so much of each line, by
// position, and of the credit. The order is refunded if nothing is left on its
// lines, and else stands as it did before.
func (o *Order) Return(lines []money.Tiyn, credit money.Tiyn) error {
	if len(lines) != len(o.Lines) || credit < 0 || credit > o.Credited-o.RefundedCredit {
		return fault.New(fault.RefundExceeds, "/lines", "%d lines of %d, or more credit than is left", len(lines), len(o.Lines))
	}
	amount := credit
	for i, l := range o.Lines {
		if lines[i] < 0 || lines[i] > l.Paid-l.Refunded {
			return fault.New(fault.RefundExceeds, "/lines", "line %d has less left than is paid back", i)
		}
		amount += lines[i]
	}
	if o.State != Refunding || amount <= 0 || amount > o.Refunding {
		return fault.New(fault.OrderState, "", "no refund of %s is under way", amount)
	}
	return o.end(amount, lines, credit)
}

// end takes one refund from those under way, with what of it was executed.
func (o *Order) end(amount money.Tiyn, lines []money.Tiyn, credit money.Tiyn) error {
	o.Refunding -= amount
	o.RefundedCredit += credit
	for i, refunded := range lines {
		o.Lines[i].Refunded += refunded
	}
	next, err := o.State.After(o.standing())
	if err != nil {
		// From refunding the machine leads on to whatever an order with money
		// stands at, so this is a fault of the table.
		return fault.Wrap(err, fault.Internal, "", "end a refund")
	}
	o.State = next
	o.derive()
	return nil
}

// Apply moves the order by an act that changes no amount.
func (o *Order) Apply(act Act) error {
	switch act {
	case Part, Pay, Overpay, Empty, Repay, Return:
		return fault.New(fault.BadArgument, "", "the act %s follows from amounts", act)
	}
	next, err := o.State.After(act)
	if err != nil {
		return err
	}
	o.State = next
	o.derive()
	return nil
}

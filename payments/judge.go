package payments

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// clockBehind is how far behind ours the clock of a bank may be.
const clockBehind = 5 * time.Minute

// apply judges a fact and does what follows from it. What cannot be put where
// it belongs is never dropped: its money is posted to suspense, and a person
// decides. unfit says that the database refused what else was tried.
func (p *posting) apply(r *record, unfit bool) {
	o := p.orders[r.fact.Order]
	switch {
	case unfit:
		p.suspend(r, o, fault.PostingFailed)
	case r.fact.Kind == gateway.Captured:
		p.capture(r, o)
	case r.fact.Kind == gateway.Reversed:
		p.reverse(r, o)
	case r.fact.Kind == gateway.Refunded, r.fact.Kind == gateway.RefundFailed:
		p.refund(r, o)
	default:
		p.note(r, o)
	}
}

// capture puts a payment on its order, and then takes back what a reversal
// that was told before says.
func (p *posting) capture(r *record, o *order.Order) {
	reason := misfit(&r.fact, o)
	var reception order.Reception
	if reason == "" {
		var err error
		if reception, err = o.Receive(r.fact.Amount, p.tolerance); err != nil {
			reason = fault.CodeOf(err)
		}
	}
	if reason != "" {
		p.suspend(r, o, reason)
	} else {
		r.state, r.reason = FactPosted, ""
		r.applied, r.credited = reception.Lines, reception.Credited
		p.move(o)
		p.enter(paymentEntry(r, o, &reception))
		p.publish(r, o, EventPosted)
	}
	for _, waiting := range p.referring[r.factKey] {
		if waiting.waits() {
			p.reverse(waiting, p.orders[waiting.fact.Order])
			p.change(waiting)
		}
	}
}

// misfit says why a payment cannot be put on its order: "" if it can. The order
// is nil if it is not ours.
func misfit(f *gateway.Fact, o *order.Order) fault.Code {
	if o == nil {
		return fault.UnknownOrder
	}
	switch {
	case o.State == order.Paid || o.State == order.Overpaid:
		return fault.OrderPaidAlready
	case !o.State.Takes():
		return fault.OrderState
	case f.Payer != "" && f.Payer != o.Payer: // a card's holder is not told
		return fault.PayerDiffers
	case f.PaidAt.After(o.ExpiresAt) && o.State != order.Authorised: // what was held in time is captured in time
		return fault.PaidTooLate
	case f.PaidAt.Before(o.CreatedAt.Add(-clockBehind)):
		return fault.PaidTooEarly
	}
	return ""
}

// notes are the acts and events of facts that move no money.
var notes = map[gateway.FactKind]struct {
	act   order.Act
	event string
}{
	gateway.Pending:    {order.Start, EventPending},
	gateway.Authorised: {order.Authorise, EventAuthorised},
	gateway.Failed:     {order.Fail, EventFailed}, // as far as other attempts allow: fail
}

// note moves an order by a fact without money. One that comes too late to
// change anything, because more is known by now, is kept and no more.
func (p *posting) note(r *record, o *order.Order) {
	if o == nil {
		r.state, r.reason = FactException, fault.UnknownOrder
		return
	}
	r.state, r.reason = FactNoted, ""
	n := notes[r.fact.Kind]
	overtaken := len(p.referring[r.factKey]) > 0 || r.fact.Kind == gateway.Authorised && r.fact.PaidAt.After(o.ExpiresAt)
	if overtaken {
		return
	}
	if n.act == order.Fail {
		if p.fail(r, o) != nil {
			return
		}
	} else if o.Apply(n.act) != nil {
		return
	}
	p.move(o)
	p.publish(r, o, n.event)
}

// reverse takes a captured payment back, all or part of it. If the payment is
// not known yet, the reversal waits for it as an exception.
func (p *posting) reverse(r *record, o *order.Order) {
	original := p.facts[factKey{r.gateway, r.fact.Original}]
	switch {
	case original == nil || original.state == FactReceived:
		p.wait(r, o)
	case original.fact.Kind != gateway.Captured || original.fact.Order != r.fact.Order:
		p.suspend(r, o, fault.ReversalUnfit)
	case r.fact.Amount > original.fact.Amount-original.reversed:
		p.suspend(r, o, fault.AmountDiffers)
	case r.fact.Amount > original.fact.Amount-original.reversed-original.released:
		p.suspend(r, o, fault.SuspenseReleased) // two persons gave it on: what is missing there, they decide too
	case original.state == FactException:
		r.state, r.reason = FactPosted, ""
		original.reversed += r.fact.Amount
		p.change(original)
		p.enter(unsuspendEntry(r, original, transactionOf(r, o)))
		p.publish(r, o, EventReversed)
	default:
		p.takeBack(r, original, o)
	}
}

// wait keeps a reversal until its payment is told.
func (p *posting) wait(r *record, o *order.Order) {
	k := factKey{r.gateway, r.fact.Original}
	if !slices.Contains(p.referring[k], r) {
		p.referring[k] = append(p.referring[k], r)
	}
	r.state, r.reason = FactException, fault.OriginalUnknown
	p.publish(r, o, EventException)
}

// takeBack takes money of a posted payment off its order: first what was
// credited, then from the last line to the first.
func (p *posting) takeBack(r, original *record, o *order.Order) {
	rest := r.fact.Amount
	credited := min(rest, original.credited)
	rest -= credited
	lines := make([]money.Tiyn, len(original.applied))
	for i := len(lines) - 1; i >= 0; i-- {
		lines[i] = min(rest, original.applied[i])
		rest -= lines[i]
	}
	letGo := missing(o)
	reception, err := o.Reverse(lines, credited)
	if err != nil { // it was refunded, or is about to be
		p.suspend(r, o, fault.CodeOf(err))
		return
	}
	r.state, r.reason = FactPosted, ""
	original.reversed += r.fact.Amount
	original.credited -= credited
	for i := range lines {
		original.applied[i] -= lines[i]
	}
	p.change(original)
	p.move(o)
	p.enter(reversalEntry(r, o, &reception, letGo))
	p.publish(r, o, EventReversed)
}

// refund ends a refund of ours, by what the gateway says of it.
func (p *posting) refund(r *record, o *order.Order) {
	id, err := uuid.Parse(r.fact.Original)
	refund := p.refunds[id]
	if err != nil || refund == nil || o == nil || refund.Order != o.ID || refund.Gateway != r.gateway {
		p.suspend(r, o, fault.RefundNotFound)
		return
	}
	if refund.Amount != r.fact.Amount {
		p.suspend(r, o, fault.AmountDiffers)
		return
	}
	if r.fact.Kind == gateway.Refunded && refund.Shown() && !p.toldOf(refund) {
		r.state, r.reason = FactNoted, "" // the statement was faster, and its money is posted
		return
	}
	if r.fact.Kind == gateway.Refunded {
		err = refund.Execute(o, r.reference, p.now)
	} else {
		err = refund.Fail(o, fault.GatewayRefused, p.now)
	}
	if err != nil {
		p.suspend(r, o, fault.CodeOf(err))
		return
	}
	r.state, r.reason = FactPosted, ""
	p.ended = append(p.ended, refund)
	p.move(o)
	event := EventRefunded
	if r.fact.Kind == gateway.Refunded {
		p.enter(paidBackEntry(refund), kz.DayOf(r.fact.PaidAt))
	} else {
		event = EventRefundFailed
		p.enter(refundDropEntry(refund, o, kz.Day{}, p.now), kz.DayOf(r.fact.PaidAt))
	}
	p.events = append(p.events, outbox.Event{Transaction: o.Transaction, Type: event, At: p.now, Data: refundOf(refund, "")})
}

// toldOf reports whether the gateway has told before that a refund was executed.
func (p *posting) toldOf(refund *order.Refund) bool {
	for _, f := range p.facts {
		if f.gateway != refund.Gateway || f.fact.Kind != gateway.Refunded || f.state != FactNoted {
			continue
		}
		if id, err := uuid.Parse(f.fact.Original); err == nil && id == refund.ID {
			return true
		}
	}
	return false
}

// suspend makes an exception of a fact. Its money, if it is any, is real: it
// stands in suspense under the reason until a person decides.
func (p *posting) suspend(r *record, o *order.Order, reason fault.Code) {
	r.state, r.reason = FactException, reason
	if r.moves() != 0 {
		p.enter(suspenseEntry(r, transactionOf(r, o)))
	}
	p.publish(r, o, EventException)
}

// move notes that an order is to be stored.
func (p *posting) move(o *order.Order) {
	if !slices.Contains(p.moved, o) {
		p.moved = append(p.moved, o)
	}
}

// publish tells the order's transaction; a fact of no order of ours is nobody's
// news.
func (p *posting) publish(r *record, o *order.Order, kind string) {
	if o == nil {
		return
	}
	p.events = append(p.events, outbox.Event{Transaction: o.Transaction, Type: kind, At: p.now, Data: Payment{
		Order: o.ID, Gateway: r.gateway, Reference: r.reference, Original: r.fact.Original, Amount: r.fact.Amount, BankBIC: r.fact.BankBIC,
		PaidAt: r.fact.PaidAt, OrderState: o.State, Reason: r.reason,
	}})
}

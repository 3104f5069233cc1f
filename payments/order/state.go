package order

import "github.com/senim-kz/senim/internal/fault"

// State of an order.
type State string

// The states.
const (
	Draft         State = "draft"          // made, not yet known to the gateway
	Presented     State = "presented"      // registered at the gateway, the payer can pay
	Pending       State = "pending"        // the payer has begun to pay
	Authorised    State = "authorised"     // the payer's bank holds the money
	Captured      State = "captured"       // the gateway says it has the money; it is not posted yet
	PartiallyPaid State = "partially_paid" // less than is owed is posted
	Paid          State = "paid"           // what is owed is posted, or so little less that it was let go
	Overpaid      State = "overpaid"       // paid, and the rest stands on the payer's advance
	Expired       State = "expired"        // not paid in time
	Cancelled     State = "cancelled"      // withdrawn before anything was paid
	Refunding     State = "refunding"      // a refund is approved and not yet executed
	Refunded      State = "refunded"       // everything was paid back
)

// States lists every state.
func States() []State {
	return []State{Draft, Presented, Pending, Authorised, Captured, PartiallyPaid, Paid, Overpaid, Expired, Cancelled, Refunding, Refunded}
}

// Act is what moves an order from one state to another.
type Act string

// The acts. Those of money are named by how the order stands after them; which
// of them a payment, a reversal or the end of a refund is, the amounts say.
const (
	Present   Act = "present"   // registered at the gateway, also again
	Start     Act = "start"     // the payer begins
	Authorise Act = "authorise" // the bank holds the money
	Capture   Act = "capture"   // the gateway says it has the money
	Fail      Act = "fail"      // the payer's attempt came to nothing
	Expire    Act = "expire"
	Cancel    Act = "cancel"

	Part    Act = "part"    // it is paid in part
	Pay     Act = "pay"     // it is paid
	Overpay Act = "overpay" // it is paid, and something is left over
	Empty   Act = "empty"   // all money of it was taken back

	Repay  Act = "refund" // a refund is ordered, or another one still is
	Return Act = "return" // everything was paid back
)

// transitions is the whole machine: what is not here is refused.
//
//   - A draft may be paid: a payment may be told before the answer to the
//     registration is stored.
//   - An expired order may be paid: a payment made in time may be told late.
//     That it was made in time is for the caller to check. Presented again it
//     lives again.
//   - A partially paid order stays so while the rest is on its way; that its
//     time is over does not undo what was paid.
//   - An order whose money the bank holds, or the gateway has, is neither
//     expired nor cancelled.
//   - What is paid to an order that is paid, refunding, refunded or cancelled
//     is not this order's: it needs a person.
var transitions = map[State]map[Act]State{
	Draft: {
		Present: Presented, Start: Pending, Authorise: Authorised, Capture: Captured, Expire: Expired, Cancel: Cancelled,
		Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid,
	},
	Presented: {
		Present: Presented, Start: Pending, Authorise: Authorised, Capture: Captured, Fail: Presented, Expire: Expired, Cancel: Cancelled,
		Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid,
	},
	Pending: {
		Start: Pending, Authorise: Authorised, Capture: Captured, Fail: Presented, Expire: Expired, Cancel: Cancelled,
		Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid,
	},
	Authorised: {
		Authorise: Authorised, Capture: Captured, Fail: Presented,
		Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid,
	},
	Captured: {
		Capture: Captured, Fail: Presented,
		Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid,
	},
	PartiallyPaid: {
		Present: PartiallyPaid, Start: PartiallyPaid, Authorise: PartiallyPaid, Capture: PartiallyPaid, Fail: PartiallyPaid,
		Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid, Empty: Presented, Repay: Refunding,
	},
	Paid:     {Part: PartiallyPaid, Empty: Presented, Repay: Refunding},
	Overpaid: {Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid, Empty: Presented, Repay: Refunding},
	Expired: {
		Present: Presented, Authorise: Authorised, Capture: Captured, Cancel: Cancelled,
		Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid,
	},
	Refunding: {Part: PartiallyPaid, Pay: Paid, Overpay: Overpaid, Repay: Refunding, Return: Refunded},
}

// After returns the state that the act leads to, or fault.OrderState.
func (s State) After(a Act) (State, error) {
	next, ok := transitions[s][a]
	if !ok {
		return "", fault.New(fault.OrderState, "", "an order that is %s cannot be moved by %s", s, a)
	}
	return next, nil
}

// takes are the states in which captured money is put on an order. From others
// an act of money leads on too, but there it is a reversal's or a refund's.
var takes = map[State]bool{
	Draft: true, Presented: true, Pending: true, Authorised: true, Captured: true, PartiallyPaid: true, Expired: true,
}

// Takes says whether captured money may be put on an order in this state.
func (s State) Takes() bool { return takes[s] }

// holds are the states in which an order has money and no refund under way.
var holds = map[State]bool{PartiallyPaid: true, Paid: true, Overpaid: true}

// LineState says how far one line of an order is. It is derived from the
// line's amounts, its order and the matches with the treasury's statements.
type LineState string

// The states of a line.
const (
	LineOwed          LineState = "owed"
	LinePartiallyPaid LineState = "partially_paid"
	LinePaid          LineState = "paid"       // posted; the last few tenge may have been let go
	LineReconciled    LineState = "reconciled" // the treasury's statements show the money
	LineRefunded      LineState = "refunded"   // paid back, all of it
)

// derive sets the state of every line.
func (o *Order) derive() {
	for i := range o.Lines {
		o.Lines[i].State = o.lineState(&o.Lines[i])
	}
}

func (o *Order) lineState(l *Line) LineState {
	full := l.Paid == l.Amount || o.Tolerated > 0
	switch {
	case l.Paid > 0 && l.Refunded == l.Paid:
		return LineRefunded
	case full && l.Matched > 0 && l.Matched >= l.Paid:
		return LineReconciled
	case full:
		return LinePaid
	case l.Paid > 0:
		return LinePartiallyPaid
	}
	return LineOwed
}

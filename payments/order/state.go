package order

import "github.com/senim-kz/senim/internal/fault"

// State of an order.
type State string

// The states.
const (
	Draft      State = "draft"      // made, not yet known to the gateway
	Presented  State = "presented"  // registered at the gateway, the payer can pay
	Paid       State = "paid"       // paid in full and posted to the ledger
	Reconciled State = "reconciled" // every line found in the treasury's statement
	Expired    State = "expired"    // not paid in time
	Cancelled  State = "cancelled"  // withdrawn before it was presented
)

// Act is what moves an order from one state to another.
type Act string

// The acts.
const (
	Present   Act = "present"
	Pay       Act = "pay"
	Reconcile Act = "reconcile"
	Expire    Act = "expire"
	Cancel    Act = "cancel"
)

// transitions is the whole machine: what is not here is refused.
//
// A draft may be paid, because a payment may be told before the answer to the
// registration is stored. An expired order may still be paid, because a
// payment made in time may be told late; that it was made in time is for the
// caller to check. A presented order cannot be cancelled: the payer may be
// paying it at this moment.
var transitions = map[State]map[Act]State{
	Draft:     {Present: Presented, Pay: Paid, Expire: Expired, Cancel: Cancelled},
	Presented: {Pay: Paid, Expire: Expired},
	Expired:   {Pay: Paid},
	Paid:      {Reconcile: Reconciled},
}

// After returns the state that the act leads to, or fault.OrderState.
func (s State) After(a Act) (State, error) {
	next, ok := transitions[s][a]
	if !ok {
		return "", fault.New(fault.OrderState, "", "an order that is %s cannot be moved by %s", s, a)
	}
	return next, nil
}

// LineState says how far one line of an order is.
type LineState string

// The states of a line.
const (
	LineOwed       LineState = "owed"
	LinePaid       LineState = "paid"       // the gateway told of the payment
	LineReconciled LineState = "reconciled" // the treasury's statement shows the money
)

// lineState follows from the order's state and from whether the line was
// found in a statement.
func lineState(s State, matched bool) LineState {
	switch {
	case matched:
		return LineReconciled
	case s == Paid || s == Reconciled:
		return LinePaid
	}
	return LineOwed
}

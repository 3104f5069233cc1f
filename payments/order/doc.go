// Package order holds the payment order: the bill of a transaction, with a
// line per kind of payment, budget code and body, each with a payment
// identifier of its own that is found again in the treasury's statement.
//
// It owns the order's states and acts (one table, see State), what is received
// on an order and taken back (Receive, Reverse: pure, to the tiyn), the
// refunds with their states and their two persons, the requisites a line is
// paid to, the form of the identifier, and the tables payment_order,
// payment_line, payment_charge, payment_refund and payment_advance_use. The
// database holds a row's state and amounts together.
//
// An order's own rows say what was paid; that the treasury agrees follows from
// the matches of package reconcile and is no state.
//
// It does not talk to a gateway, post to the ledger or publish events: package
// payments does, in the same transaction.
package order

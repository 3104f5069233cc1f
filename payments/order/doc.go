// Package order holds the payment order: one bill per transaction, with a
// line per kind of payment and budget code, each with a payment identifier of
// its own that is found again in the treasury's statement.
//
// It owns the order's states (one table, see State), the requisites a line is
// paid to, the form of the identifier, and the tables payment_order,
// payment_line and payment_charge. It does not talk to a gateway, post to the
// ledger or publish events: package payments does, in the same transaction.
//
// Part payments, overpayments, authorisation and refunds are not here yet: an
// order is paid in full or not at all, and a fact that says otherwise is kept
// as an exception by package payments.
package order

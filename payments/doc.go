// Package payments takes a transaction from what is owed to what the treasury
// has received: it draws up the order, presents it at the payment gateway,
// accepts the gateway's facts, posts them to the ledger, imports the
// treasury's statements and reconciles them with the orders.
//
// # The life of a payment
//
//  1. CreateOrder, in the caller's transaction: the order, its lines with
//     their identifiers, the event order.created.
//  2. Present: the bill is registered at the gateway (outside any
//     transaction, and harmless to repeat), then the order is presented and
//     the messages are kept.
//  3. AcceptCallback: the message is authenticated; its reference is claimed,
//     the raw message kept, and a job inserted, in one transaction. Only then
//     is the gateway answered. A kill before the commit leaves nothing, and
//     the gateway sends again; a kill after it leaves the job.
//  4. The job posts the fact to the ledger, moves the order to paid and
//     publishes payment.posted, in one transaction under the locks of the fact
//     and the order. It may run any number of times.
//  5. ImportStatement and Reconcile: each matched line is settled in the
//     ledger; an order with all lines matched is reconciled.
//
// A fact that does not fit its order (another amount or payer, paid too late,
// paid twice, an unknown order) is kept as an exception with its reason and
// never posted; a person decides. A message that is not the gateway's leaves
// nothing but an audit record.
//
// The package knows nothing of documents, signatures and HTTP.
// internal/dossier, api and cmd/senim call it.
package payments

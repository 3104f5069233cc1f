// Package payments takes a transaction from what is owed to what the treasury
// has received: it draws up the order, presents it at the payment gateway,
// takes the gateway's facts, posts them to the ledger, pays back what two
// persons agree to pay back, imports the treasury's statements and reconciles
// them with the orders.
//
// # The life of a payment
//
//  1. CreateOrder, in the caller's transaction: the order, its lines with
//     their identifiers, the event order.created.
//  2. Present, PresentAgain: the bill is registered at the gateway (outside
//     any transaction, and harmless to repeat), then the order is presented
//     and the messages are kept.
//  3. Take, by whatever door a fact comes (AcceptCallback, an answer of the
//     gateway, its client): the fact is judged, put on its order, posted to
//     the ledger, told of and answered in one transaction, with what else has
//     come meanwhile. A kill before the commit leaves nothing, and the gateway
//     tells again; what was told before changes nothing.
//  4. ImportStatement and Reconcile: matched lines are settled in the ledger.
//
// What does not fit its order (another payer, paid too late, paid twice, an
// unknown order) is an exception with its reason, its money stands in
// suspense, and a person decides. A message that is not the gateway's leaves
// nothing but an audit record.
//
// # The life of a refund
//
//  1. AskRefund: what is asked is spoken for, under the order's lock.
//  2. ApproveRefund, by another person: the ledger's entry, the order
//     refunding, and the job, in one transaction. RejectRefund ends it.
//  3. The job orders it at the gateway, which executes one refund per
//     identifier; a fact tells of the end. A refusal takes the entry back.
//
// The package knows nothing of documents, signatures and HTTP.
// internal/dossier, api and cmd/senim call it.
package payments

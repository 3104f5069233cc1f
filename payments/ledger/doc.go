// Package ledger is the double-entry book of the service: what came through
// the gateway, for whom, to which budget codes, and what the treasury showed.
//
// An entry has two or more postings that add up to zero: a debit is positive,
// a credit negative. The book is append-only; a correction is a new entry.
// Every entry carries a natural key, and posting the same entry again under
// the same key changes nothing, so any message may be replayed. The database
// itself refuses, whoever writes: an entry that does not balance, a posting
// added to an entry later, an entry of a day whose period is closed, and any
// UPDATE, DELETE or TRUNCATE, for which the service's role has no privilege
// either.
//
// A balance can be asked for as of any business day and as of any instant of
// recording. A period is closed by two persons and never opens again; what
// belongs to it and comes later is entered under the first open day. A hold
// keeps money of an account for one purpose.
//
// It does not know what a payment, an order or a statement is.
//
// Called by payments and payments/reconcile inside their transactions, and by
// cmd/senim for Verify.
package ledger

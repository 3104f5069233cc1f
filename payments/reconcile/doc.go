// Package reconcile compares what the treasury's statements show with what was
// paid, and keeps what is not agreed as cases that persons resolve.
//
// A run looks at every open day at once. It finds the matches in levels, each
// weaker than the one before and each taking only what the stronger ones left
// (levels.go): the unique identifier; the end-to-end reference; payer, КБК, КНП
// and amount; the declaration's number; payer and amount; and at each of them
// one line for several lines of orders, and several lines for one. Two
// candidates on either side are never chosen between: they are cases. Debits
// are looked for in the same way among the refunds, but only by what names them
// (refunds.go).
//
// What a run finds depends on the statements, the payments and the persons'
// decisions, not on the order in which any of them came or on how often it ran.
// So it finds everything anew, and changes what the run before left only where
// that differs: it makes matches, takes others back, and posts the difference
// to the ledger, an entry for each day. What persons have decided, and the days
// that are closed, no run changes.
//
// All of it is SQL over sets; no line passes through this process.
//
// It moves no order: that a line of an order is agreed with the treasury
// follows from its matches. Nor does it execute a refund: it says which of them
// the statements show (Outcome.PaidBack). Called by payments.
package reconcile

// Package reconcile compares what the treasury's statements show with what
// was ordered and paid.
//
// One level is here: a credit line whose payment identifier, amount and budget
// code are those of a line of a paid order is that line's money. Every other
// line is an exception with a reason; nothing is guessed. Matching is one SQL
// statement over the whole day; a match is for ever and posts to the ledger,
// exceptions are found anew by each run. So a day may be run again: with the
// same statements and payments it gives the same result, and with a payment
// that was told late it finds what was missing.
//
// Further levels (requisites, declaration number, one to many), cases with an
// owner, and days that close are not here yet.
//
// Called by payments.
package reconcile

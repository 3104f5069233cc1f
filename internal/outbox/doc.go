// Package outbox writes what follows from an act into the transaction of the
// act: events, audit records and jobs. Either all of it happened or none.
//
// Events are the timeline of one transaction, numbered from 1 in the order of
// their commits. Audit records say who did what to what, to what purpose and
// with what outcome. Both are append-only: the database refuses any change.
// Jobs run after the commit, at least once, on River: a job of a killed
// process runs again within about half a minute, so a job must be idempotent.
//
// It does not know what an event, an action or a job means.
//
// Packages of floors 3 (to its right) to 6 may import outbox.
package outbox

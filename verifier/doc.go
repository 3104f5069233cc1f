// Package verifier validates signatures by the process of ETSI EN 319 102-1.
//
// Collect reads a document into facts and gathers what judging them needs; Judge
// makes a Report of facts, a policy, trust anchors and a time, and is pure. The
// building blocks, indications and sub-indications are the standard's, word for
// word: the validation of basic signatures (§5.3), of time-stamps (§5.4), with
// time (§5.5), and with long-term and archival data (§5.6) with proofs of
// existence, past certificate validation, validation time sliding and past
// signature validation. Counter-signatures are validated as signatures of their
// own. A policy (docs/policies.md) says what is demanded besides.
//
// What it does not do: process signature policies (the report says so where a
// signature names one) and evidence records (named, never counted).
//
// Choices where the standard leaves one, or where it cannot be followed by the
// letter, stand in docs/design/signatures.md.
//
// The services above and cmd/senim call it. It never reaches the network but
// through the Fetcher it is given.
package verifier

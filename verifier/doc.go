// Package verifier validates signatures by the process of ETSI EN 319 102-1.
//
// Collect reads a document into facts and gathers what judging them needs; Judge
// makes a Report of facts, a policy, trust anchors and a time, and is pure. The
// building blocks, indications and sub-indications are the standard's, word for
// word: basic signature validation (§5.3), time-stamps (§5.4), and validation
// with time (§5.5) as far as a signature time-stamp goes.
//
// What it does not do yet: the long-term process with past certificate
// validation (§5.6), archive time-stamps, evidence records, counter-signatures,
// content time-stamps, signature policies, and policies from files. Each is
// named in the report where a signature carries it, and never counted for it.
//
// Choices where the standard leaves one: a revocation that is only a hold is
// TRY_LATER; revocation information from after the time that is judged counts
// as well as fresh information, unless the certificate had expired by then, when
// a CA need no longer say; a time-stamping authority must be valid and not
// revoked at the validation time.
//
// The services above and cmd/senim call it. It never reaches the network but
// through the Fetcher it is given.
package verifier

// Package revocation finds out whether a certificate was revoked, from OCSP
// answers (RFC 6960) and CRLs (RFC 5280 §5).
//
// An OCSP answer counts only if its CertID names the certificate and its
// issuer in full, its signer is the issuer itself or a responder that the
// issuer certified for it, valid when the answer was made, its nonce is the
// one that was sent where it has one, and its dates fit the time that is
// judged. A responder's own revocation is not looked up: with
// id-pkix-ocsp-nocheck the CA says that nobody needs to, without it RFC 6960
// §4.2.2.2.1 leaves it to local policy, and here that is the same; Evidence
// says which it was. NUC RK answers for a serial number that it never issued
// with "revoked" since 1970-01-01, on hold (RFC 6960 §2.2): that is unknown.
//
// CRLs are processed by RFC 5280 §6.3.3 whole: of all reasons or some, direct or
// indirect, in the scope of their issuing distribution points, with the deltas
// that complete them, signed by the issuer or by whom the caller trusts for it
// (Signers).
//
// # Sources
//
// A Checker takes what is given first, as documents embed it, then asks its Store:
// for an OCSP answer, and for CRLs where no responder answers. A Store remembers:
// OCSP answers until they go stale, CRLs, indexed, until the next is due, which Run
// fetches before. Each piece of Evidence keeps its raw bytes and the times of both
// clocks, and a Result says of every source that did not help why.
//
// # What decides
//
// Evidence that is usable at the time judged goes through Decide:
//
//	evidence                                     beside              decides
//	revoked for good, by the time                anything            it: revoked
//	on hold before the time, seen at it or later anything but that   it: on hold
//	revoked for good, after the time             anything but those  it: not revoked yet
//	on hold                                      good, older         it: on hold
//	on hold                                      good, newer         good: the hold was lifted
//	on hold                                      unknown             it: on hold
//	unknown, by OCSP                             good, by a CRL      nothing: unknown
//	unknown, by OCSP                             good, older, OCSP   nothing: unknown
//	unknown, by OCSP                             good, newer, OCSP   good
//	good                                         good                the newest
//
// Usable is what is rightly signed by who may, with an algorithm that the caller's
// policy allows, and fits the time: not made after the validation, not run out, not
// too old (a revocation for good does not age), not made after the certificate
// had expired unless it says that it keeps such certificates. The rows of
// internal/conformance/revocation.tsv are the same in detail.
//
// Nothing here opens a connection: what must be fetched goes through a Fetcher
// that its caller owns. The time is a parameter; only Run sleeps by the system's
// clock. Packages of pki to its right and those above may import it.
package revocation

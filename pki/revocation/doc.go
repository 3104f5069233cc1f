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
// Nothing here opens a connection: what must be fetched goes through a Fetcher
// that its caller owns. The time is a parameter. Packages of pki to its right
// and those above may import it.
package revocation

// Package ber turns BER (X.690) into DER's framing, so that everything behind
// it reads DER only. It is the door for messages that may lawfully come in
// BER: CMS and PKCS#12.
//
// It makes lengths definite and minimal and joins constructed strings into
// primitive ones. It leaves the content of primitives and the order of a SET
// as they came: what was signed must keep its bytes, and reordering is a
// decision of who knows the schema. For the same reason an implicitly tagged
// string that came in pieces stays in pieces. Its result is DER exactly when
// the input broke DER in lengths and pieces only; the strict reader behind it
// finds out.
//
// Packages of pki may import ber; a signed object that must be DER (a
// certificate, a CRL, an OCSP response) never goes through it.
package ber

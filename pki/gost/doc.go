// Package gost verifies and makes the signatures of GOST R 34.10-2012 (RFC 7091),
// which are also those of GOST R 34.10-2001 (RFC 5832), of Kazakhstan's GOST
// 34.310-2004 and of ST RK GOST R 34.10-2015. Its hash functions stand in the
// packages streebog and gost341194 beside it.
//
// # What is signed
//
// The key pair is a number d below the prime order q of a base point G of an
// elliptic curve, and the point Q = d·G. With e the digest as a number modulo q
// (1 where that is 0), a signature is a pair
//
//	r = x(k·G) mod q,  s = r·d + k·e mod q
//
// of numbers between 0 and q, for a secret k used once (RFC 7091 §6.1). It is
// right if x(s·e⁻¹·G − r·e⁻¹·Q) ≡ r (§6.2): with s as above, the point is k·G.
//
// # Encodings
//
// Two countries write the same mathematics down differently. In both the digest
// is read least significant byte first, and the key is X‖Y, each least
// significant byte first, in an OCTET STRING inside the BIT STRING.
//
//   - Russia (RFC 4491, 9215): the signature is s‖r, most significant byte first.
//   - Kazakhstan: the signature is r‖s, least significant byte first; its object
//     identifiers are its own.
//
// The algorithm named beside the signature says which ([Layout]); nothing is
// tried out or guessed.
//
// # Trust in timing
//
// Verification takes different time for different inputs, all of them public.
// Signing does not branch on secrets or index memory by them. Yet a
// [PrivateKey] is a key in the memory of a program: it is for tests, the sandbox
// and a trader's PKCS#12 file. The service signs by its hardware module.
//
// The package may be used by any package above it; it knows no certificate and
// no message format.
package gost

//go:generate go run ./internal/generate .

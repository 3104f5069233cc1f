// Package gost341194 computes the hash function of GOST R 34.11-94 (RFC 5831),
// with the substitution boxes of its inner cipher, GOST 28147-89, as a parameter.
//
// The standard leaves the boxes open, and both sets in use give other digests:
//
//   - [TestParam], id-GostR3411-94-TestParamSet (RFC 4357 §11.2), the set printed
//     in the standard's example. Kazakhstan's GOST 34.311-95 uses it: every
//     signature of the GOST 34.310-2004 series verifies with it and none without.
//   - [CryptoPro], id-GostR3411-94-CryptoProParamSet (RFC 4357 §11.2), Russia's set.
//
// The initial value is zero, as everywhere in practice. The function is broken
// in theory and retired; it is here to verify old evidence. Its table look-ups
// follow the data, so it must not be used under a secret key where an attacker
// shares the machine.
package gost341194

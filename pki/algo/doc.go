// Package algo is the one table of cryptographic algorithms: object
// identifier, XML-DSig URI, JWA name and implementation of each digest and
// signature. Every format looks algorithms up here and nowhere else, and
// policies name them as this table does.
//
// It verifies RSA PKCS#1 v1.5 and PSS (RFC 8017, RFC 4055) and ECDSA on P-256,
// P-384 and P-521 (RFC 5480, RFC 5758) with SHA-1 and SHA-2. Kazakhstan's
// GOST algorithms are known by name and refused with algorithm_unsupported;
// so is everything it does not know. It finds out whether a signature is
// right, not whether its algorithm or key size is still good enough: that is
// the verifier's cryptographic policy, for which names and sizes are exposed.
//
// Packages of pki and those above may import algo.
package algo

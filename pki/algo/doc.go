// Package algo is the one table of cryptographic algorithms: object
// identifiers, XML-DSig URI, JWA name and implementation of each digest and
// signature. Every format looks algorithms up here and nowhere else, and
// policies name them as this table does.
//
// It verifies
//
//   - RSA PKCS#1 v1.5 and PSS with any parameters (RFC 8017, RFC 4055);
//   - ECDSA on NIST's curves from P-224 up and on brainpool's (RFC 5480, RFC
//     5639, RFC 5758), Ed25519 (RFC 8032), and DSA for old evidence (FIPS 186-4);
//   - GOST of Kazakhstan and of Russia, through pki/gost;
//
// with SHA-1, SHA-2, SHA-3, Streebog and GOST R 34.11-94. What it does not know
// is refused with algorithm_unsupported, by name if it is a known stranger. It
// finds out whether a signature is right, not whether its algorithm or key size
// is still good enough: that is the verifier's cryptographic policy, for which
// names and sizes are exposed.
//
// RSA, brainpool and DSA are computed here with numbers of variable time, since
// all of a verification is public. Signing is the affair of a crypto.Signer.
//
// Packages of pki and those above may import algo.
package algo

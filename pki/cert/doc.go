// Package cert reads X.509 certificates (RFC 5280) and what NUC RK writes into
// them: IIN, BIN, roles and the kind of key store.
//
// It parses DER with limits on size, counts and depth and keeps the original
// bytes of everything that is compared, hashed or signed. Certificates whose
// key algorithm the table of pki/algo lacks parse too: their PublicKey
// is nil and nothing verifies with it. What a certificate says is reported,
// not judged: validity, trust, path and revocation belong to pki/path,
// pki/trust and pki/revocation.
//
// It is more liberal than crypto/x509 where real certificates need it (odd
// serial numbers, string types used loosely, algorithms of others) and
// stricter nowhere that matters to a valid one.
//
// Packages of pki to its right and those above may import cert.
package cert

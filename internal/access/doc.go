// Package access decides who calls and what the caller may do.
//
// Systems prove themselves with OAuth 2 client credentials and a signed
// assertion (RFC 6749 §4.4, RFC 7523 §2.2, private_key_jwt) or with a
// registered TLS client certificate (RFC 8705 §2.2, by its SHA-256). People
// sign a single-use challenge with the key in their token and get a short
// session. What a role and a scope allow is one table, rule.go; what is not in
// it is denied.
//
// The state is in PostgreSQL. A process remembers only what it can look up
// again: signatures of tokens already checked, the state of a client for
// seconds, and its own count of requests per caller.
//
// Not here: an OpenID provider, tokens bound to a certificate, rights per
// record. Whose transactions a caller sees is decided by internal/dossier.
//
// internal/dossier takes its Caller; api and cmd/senim call the rest.
package access

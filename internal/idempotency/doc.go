// Package idempotency answers a repeated request as it was answered the first
// time, and lets two requests with one key do the work once
// (draft-ietf-httpapi-idempotency-key-header).
//
// A key is scoped by its caller and bound to an operation and to the digest of
// what was asked: whoever makes the digest decides which fields count. The
// answer is stored in the transaction that does the work, so that there is
// never one without the other.
//
// It knows nothing of HTTP, of roles and of what a request does.
//
// Packages of floors 4 to 6 may import idempotency.
package idempotency

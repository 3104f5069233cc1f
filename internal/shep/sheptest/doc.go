// Package sheptest issues throw-away keys and certificates, laid out as NUC RK
// does it, for tests of packages that exchange signed messages: a CA, the
// parties under it, a clock that stands still. It has no revocation; tests of
// that bring their own check.
//
// Imported by tests only.
package sheptest

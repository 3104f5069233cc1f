// Package fault gives every refusal a stable code, a class and a message in
// Kazakh, Russian and English.
//
// An error is classified once, where it is known, and wrapped on its way up
// with %w only. What the class means on a wire is decided by the floor that
// owns the wire: HTTP statuses in api, exit codes in cmd/senim.
//
// A code is never renamed and never given another meaning; docs/reasons.md
// lists them all and a test holds that list against this package. The detail
// of an error is for the engineer and stays in English; it never carries a
// secret, a full IIN or a piece of a document.
//
// Any package may import fault; fault imports nothing of the project.
package fault

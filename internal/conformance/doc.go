// Command conformance runs public conformance sets through this project's
// public packages and holds every difference against docs/conformance.md.
//
//	go run ./internal/conformance -data ../shared/data -docs docs/conformance.md -out differences.txt
//
// It prints a line for each set, "name agree/total", and lists the differences
// in a file. It exits 0 when every set that is there ran, nothing that must be
// refused was accepted, and every difference is explained; else 1. A set that is
// not there is named and passed over; no set at all is an error. With -fetch,
// BetterTLS exports its suite by its own program where it is not among the data.
//
// Nothing imports it, and no product code lives here.
package main

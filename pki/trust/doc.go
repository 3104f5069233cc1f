// Package trust holds trust anchors: what is loaded from files, and whether it
// is NUC RK's production, a test, or this project's sandbox.
//
// An anchor is trusted because an operator put it there. NUC RK's production
// roots and issuing CAs are recognised by SHA-256 pins built into the program,
// so that nobody has to compare fingerprints by hand; anything else counts as
// a test, except the sandbox, which names itself. Anchors of two profiles are
// never held together: a test signature must not pass where real ones are
// judged, nor the other way round.
//
// The package fetches nothing and decides nothing about paths (pki/path).
// Packages of pki to its right and those above may import it.
package trust

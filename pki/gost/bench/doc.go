// Package bench measures pki/gost against OpenSSL's gost-engine and, for scale,
// against the standard library.
//
// Ours and the peer alternate within each round, both by CPU time, and the ratio
// of a row is the median of the rounds' ratios: a busy machine slows both sides
// alike. The peer is peer/peer.c, compiled on the way; where a compiler, OpenSSL's
// headers or the engine are absent (Debian: gcc, libssl-dev,
// libengine-gost-openssl) its rows are left out.
//
// The build with -tags purego is the one without assembly. It takes the standard
// library's assembly away too, so that its rows against crypto/ecdsa mean nothing
// and are left out.
package bench

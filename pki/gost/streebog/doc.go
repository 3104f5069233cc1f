// Package streebog computes the hash functions of GOST R 34.11-2012 (RFC 6986,
// in Kazakhstan ST RK GOST R 34.11-2015), known as Streebog, with 256 and 512
// bits of output.
//
// Digests come out in the byte order of files and messages, which OpenSSL
// prints and every signature format stores. RFC 6986 prints its examples as
// 512-bit numbers, so its examples are these digests reversed.
//
// The three transformations S (substitution), P (transposition) and L
// (multiplication by a bit matrix) are merged into one look-up of eight tables
// of 256 words. Look-ups by data bytes leave a trace in the processor's cache:
// the package hashes public data, and must not be used under a secret key
// where an attacker shares the machine.
package streebog

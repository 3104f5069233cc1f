// Package evidence keeps what a verdict, an identification or a posting was
// based on, byte for byte, so that the answer can be given again years later.
//
// It has two parts. Objects are raw bytes under their SHA-256: a document, a
// signature, a certificate, an OCSP answer, a timestamp token, a message of a
// register; the same bytes are kept once, whoever puts them. Entries say, in
// the caller's transaction, which objects belong to which transaction and as
// what. Both are append-only: the database refuses any change.
//
// It does not know what an object means, gives entries no order beyond their
// time, and signs nothing.
//
// Packages of floors 3 (to its right) to 5 may import evidence.
package evidence

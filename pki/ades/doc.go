// Package ades holds what reading and writing long-term signatures share: the
// attributes of CAdES (EN 319 122-1, and TS 101 733 before it) that carry
// validation data, and what the archive time-stamps and their kin are over.
//
// It encodes and decodes certificate-values, revocation-values and ats-hash-index
// in its three versions, reads the complete references and the signature policy
// identifier, and computes the input of the message imprint of an archive
// time-stamp, version 3 and version 2, of a CAdES-C time-stamp and of one over
// the references.
//
// It judges nothing: whether a token's imprint is the digest of that input, and
// what follows if it is not, is for the caller to say. It holds certificates,
// CRLs and OCSP answers as bytes and does not read them.
//
// verifier/cades and signer/cades call it.
package ades

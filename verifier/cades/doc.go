// Package cades reads CMS signatures (RFC 5652) with the attributes of CAdES
// (EN 319 122-1) into facts: what each signer covers and whether it is intact,
// which certificates could be the signer's and whether the value holds with
// their keys, and the signature time-stamps with their own signatures.
//
// It judges nothing and fetches nothing. Counter-signatures, content
// time-stamps and the attributes of levels above T are kept raw and not looked
// into.
//
// Only verifier calls it.
package cades

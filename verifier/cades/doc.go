// Package cades reads CMS messages, plain or CAdES (EN 319 122-1), into facts: for
// every signer the digests, the certificates that could be the signer's and the
// outcome of the signature value under each of their keys, the attributes, the
// counter-signatures, and the time-stamps of every kind with what their imprints
// cover.
//
// The message and its content may be of any size: what is larger than a few
// megabytes passes once and is never held. PEM and bare base64 around a message
// are taken off.
//
// It judges nothing and knows no anchor, policy or time. Anything odd about one
// part is a finding beside the facts; only a message that cannot be taken apart,
// or that holds no signature, is refused.
//
// Only the root package verifier calls it.
package cades

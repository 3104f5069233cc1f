// Package cades makes CAdES signatures (ETSI EN 319 122-1) and raises them:
// level B with any crypto.Signer, further signers, counter-signatures, and by
// an Extender the levels T, LT and LTA, the last as often as time demands.
//
// A Message is a SignedData whose content stays where it lies, in a file or in
// memory: it is read once to be digested and once to be written, and never
// held. Everything else is edited in memory and written out whole by WriteTo,
// so a refusal leaves nothing half-made.
//
// What is there stays byte for byte: attributes, certificates, CRLs, tokens and
// signature values are never encoded anew. Written anew are the lengths that
// enclose them, the version of SignedData (RFC 5652 §5.1), and of a message in
// BER the framing, which becomes DER (Message.Reframed).
//
// Validation data of level LT go where EN 319 122-1 §6.3 has them: certificates
// into SignedData.certificates, CRLs and OCSP answers (RFC 5940) into
// SignedData.crls. Archive time-stamps are of version 3, each with an
// ats-hash-index-v3 in its own unsigned attributes. A message with an archive
// time-stamp of an older kind, whose imprint is over those fields whole, gets
// neither these nor new signers (not_available).
//
// The package neither opens connections nor reads a clock. It does not judge a
// signature by a policy (the verifier does); it refuses to raise one whose
// value, content, certificate or time-stamps do not hold, or whose certificates
// lack a path or good news, because what it would add proved nothing.
//
// cmd/senim and the services above call it.
package cades

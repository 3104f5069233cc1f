// Package facts is the model of what was found in a signed document: one model
// for all formats, raw objects and cryptographic outcomes, no judgement.
//
// Facts hold every raw object that a verdict needs (certificates, CRLs, OCSP
// answers, time-stamp tokens, attributes), what each signature covers and
// whether the digests match, which certificates could be the signer's and
// whether the signature value holds with their keys. They know no trust anchor,
// policy or validation time. They serialise as JSON, travel with the record of
// a transaction, and give the verdict again years later, offline or under
// another policy, without the document.
//
// Outcomes in facts are as trustworthy as the place where the facts were kept:
// reading them back does not repeat the computations.
//
// verifier/cades and the readers of further formats fill the model; the root
// package verifier judges it; others hold it as evidence.
package facts

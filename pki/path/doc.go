// Package path finds certification paths and validates them at a given time
// (RFC 5280 §6.1): signatures, validity, name chaining, that issuers are CAs
// allowed to sign certificates, path lengths, policies with their mappings and
// inhibitions, name constraints, critical extensions, and key usages and
// purposes that are wanted.
//
// Names are compared by §7. Name constraints are processed on directory names,
// DNS names, mailboxes, URIs and addresses; a constraint on another kind of
// name refuses a certificate that has such a name (§4.2.1.10). A search is
// bounded in length, breadth and signatures, policies in their number, names
// and constraints in how often they are compared; beyond, the refusal says so.
// Whether algorithms are strong enough is not its business.
//
// The package is pure: certificates, anchors and a time go in, a verdict comes
// out; it fetches nothing. Packages of pki to its right and those above may
// import it.
package path

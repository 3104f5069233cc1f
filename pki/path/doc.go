// Package path finds certification paths and validates them at a given time
// (RFC 5280 §6.1).
//
// It checks signatures, validity, name chaining, that issuers are CAs allowed
// to sign certificates, path lengths, and critical extensions. It does not
// process certificate policies and name constraints yet: an extension whose
// effect it would have to compute is refused (policy_not_supported,
// name_constraints_not_supported), and policies without such constraints are
// not looked at. It knows nothing of revocation (pki/revocation).
//
// The package is pure: certificates, anchors and a time go in, a verdict comes
// out; it fetches nothing. Packages of pki to its right and those above may
// import it.
package path

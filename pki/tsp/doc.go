// Package tsp reads and verifies time-stamp tokens and writes the requests for
// them (RFC 3161, RFC 5816).
//
// A token is verified whole: it is a SignedData over TSTInfo with one signer,
// its imprint is of the data in question, its signature holds with the
// certificate that a signed signing-certificate attribute (version 1 or 2)
// names, that certificate is one of a time-stamping authority (extended key
// usage timeStamping, critical and alone), and it has a path to an anchor at
// the time in the token. Whether that certificate was revoked, and whether the
// algorithms are still good enough, is for the caller to find out.
//
// It opens no connection (signer/tsa does) and issues no tokens. Packages of
// pki to its right and those above may import it.
package tsp

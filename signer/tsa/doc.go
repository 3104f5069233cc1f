// Package tsa is the client of RFC 3161 time-stamping authorities.
//
// It asks one authority for a time-stamp over data, through a Fetcher that its
// caller owns, and hands a token on only after verifying it whole (pki/tsp): it
// answers this very request, its imprint is of the data, it is signed by a
// time-stamping authority with a path to a configured anchor, and its time is
// about now. Whether the authority's certificate was revoked is for the
// verifier, when the token is judged.
//
// cmd/senim and the services above call it. It issues no time-stamps.
package tsa

// Package tsa is the client of RFC 3161 time-stamping authorities.
//
// It asks for a time-stamp over data or a digest, through a Fetcher that its
// caller owns, and hands a token on only after verifying it whole (pki/tsp): it
// answers this very request, its imprint is of the data, it is signed by a
// time-stamping authority with a path to a configured anchor, and its time is
// about now. Of several authorities the first is asked first, and the next only
// if it fails; one that says it is busy, or does not answer, is asked again a
// little later. Whether the authority's certificate was revoked is for who keeps
// or judges the token: signer/cades looks when it gathers validation data.
//
// cmd/senim and the services above call it.
package tsa

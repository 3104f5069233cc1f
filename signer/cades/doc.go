// Package cades makes CAdES signatures (EN 319 122-1): level B with any
// crypto.Signer, and level T by adding a time-stamp over the signature value.
//
// It does not ask for time-stamps (signer/tsa does), does not check whether the
// certificate is valid or may sign (the verifier does), and makes one signer per
// message. Adding signers and the levels above T are not here yet.
//
// cmd/senim and the services above call it.
package cades

// Package p256verify adds multiples of two points of P-256 that are known
// beforehand, the base point and a public key, which is what verifying an ECDSA
// signature takes (FIPS 186-5 §6.4.2).
//
// With a table of each point's multiples nothing is doubled, which makes it
// several times faster than crypto/ecdsa, for the price of 830 KB a key. It pays
// where one key's signatures are verified again and again.
//
// Everything in it is public: key, signature and result. It therefore takes
// different time for different numbers. Nothing secret may ever be given to it.
//
// It knows neither digests nor the arithmetic modulo the order. Only pki/algo
// imports it.
package p256verify

// Package p256verify verifies ECDSA signatures on P-256 (FIPS 186-5 §6.4.2) by a key
// that is known beforehand, from tables of the multiples of the base point and of
// the key.
//
// With these nothing is doubled: a verification is an inversion modulo the order
// and some 52 additions of points, for the price of 830 KB a key. That is five times
// as fast as crypto/ecdsa in Go, seven times with MULX, ADCX and ADOX, and eleven
// times with AVX-512 IFMA, which adds eight points at once. It pays where one key's
// signatures are verified again and again. The assembly is held to the Go code.
//
// Everything in it is public: key, signature and result. It therefore takes
// different time for different numbers. Nothing secret may ever be given to it.
//
// It knows no encodings of signatures, and computes no digests. Only pki/algo
// imports it.
package p256verify

// Package p256verify verifies ECDSA signatures on P-256 (FIPS 186-5 §6.4.2) by a key
// that is known beforehand, from tables of the multiples of the base point and of
// the key.
//
// With these nothing is doubled: a verification is an inversion modulo the order
// and some 52 additions of points. That is ten times as fast as crypto/ecdsa with
// AVX-512 IFMA, eight additions at once, and six times with MULX, ADCX and ADOX, for
// the price of 830 KB a key. It pays where one key's signatures are verified again
// and again. The pure Go code serves everywhere else, and is what the assembly is
// held to.
//
// Everything in it is public: key, signature and result. It therefore takes
// different time for different numbers. Nothing secret may ever be given to it.
//
// It knows no encodings of signatures, and computes no digests. Only pki/algo
// imports it.
package p256verify

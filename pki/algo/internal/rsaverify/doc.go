// Package rsaverify computes the public operation of RSA, s^e mod n (RFC 8017
// §5.2.2), faster than crypto/rsa does for the large keys of authorities.
//
// Everything in it is public: key, signature and result. It therefore takes
// different time for different numbers, which crypto/rsa avoids at the price of
// several times the work. Nothing secret may ever be given to it.
//
// It knows no padding. Only pki/algo imports it, and compares there the whole
// encoded message.
package rsaverify

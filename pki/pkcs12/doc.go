// Package pkcs12 reads the key files of traders: PKCS#12 (RFC 7292) as NUC RK,
// openssl and Java write it. It gives the private keys and certificates inside.
//
// It reads files under one password that both protects their integrity (MAC) and
// encrypts them: with the ciphers of RFC 7292 appendix C that real files use
// (3DES, RC2) or with PBES2 (RFC 8018: PBKDF2, AES or 3DES). The framing may be
// BER, as NUC RK's is. Keys are RSA, of elliptic curves, or of GOST.
//
// It refuses files encrypted with GOST (RFC 9548) by a code of their own, those
// protected by public keys, and those without a MAC, of which nobody could say
// whether the password was right. It writes none. RC2 and 3DES are as weak as
// they are old: whoever has the file can try passwords, and whether that is hard
// is the password's affair alone.
//
// Packages above pki/cert may import it. The service holds no such file: it signs
// with its hardware module.
package pkcs12

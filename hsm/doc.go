// Package hsm drives PKCS#11 tokens and turns a key inside one into a
// crypto.Signer (OASIS PKCS#11 v2.40).
//
// A Module is one shared library, initialised once per process and restarted when
// it is in disorder. A Token is chosen by an RFC 7512 URI that must match exactly
// one token, and found again by its serial number when it was away. A Key signs
// through a bounded pool of sessions; what a loss made stale is replaced, and a key
// that is found again must have the public key that it had. A Group is one key in
// several tokens; one that was away joins when Await has found it. A call that does
// not return is left behind, since nobody can end it. The PIN is read from a file, a
// named environment variable, a systemd credential or the terminal at the moment of
// C_Login, wiped afterwards, and never tried again once a token has refused it: three
// attempts lock a real token.
//
// Keys are RSA (PKCS #1 v1.5 and PSS), ECDSA on P-256 and P-384, Ed25519, and GOST
// R 34.10 by configured numbers, which no hardware has proven. They are generated
// inside the token, sensitive and not extractable, and proven by a signature before
// they are handed out. A private key is imported into software tokens only, for
// tests.
//
// Every CK_RV has its meaning in one table (returnvalues.go): a code, and what the
// package does about it.
//
// Software tokens (SoftHSM and its like) are recognised by TokenInfo.Software:
// the private surroundings of `senim up` and the tests use one, production
// refuses it.
//
// hsm sits on floor 3: cmd/senim opens tokens and hands Keys to the houses as
// crypto.Signer.
package hsm

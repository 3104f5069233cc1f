// Package hsm drives PKCS#11 tokens and turns a key inside one into a
// crypto.Signer (OASIS PKCS#11 v2.40).
//
// A Module is one shared library, initialised once per process. A Token is
// chosen by an RFC 7512 URI that must match exactly one token. A Key signs
// through a bounded pool of sessions; a session that died is replaced once and a
// handle that went stale is looked up once more, its public key compared. The
// PIN is read from a file, a named environment variable or a systemd credential
// at the moment of C_Login, wiped afterwards, and never tried again once a token
// has refused it: three attempts lock a real token.
//
// Keys are generated inside the token, sensitive and not extractable, and proven
// by a signature before they are handed out. Nothing here reads or imports a
// private key.
//
// Every CK_RV has its meaning in one table (errors.go). What the package does
// not do yet it refuses by a code: keys that need a login per signature
// (CKA_ALWAYS_AUTHENTICATE), curves other than P-256 and P-384, GOST mechanisms.
// A removed token is reported as hsm_unavailable and not waited for.
//
// Software tokens (SoftHSM and its like) are recognised by TokenInfo.Software:
// the private surroundings of `senim up` and the tests use one, production
// refuses it.
//
// hsm sits on floor 3: cmd/senim opens tokens and hands Keys to the houses as
// crypto.Signer.
package hsm

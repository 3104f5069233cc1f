// Package pivcard is a smart card in software, for tests: a PIV card (NIST SP
// 800-73-4) that vpcd, the virtual reader of the vsmartcard project, puts before
// pcscd over TCP. OpenSC drives it like a card of plastic; to pull it out is to
// end the process that runs it.
//
// It has what signing needs: a PIN with a counter of attempts, certificates, and
// the keys 9A (RSA-2048), 9C (P-256, the PIN for each signature) and 9D (P-384).
// It has no management key, no transport encryption, and no protection of its
// keys, which are files in a folder; the same folder is the same card. Only
// tests run it.
package pivcard

// Package cms reads and writes the SignedData of the Cryptographic Message
// Syntax (RFC 5652), with the ESS signing-certificate attributes (RFC 2634,
// RFC 5035) that CAdES and RFC 3161 build on.
//
// Reading keeps every part as the bytes that were sent: certificates, CRLs,
// OCSP answers and attribute values are handed on raw, so that one odd object
// never spoils the message, and slices point into the input. The reader is
// strict DER; a message in BER is converted once at the door by pki/ber, and
// Message.BER says so. Signed attributes are verified over the bytes as sent,
// and only if that fails and they are not DER, over their DER form: the Form
// that held is reported.
//
// Writing makes a message with one signer whose key is any crypto.Signer (a
// token, an HSM, software), in DER, and adds unsigned attributes to an existing
// message without touching one byte that is there.
//
// The package does not judge: it knows no trust anchor, time or policy, does not
// say whether a certificate may sign, and does not look at unsigned attributes.
// Whole messages are held in memory, up to Limits.
//
// pki/tsp, signer, verifier and the sandbox's time-stamping authority call it.
package cms

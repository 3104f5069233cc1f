// Package cms reads and writes the SignedData of the Cryptographic Message
// Syntax (RFC 5652), with the ESS signing-certificate attributes (RFC 2634,
// RFC 5035) that CAdES and RFC 3161 build on.
//
// Reading keeps every part as the bytes that were sent: certificates, CRLs,
// OCSP answers and attribute values are handed on raw, so that one odd object
// never spoils the message, and slices point into the input. What is read is DER,
// or BER as streaming producers write it: lengths that are not known, content in
// pieces. What stands inside the parts of such a message keeps its bytes; only if
// the parts themselves are in BER is the whole converted, by pki/ber. Message.BER
// says so. Signed attributes are verified over the bytes as sent, and only if that
// fails and they are not DER, over their DER form: the Form that held is reported.
//
// Parse takes a message in memory. Read takes one of any size, from a file, a pipe
// or a connection, also in PEM or base64: the content passes once, is digested on
// the way with every algorithm that the message declares, and is never held. Where
// a digest is needed that was not foreseen, a file is read again and a stream from
// a temporary copy, if Options.Spool allowed for one. Content is the same for what
// a detached signature is over.
//
// Writing makes a message with one signer whose key is any crypto.Signer (a
// token, an HSM, software), in DER, over content or a digest of it, puts content of
// any size into a detached message, and adds unsigned attributes to an existing
// message without touching one byte that is there. More signers, counter-signatures
// and validation data are added by signer/cades.
//
// The package does not judge: it knows no trust anchor, time or policy, does not
// say whether a certificate may sign, and does not look at unsigned attributes:
// pki/ades does. Content that is no OCTET STRING (PKCS #7 1.5) is refused, and so
// are bytes after the message.
//
// pki/ades, pki/tsp, signer, verifier and the sandbox's time-stamping authority call it.
package cms

// Package xmldsig reads, canonicalises, signs and strictly verifies XML with
// enveloped and same-document signatures (W3C XML Signature Syntax and
// Processing, RFC 3275), as Kazakhstan's state systems use them: the
// WS-Security signature over a SOAP Body and the enveloped signature inside a
// payload.
//
// What it holds itself to:
//
//   - The reader takes UTF-8 XML 1.0 with namespaces and nothing else: no
//     DOCTYPE, no entities but the five predefined ones, every size, depth and
//     count bounded before anything is built. It is our own because a
//     canonical form needs what encoding/xml does not give: prefixes as
//     written, attribute values normalised as XML 1.0 §3.3.3 says, and well
//     formedness enforced.
//   - Verify takes one signature where the caller says it must be, over the one
//     element the caller is going to parse, and returns that element read again
//     from the very octets that were digested. Whoever parses only what Verify
//     returned cannot be led to read anything unsigned (signature wrapping).
//   - Transforms are an allow-list in a fixed order: enveloped-signature, then
//     one canonicalisation. No XPath, no XSLT, no external reference.
//   - Algorithms are those of pki/algo, found by URI.
//
// What it does not do: it judges no certificate. KeyInfo names a candidate
// whose key verified the signature; the caller validates its path, its
// revocation and its holder. Several signatures on one element, several
// References, Manifests and XAdES properties are refused with their own codes.
//
// Floor 2: any package above may call it; it imports pki/algo, pki/cert and
// internal/fault.
package xmldsig

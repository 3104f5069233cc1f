package ades

import "encoding/asn1"

// The attribute of a time-stamp token that lists what an archive-time-stamp-v3
// covers, in its three versions.
var (
	OIDHashIndexV1 = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 5}  // ats-hash-index, TS 101 733 v2.2.1 §6.4.2
	OIDHashIndexV2 = asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 4} // ats-hash-index-v2, drafts of EN 319 122-1
	OIDHashIndexV3 = asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 5} // ats-hash-index-v3, EN 319 122-1 §5.5.2
)

// oidURI is the qualifier of a signature policy that says where it can be got
// (EN 319 122-1 §5.2.9.2, id-spq-ets-uri).
var oidURI = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, 1}

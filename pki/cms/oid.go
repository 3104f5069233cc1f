package cms

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Content types.
var (
	OIDData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}        // id-data, RFC 5652 §4
	OIDSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}        // id-signedData, RFC 5652 §5.1
	OIDTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4} // id-ct-TSTInfo, RFC 3161 §2.4.2
	oidOCSPBasic  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}     // id-pkix-ocsp-basic, RFC 6960 §4.2.1
	oidOCSPInfo   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 16, 2}        // id-ri-ocsp-response, RFC 5940 §2.1
)

// Attributes.
var (
	OIDContentType            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}         // RFC 5652 §11.1
	OIDMessageDigest          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}         // RFC 5652 §11.2
	OIDSigningTime            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}         // RFC 5652 §11.3
	OIDCounterSignature       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}         // RFC 5652 §11.4
	OIDSigningCertificate     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12} // RFC 2634 §5.4
	OIDSigningCertificateV2   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47} // RFC 5035 §3
	OIDSignatureTimestamp     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14} // RFC 3161 app. A, EN 319 122-1 §5.3
	OIDSignaturePolicy        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 15} // EN 319 122-1 §5.2.9
	OIDContentTimestamp       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 20} // EN 319 122-1 §5.2.8
	OIDCertificateRefs        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 21} // EN 319 122-1 §A.1.1.1
	OIDRevocationRefs         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 22} // EN 319 122-1 §A.1.2.1
	OIDCertificateValues      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 23} // EN 319 122-1 §A.1.1.2
	OIDRevocationValues       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 24} // EN 319 122-1 §A.1.2.2
	OIDCAdESCTimestamp        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 25} // EN 319 122-1 §A.1.5.2
	OIDReferencesTimestamp    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 26} // EN 319 122-1 §A.1.5.1
	OIDArchiveTimestampV1     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 27} // RFC 3126
	OIDArchiveTimestampV2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 48} // TS 101 733 §6.4.1
	OIDArchiveTimestampV3     = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 4}                // EN 319 122-1 §5.5.3
	OIDLongTermValidation     = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 2}                // TS 101 733 v1.8.3
	OIDEvidenceRecordInternal = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 49} // RFC 4998 app. A
	OIDEvidenceRecordExternal = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 50} // RFC 4998 app. A
)

// common are the identifiers that nearly every message has: they are read and
// written without being made anew.
var common = []asn1.ObjectIdentifier{
	OIDData, OIDSignedData, OIDTSTInfo, OIDContentType, OIDMessageDigest, OIDSigningTime, OIDCounterSignature,
	OIDSigningCertificate, OIDSigningCertificateV2, OIDSignatureTimestamp, OIDSignaturePolicy, OIDContentTimestamp,
	OIDCertificateRefs, OIDRevocationRefs, OIDCertificateValues, OIDRevocationValues, OIDCAdESCTimestamp, OIDReferencesTimestamp,
	OIDArchiveTimestampV1, OIDArchiveTimestampV2, OIDArchiveTimestampV3, OIDLongTermValidation,
}

// commonByEncoding and commonDotted are the same identifiers in two other forms.
var commonByEncoding, commonDotted = formsOf(common)

func formsOf(oids []asn1.ObjectIdentifier) (byEncoding map[string]asn1.ObjectIdentifier, dotted []string) {
	byEncoding = make(map[string]asn1.ObjectIdentifier, len(oids))
	for _, oid := range oids {
		byEncoding[string(marshalOID(oid))] = oid
		dotted = append(dotted, oid.String())
	}
	return byEncoding, dotted
}

// DottedOID is oid.String, made beforehand for the identifiers of attributes.
func DottedOID(oid asn1.ObjectIdentifier) string {
	for i, known := range common {
		if known.Equal(oid) {
			return commonDotted[i]
		}
	}
	return oid.String()
}

// readOID reads an object identifier off s.
func readOID(s *cryptobyte.String, oid *asn1.ObjectIdentifier) bool {
	rest := *s
	var element cryptobyte.String
	if rest.ReadASN1Element(&element, cbasn1.OBJECT_IDENTIFIER) {
		if known, ok := commonByEncoding[string(element)]; ok {
			*s, *oid = rest, known
			return true
		}
	}
	return s.ReadASN1ObjectIdentifier(oid)
}

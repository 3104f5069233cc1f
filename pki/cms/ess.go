package cms

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// certificateReferencesMax bounds the references in one signing-certificate
// attribute: the signer and its path, with room to spare.
const certificateReferencesMax = 32

// CertificateReference is an ESSCertID (RFC 2634 §5.4.1, version 1, always
// SHA-1) or an ESSCertIDv2 (RFC 5035 §4, version 2).
type CertificateReference struct {
	Version         int
	DigestAlgorithm algo.Identifier
	Hash            []byte
	RawIssuer       []byte   // the Name of issuerSerial; nil if absent
	Serial          *big.Int // nil if absent
}

// MatchesDigest reports whether the reference's digest is that of the
// certificate. The error says that the digest algorithm is not known.
func (r CertificateReference) MatchesDigest(c *cert.Certificate) (bool, error) {
	digest, err := algo.DigestByIdentifier(r.DigestAlgorithm)
	if err != nil {
		return false, err
	}
	if digest == algo.SHA256 { // nearly always, and it is known
		sum := c.Fingerprint()
		return bytes.Equal(r.Hash, sum[:]), nil
	}
	return bytes.Equal(r.Hash, digest.Sum(c.Raw)), nil
}

// MatchesIssuerSerial reports whether issuerSerial, if present, is that of the
// certificate.
func (r CertificateReference) MatchesIssuerSerial(c *cert.Certificate) bool {
	return r.Serial == nil ||
		c.Serial != nil && r.Serial.Cmp(c.Serial) == 0 && bytes.Equal(r.RawIssuer, c.RawIssuer)
}

// CertificateReferences gives the references of the signed signing-certificate
// attributes, the signer's first (RFC 5035 §4: "the first certificate
// identified ... MUST be the certificate used to verify the signature"). Both
// versions side by side are allowed, and then both must name the signer: the
// result holds one list per attribute. None means that the attribute is absent.
func (s *Signer) CertificateReferences() ([][]CertificateReference, error) {
	var lists [][]CertificateReference
	for i, oid := range []asn1.ObjectIdentifier{OIDSigningCertificate, OIDSigningCertificateV2} {
		version := i + 1
		value, ok, err := s.signedAttribute(oid)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		list, ok := readReferences(value, version)
		if !ok || len(list) == 0 {
			return nil, fault.New(fault.AttributeMalformed, "/signedAttrs/signingCertificate", "version %d: not a list of certificate references", version)
		}
		lists = append(lists, list)
	}
	return lists, nil
}

// readReferences reads SigningCertificate or SigningCertificateV2; the optional
// policies are passed over.
func readReferences(value cryptobyte.String, version int) ([]CertificateReference, bool) {
	var body, certs, policies cryptobyte.String
	if !value.ReadASN1(&body, cbasn1.SEQUENCE) || !value.Empty() || !body.ReadASN1(&certs, cbasn1.SEQUENCE) {
		return nil, false
	}
	if !body.Empty() && (!body.ReadASN1(&policies, cbasn1.SEQUENCE) || !body.Empty()) {
		return nil, false
	}
	var list []CertificateReference
	for !certs.Empty() {
		reference, ok := readReference(&certs, version)
		if !ok || len(list) == certificateReferencesMax {
			return nil, false
		}
		list = append(list, reference)
	}
	return list, true
}

func readReference(certs *cryptobyte.String, version int) (CertificateReference, bool) {
	r := CertificateReference{Version: version, DigestAlgorithm: algo.Identifier{OID: algo.SHA1.OID}}
	var body cryptobyte.String
	if !certs.ReadASN1(&body, cbasn1.SEQUENCE) {
		return r, false
	}
	if version == 2 {
		r.DigestAlgorithm.OID = algo.SHA256.OID // DEFAULT {algorithm id-sha256}
		if body.PeekASN1Tag(cbasn1.SEQUENCE) {
			var ok bool
			if r.DigestAlgorithm, ok = algo.ReadIdentifier(&body); !ok {
				return r, false
			}
		}
	}
	if !body.ReadASN1Bytes(&r.Hash, cbasn1.OCTET_STRING) {
		return r, false
	}
	if body.Empty() {
		return r, true
	}
	return r, readIssuerSerial(&body, &r) && body.Empty()
}

// readIssuerSerial reads IssuerSerial: GeneralNames, of which only one
// directoryName can be a certificate's issuer, and the serial number.
func readIssuerSerial(body *cryptobyte.String, r *CertificateReference) bool {
	var pair, names, name, issuer cryptobyte.String
	r.Serial = new(big.Int)
	if !body.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1(&names, cbasn1.SEQUENCE) ||
		!pair.ReadASN1Integer(r.Serial) || !pair.Empty() {
		return false
	}
	directoryName := cbasn1.Tag(4).ContextSpecific().Constructed()
	if !names.ReadASN1(&name, directoryName) || !name.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return true // some other name: present, and it matches no certificate
	}
	r.RawIssuer = issuer
	return true
}

// marshalReference writes a SigningCertificateV2 that names one certificate.
// SHA-256 is the default and is left out, as DER requires.
func marshalReference(certificate []byte) ([]byte, error) {
	hash := sha256.Sum256(certificate)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(hash[:])
			})
		})
	})
	return b.Bytes()
}

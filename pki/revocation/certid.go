package revocation

import (
	"bytes"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// certID names a certificate by its issuer's name and key and its serial
// number (RFC 6960 §4.1.1).
type certID struct {
	hash              algo.Identifier
	nameHash, keyHash []byte
	serial            *big.Int
}

func readCertID(s *cryptobyte.String) (certID, bool) {
	id := certID{serial: new(big.Int)}
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) {
		return id, false
	}
	var ok bool
	if id.hash, ok = algo.ReadIdentifier(&body); !ok {
		return id, false
	}
	return id, body.ReadASN1Bytes(&id.nameHash, cbasn1.OCTET_STRING) &&
		body.ReadASN1Bytes(&id.keyHash, cbasn1.OCTET_STRING) &&
		body.ReadASN1Integer(id.serial) && body.Empty()
}

// names reports whether the identifier is that of the subject: issuer name,
// issuer key and serial number all match.
func (id certID) names(s Subject) (bool, error) {
	if id.serial.Cmp(s.Certificate.Serial) != 0 {
		return false, nil
	}
	digest, err := algo.DigestByIdentifier(id.hash)
	if err != nil {
		return false, err
	}
	return bytes.Equal(id.nameHash, digest.Sum(s.Certificate.RawIssuer)) &&
		bytes.Equal(id.keyHash, digest.Sum(s.Issuer.KeyBits())), nil
}

// requestDigest is the digest of the identifiers we ask with; NUC RK and the
// common responders take it.
var requestDigest = algo.SHA256

func addCertID(b *cryptobyte.Builder, s Subject) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		// Responders of old expect NULL where RFC 5754 would leave it out.
		algo.Identifier{OID: requestDigest.OID, Parameters: []byte{0x05, 0x00}}.AddTo(b)
		b.AddASN1OctetString(requestDigest.Sum(s.Certificate.RawIssuer))
		b.AddASN1OctetString(requestDigest.Sum(s.Issuer.KeyBits()))
		b.AddASN1BigInt(s.Certificate.Serial)
	})
}

// Request writes an OCSP request for the subject (RFC 6960 §4.1.1), with a
// nonce of 1 to 128 octets unless that is empty (RFC 9654 §2.1).
func Request(s Subject, nonce []byte) ([]byte, error) {
	if len(nonce) > nonceLengthMax {
		return nil, fault.New(fault.BadArgument, "", "a nonce of %d bytes, at most %d", len(nonce), nonceLengthMax)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // tbsRequest
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // requestList
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addCertID(b, s) })
			})
			if len(nonce) > 0 {
				b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { addNonce(b, nonce) })
			}
		})
	})
	return b.Bytes()
}

// RFC 9654 §2.1: a nonce has 1 to 128 octets, and a client's at least 32. We send
// 32, which is also the most that a responder of RFC 8954 takes.
const (
	nonceLength    = 32
	nonceLengthMax = 128
)

func addNonce(b *cryptobyte.Builder, nonce []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidNonce)
			b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
		})
	})
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

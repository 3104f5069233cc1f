package nca

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
	"math/big"
	"time"
)

// The structures of RFC 6960 §4, written for encoding/asn1. golang.org/x/crypto/ocsp
// reads no nonce, writes none, and cuts producedAt to the minute, so it serves
// the tests as a counterpart instead.
type (
	certID struct {
		Hash     pkix.AlgorithmIdentifier
		NameHash []byte
		KeyHash  []byte
		Serial   *big.Int
	}
	singleRequest struct {
		ID         certID
		Extensions []pkix.Extension `asn1:"optional,explicit,tag:0"`
	}
	tbsRequest struct {
		Version    int           `asn1:"optional,explicit,default:0,tag:0"`
		Requestor  asn1.RawValue `asn1:"optional,explicit,tag:1"`
		Requests   []singleRequest
		Extensions []pkix.Extension `asn1:"optional,explicit,tag:2"`
	}
	ocspRequest struct {
		TBS       tbsRequest
		Signature asn1.RawValue `asn1:"optional,explicit,tag:0"`
	}

	revokedInfo struct {
		Time   time.Time       `asn1:"generalized"`
		Reason asn1.Enumerated `asn1:"optional,explicit,tag:0"`
	}
	singleResponse struct {
		ID         certID
		Good       asn1.Flag   `asn1:"optional,tag:0"`
		Revoked    revokedInfo `asn1:"optional,tag:1"`
		ThisUpdate time.Time   `asn1:"generalized"`
	}
	responseData struct {
		Responder  asn1.RawValue
		ProducedAt time.Time `asn1:"generalized"`
		Responses  []singleResponse
		Extensions []pkix.Extension `asn1:"explicit,tag:1"`
	}
	basicResponse struct {
		Data         asn1.RawValue
		Algorithm    pkix.AlgorithmIdentifier
		Signature    asn1.BitString
		Certificates []asn1.RawValue `asn1:"explicit,tag:0"`
	}
	responseBytes struct {
		Type     oid
		Response []byte
	}
	ocspResponse struct {
		Status asn1.Enumerated
		Bytes  responseBytes `asn1:"optional,explicit,tag:0"`
	}
)

var (
	oidBasicResponse   = oid{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce           = oid{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidExtendedRevoked = oid{1, 3, 6, 1, 5, 5, 7, 48, 1, 9}
)

// OCSPResponseStatus (RFC 6960 §4.2.1).
const (
	ocspMalformed     = 1
	ocspInternalError = 2
	ocspUnauthorized  = 6
)

// ocspRequestsMax bounds one request; NUC RK's clients ask about one certificate.
const ocspRequestsMax = 16

// staleAge is how old an answer under the stale fault is.
const staleAge = 30 * 24 * time.Hour

// certIDHashes are the functions that a CertID may be made with.
var certIDHashes = map[string]func() hash.Hash{
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.1": sha256.New,
	"2.16.840.1.101.3.4.2.2": sha512.New384,
	"2.16.840.1.101.3.4.2.3": sha512.New,
}

func ocspError(status int) []byte {
	der, err := asn1.Marshal(struct{ Status asn1.Enumerated }{asn1.Enumerated(status)})
	if err != nil {
		return nil
	}
	return der
}

// respondOCSP answers a request, whatever it is.
func (a *Authority) respondOCSP(request []byte, f Fault) []byte {
	var parsed ocspRequest
	rest, err := asn1.Unmarshal(request, &parsed)
	if err != nil || len(rest) > 0 || len(parsed.TBS.Requests) == 0 || len(parsed.TBS.Requests) > ocspRequestsMax {
		return ocspError(ocspMalformed)
	}
	now := a.now().UTC().Truncate(time.Second)
	if f == Stale {
		now = now.Add(-staleAge)
	}
	b := a.asked(parsed.TBS.Requests[0].ID)
	if b == nil {
		return ocspError(ocspUnauthorized)
	}
	signer := b.responder
	if f == WrongResponder {
		signer = a.stamper // certified by the same CA, without the OCSPSigning purpose
	}
	data := responseData{
		Responder:  asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: signer.certificate.RawSubject},
		ProducedAt: now,
		Extensions: []pkix.Extension{{Id: oidExtendedRevoked, Value: []byte{asn1.TagNull, 0}}},
	}
	for _, r := range parsed.TBS.Requests {
		if a.asked(r.ID) != b {
			return ocspError(ocspUnauthorized)
		}
		data.Responses = append(data.Responses, a.status(b, r.ID, now))
	}
	if f == WrongCertificate {
		data.Responses[0].ID.Serial = new(big.Int).Add(data.Responses[0].ID.Serial, big.NewInt(1))
	}
	for _, e := range parsed.TBS.Extensions {
		if e.Id.Equal(oidNonce) {
			nonce := pkix.Extension{Id: oidNonce, Value: bytes.Clone(e.Value)}
			if f == WrongNonce && len(nonce.Value) > 0 {
				nonce.Value[len(nonce.Value)-1] ^= 1
			}
			data.Extensions = append(data.Extensions, nonce)
		}
	}
	return signOCSP(data, signer, f)
}

// asked is the branch whose issuing CA the CertID names; nil if none.
func (a *Authority) asked(id certID) *branch {
	make, known := certIDHashes[id.Hash.Algorithm.String()]
	if !known {
		return nil
	}
	sum := func(b []byte) []byte {
		h := make()
		h.Write(b)
		return h.Sum(nil)
	}
	for _, b := range a.branches() {
		key, err := subjectPublicKeyBits(b.issuing.certificate.RawSubjectPublicKeyInfo)
		if err == nil && bytes.Equal(id.NameHash, sum(b.issuing.certificate.RawSubject)) && bytes.Equal(id.KeyHash, sum(key)) {
			return b
		}
	}
	return nil
}

// status is the answer about one certificate. As NUC RK does: no nextUpdate, and
// a serial that was never issued is revoked since 1970 with certificateHold
// (RFC 6960 §2.2, extended revoked definition).
func (a *Authority) status(b *branch, id certID, now time.Time) singleResponse {
	response := singleResponse{ID: id, ThisUpdate: now}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch row := a.register.Certificates[serialHex(id.Serial)]; {
	case row == nil || a.named(row.Branch) != b:
		response.Revoked = revokedInfo{Time: time.Unix(0, 0).UTC(), Reason: reasonHold}
	case row.Status == Good:
		response.Good = true
	default:
		response.Revoked = revokedInfo{Time: row.Since, Reason: asn1.Enumerated(row.Reason)}
	}
	return response
}

func signOCSP(data responseData, signer keyPair, f Fault) []byte {
	tbs, err := asn1.Marshal(data)
	if err != nil {
		return ocspError(ocspInternalError)
	}
	signature, algorithm, err := sign(signer.key, tbs)
	if err != nil {
		return ocspError(ocspInternalError)
	}
	if f == BadSignature {
		signature[len(signature)-1] ^= 1
	}
	basic, err := asn1.Marshal(basicResponse{
		Data:         asn1.RawValue{FullBytes: tbs},
		Algorithm:    algorithm,
		Signature:    asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
		Certificates: []asn1.RawValue{{FullBytes: signer.certificate.Raw}},
	})
	if err != nil {
		return ocspError(ocspInternalError)
	}
	der, err := asn1.Marshal(ocspResponse{Bytes: responseBytes{oidBasicResponse, basic}})
	if err != nil {
		return ocspError(ocspInternalError)
	}
	return der
}

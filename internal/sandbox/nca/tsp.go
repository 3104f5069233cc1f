package nca

import (
	"bytes"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"

	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
)

// The structures of RFC 3161 §2.4, written for encoding/asn1.
type (
	messageImprint struct {
		Hash   pkix.AlgorithmIdentifier
		Digest []byte
	}
	timestampRequest struct {
		Version    int
		Imprint    messageImprint
		Policy     oid              `asn1:"optional"`
		Nonce      *big.Int         `asn1:"optional"`
		CertReq    bool             `asn1:"optional"`
		Extensions []pkix.Extension `asn1:"optional,tag:0"`
	}
	accuracy struct {
		Seconds int `asn1:"optional"`
	}
	timestampInfo struct {
		Version  int
		Policy   oid
		Imprint  messageImprint
		Serial   *big.Int
		Time     time.Time `asn1:"generalized"`
		Accuracy accuracy  `asn1:"optional"`
		Nonce    *big.Int  `asn1:"optional"`
		TSA      asn1.RawValue
	}
	statusInfo struct {
		Status  int
		Text    []asn1.RawValue `asn1:"optional"` // PKIFreeText: UTF8Strings
		Failure asn1.BitString  `asn1:"optional"`
	}
	timestampResponse struct {
		Status statusInfo
		Token  asn1.RawValue `asn1:"optional"`
	}
)

// PKIStatus and PKIFailureInfo (RFC 3161 §2.4.2).
const (
	statusGranted   = 0
	statusRejection = 2

	failBadAlgorithm     = 0
	failBadRequest       = 2
	failBadFormat        = 5
	failTimeNotAvailable = 14
	failPolicy           = 15
	failExtension        = 16
	failSystem           = 25
)

// imprintSizes lists the digests that are stamped.
var imprintSizes = map[string]int{
	"2.16.840.1.101.3.4.2.1": 32,
	"2.16.840.1.101.3.4.2.2": 48,
	"2.16.840.1.101.3.4.2.3": 64,
}

// timestampAccuracySeconds: genTime is cut to whole seconds.
const timestampAccuracySeconds = 1

// respondTSP answers a request, whatever it is.
func (a *Authority) respondTSP(request []byte, f Fault) []byte {
	var r timestampRequest
	if rest, err := asn1.Unmarshal(request, &r); err != nil || len(rest) > 0 {
		return rejection(failBadFormat, "the request is not a TimeStampReq")
	}
	if f == Reject {
		return rejection(failTimeNotAvailable, "the time source is not available")
	}
	if failure, text := check(r); text != "" {
		return rejection(failure, text)
	}
	info, err := a.timestampInfo(r, f)
	if err != nil {
		return rejection(failSystem, "the token cannot be made")
	}
	token, err := a.timestampToken(info, r.CertReq, f)
	if err != nil {
		return rejection(failSystem, "the token cannot be signed")
	}
	der, err := asn1.Marshal(timestampResponse{Status: statusInfo{Status: statusGranted}, Token: asn1.RawValue{FullBytes: token}})
	if err != nil {
		return rejection(failSystem, "the answer cannot be encoded")
	}
	return der
}

// check gives the reason to refuse a request; the text is empty for none.
func check(r timestampRequest) (failure int, text string) {
	size, known := imprintSizes[r.Imprint.Hash.Algorithm.String()]
	switch {
	case r.Version != 1:
		return failBadRequest, "the request's version is not 1"
	case !known:
		return failBadAlgorithm, "the digest algorithm is not accepted"
	case len(r.Imprint.Digest) != size:
		return failBadFormat, "the digest has another length than its algorithm"
	case len(r.Policy) > 0 && !r.Policy.Equal(oidPolicyTSP):
		return failPolicy, "the policy is not accepted"
	case len(r.Extensions) > 0:
		return failExtension, "no extension is accepted"
	}
	return 0, ""
}

func rejection(failure int, text string) []byte {
	bits := make([]byte, failure/8+1)
	bits[failure/8] = 0x80 >> (failure % 8)
	der, err := asn1.Marshal(timestampResponse{Status: statusInfo{
		Status: statusRejection, Text: []asn1.RawValue{{Tag: asn1.TagUTF8String, Bytes: []byte(text)}},
		Failure: asn1.BitString{Bytes: bits, BitLength: failure + 1},
	}})
	if err != nil {
		return nil
	}
	return der
}

func (a *Authority) timestampInfo(r timestampRequest, f Fault) ([]byte, error) {
	// 159 random bits: unique without a counter, and never a 21-byte INTEGER.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return nil, err
	}
	info := timestampInfo{
		Version: 1, Policy: oidPolicyTSP, Imprint: r.Imprint, Serial: serial,
		Time:     a.now().UTC().Truncate(time.Second),
		Accuracy: accuracy{timestampAccuracySeconds},
		Nonce:    r.Nonce,
		TSA:      directoryName(a.stamper.certificate.RawSubject),
	}
	switch f {
	case WrongImprint:
		info.Imprint.Digest = bytes.Clone(info.Imprint.Digest)
		info.Imprint.Digest[0] ^= 1
	case WrongNonce:
		info.Nonce = new(big.Int).Add(serial, big.NewInt(1))
	}
	return asn1.Marshal(info)
}

// directoryName is tsa [0] EXPLICIT GeneralName with directoryName [4] EXPLICIT.
func directoryName(subject []byte) asn1.RawValue {
	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: subject}
	inner, err := asn1.Marshal(name)
	if err != nil {
		return asn1.RawValue{}
	}
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}
}

func (a *Authority) timestampToken(info []byte, certReq bool, f Fault) ([]byte, error) {
	token, err := cms.Sign(cms.Template{
		Content: info, ContentType: cms.OIDTSTInfo,
		Certificate: a.stamper.certificate.Raw, Chain: [][]byte{a.Issuing()},
		OmitCertificates: !certReq, Digest: algo.SHA256, SigningTime: a.now(),
	}, a.stamper.key)
	if err != nil {
		return nil, err
	}
	if f == BadSignature {
		// There are no unsigned attributes: the signature value ends the token.
		token[len(token)-1] ^= 1
	}
	return token, nil
}

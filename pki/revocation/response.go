package revocation

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Limits of an OCSP answer. Real ones have 3 KiB and one or two of each.
const (
	responseSizeMax         = 1 << 20
	responsesMax            = 1000
	responderCertificateMax = 32
)

var (
	oidBasicResponse  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidCRLReferences  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 3}
	oidArchiveCutoff  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}
	oidExtendedRevoke = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 9}
)

// Response is a parsed BasicOCSPResponse (RFC 6960 §4.2.1).
type Response struct {
	Raw        []byte // the BasicOCSPResponse
	RawTBS     []byte
	ProducedAt time.Time

	SignatureAlgorithm algo.Identifier
	Signature          []byte

	// RawCertificates are the certificates that came along, undecoded: an odd
	// one that nobody needs must not spoil the answer.
	RawCertificates [][]byte

	responderName cert.Name // where responderKey is nil
	responderKey  []byte
	nonce         []byte // the nonce extension's value, as sent
	singles       []single
}

// single is one SingleResponse.
type single struct {
	id                     certID
	status                 Status
	thisUpdate, nextUpdate time.Time
	revokedAt              time.Time
	reason                 Reason
	archiveCutoff          time.Time // zero if it says none
}

// Serials lists the serial numbers of the certificates that it is about.
func (r *Response) Serials() []*big.Int {
	var out []*big.Int
	for _, s := range r.singles {
		out = append(out, s.id.serial)
	}
	return out
}

func ocspUnreadable(format string, args ...any) error {
	return fault.New(fault.OCSPUnreadable, "", format, args...)
}

// ParseResponse reads an OCSPResponse, or the BasicOCSPResponse inside one, as
// CAdES and CMS embed it. An answer that says that the responder did not serve
// the request is ocsp_not_successful.
func ParseResponse(der []byte) (*Response, error) {
	if len(der) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "no OCSP answer")
	}
	if len(der) > responseSizeMax {
		return nil, fault.New(fault.InputTooBig, "", "an OCSP answer of %d bytes, at most %d", len(der), responseSizeMax)
	}
	input := cryptobyte.String(der)
	var body cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, ocspUnreadable("not one SEQUENCE")
	}
	if !body.PeekASN1Tag(cbasn1.ENUM) {
		return parseBasic(der)
	}
	basic, err := unwrap(body)
	if err != nil {
		return nil, err
	}
	return parseBasic(basic)
}

// responseStatuses names OCSPResponseStatus; 0 is success, 4 was never used.
var responseStatuses = map[int]string{1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}

func unwrap(body cryptobyte.String) ([]byte, error) {
	var status int
	if !body.ReadASN1Enum(&status) {
		return nil, ocspUnreadable("responseStatus is malformed")
	}
	if status != 0 {
		name, known := responseStatuses[status]
		if !known {
			return nil, ocspUnreadable("responseStatus %d", status)
		}
		return nil, fault.New(fault.OCSPNotSuccessful, "", "%s", name)
	}
	var wrapped, response, basic cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !body.ReadASN1(&wrapped, explicit(0)) || !body.Empty() ||
		!wrapped.ReadASN1(&response, cbasn1.SEQUENCE) || !wrapped.Empty() ||
		!response.ReadASN1ObjectIdentifier(&kind) ||
		!response.ReadASN1(&basic, cbasn1.OCTET_STRING) || !response.Empty() {
		return nil, ocspUnreadable("responseBytes are malformed")
	}
	if !kind.Equal(oidBasicResponse) {
		return nil, ocspUnreadable("a response of type %s", kind)
	}
	return basic, nil
}

func parseBasic(der []byte) (*Response, error) {
	r := &Response{Raw: bytes.Clone(der)}
	input := cryptobyte.String(r.Raw)
	var body, tbs cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() || !body.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, ocspUnreadable("BasicOCSPResponse is malformed")
	}
	r.RawTBS = tbs
	var ok bool
	if r.SignatureAlgorithm, ok = algo.ReadIdentifier(&body); !ok || !body.ReadASN1BitStringAsBytes(&r.Signature) {
		return nil, ocspUnreadable("the signature is malformed")
	}
	var wrapped, list cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&wrapped, &present, explicit(0)) || !body.Empty() {
		return nil, ocspUnreadable("malformed end")
	}
	if present && (!wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty()) {
		return nil, ocspUnreadable("certs are malformed")
	}
	for !list.Empty() {
		var c cryptobyte.String
		if len(r.RawCertificates) == responderCertificateMax || !list.ReadASN1Element(&c, cbasn1.SEQUENCE) {
			return nil, ocspUnreadable("certs are malformed, or more than %d", responderCertificateMax)
		}
		r.RawCertificates = append(r.RawCertificates, c)
	}
	if err := r.parseData(tbs); err != nil {
		return nil, err
	}
	return r, nil
}

// parseData reads ResponseData.
func (r *Response) parseData(element cryptobyte.String) error {
	var data, list cryptobyte.String
	element.ReadASN1(&data, cbasn1.SEQUENCE) // read once by the caller
	version := 0
	if !data.ReadOptionalASN1Integer(&version, explicit(0), 0) || version != 0 {
		return ocspUnreadable("a version other than 1")
	}
	if err := r.parseResponderID(&data); err != nil {
		return err
	}
	var ok bool
	if r.ProducedAt, ok = cert.ReadTime(&data); !ok || !data.ReadASN1(&list, cbasn1.SEQUENCE) {
		return ocspUnreadable("ResponseData is malformed")
	}
	for !list.Empty() {
		if len(r.singles) == responsesMax {
			return ocspUnreadable("more than %d answers", responsesMax)
		}
		s, err := readSingle(&list)
		if err != nil {
			return err
		}
		r.singles = append(r.singles, s)
	}
	extensions, err := readExtensions(&data, 1, oidNonce, oidExtendedRevoke)
	if err != nil {
		return err
	}
	if !data.Empty() {
		return ocspUnreadable("ResponseData goes on")
	}
	for _, e := range extensions {
		if e.OID.Equal(oidNonce) {
			r.nonce = e.Value
		}
	}
	return nil
}

func (r *Response) parseResponderID(data *cryptobyte.String) error {
	var choice, key cryptobyte.String
	if data.PeekASN1Tag(explicit(1)) {
		if !data.ReadASN1(&choice, explicit(1)) {
			return ocspUnreadable("responderID is malformed")
		}
		var err error
		if r.responderName, err = cert.ParseName(choice); err != nil {
			return ocspUnreadable("the responder's name is malformed")
		}
		return nil
	}
	if !data.ReadASN1(&choice, explicit(2)) || !choice.ReadASN1(&key, cbasn1.OCTET_STRING) || !choice.Empty() || len(key) != sha1.Size {
		return ocspUnreadable("responderID is malformed")
	}
	r.responderKey = key
	return nil
}

// readExtensions reads optional Extensions and refuses a critical one that is
// not among the known.
func readExtensions(s *cryptobyte.String, tag uint8, known ...asn1.ObjectIdentifier) ([]cert.Extension, error) {
	var wrapped, list cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&wrapped, &present, explicit(tag)) ||
		present && (!wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty()) {
		return nil, ocspUnreadable("extensions are malformed")
	}
	extensions, err := cert.ReadExtensions(list)
	if err != nil {
		return nil, fault.Wrap(err, fault.OCSPUnreadable, "", "read extensions")
	}
	return extensions, refuseCritical(extensions, known)
}

func refuseCritical(extensions []cert.Extension, known []asn1.ObjectIdentifier) error {
	for _, e := range extensions {
		processed := false
		for _, oid := range known {
			processed = processed || oid.Equal(e.OID)
		}
		if e.Critical && !processed {
			return fault.New(fault.CriticalExtensionUnknown, "", "extension %s", e.OID)
		}
	}
	return nil
}

// readSingle reads a SingleResponse.
func readSingle(list *cryptobyte.String) (single, error) {
	var body cryptobyte.String
	if !list.ReadASN1(&body, cbasn1.SEQUENCE) {
		return single{}, ocspUnreadable("an answer is malformed")
	}
	var s single
	var ok bool
	if s.id, ok = readCertID(&body); !ok {
		return single{}, ocspUnreadable("a CertID is malformed")
	}
	if !s.readStatus(&body) {
		return single{}, ocspUnreadable("a status is malformed")
	}
	if s.thisUpdate, ok = cert.ReadTime(&body); !ok {
		return single{}, ocspUnreadable("thisUpdate is malformed")
	}
	var next cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&next, &present, explicit(0)) {
		return single{}, ocspUnreadable("nextUpdate is malformed")
	}
	if present {
		if s.nextUpdate, ok = cert.ReadTime(&next); !ok || !next.Empty() {
			return single{}, ocspUnreadable("nextUpdate is malformed")
		}
	}
	extensions, err := readExtensions(&body, 1, oidCRLReferences, oidArchiveCutoff)
	if err != nil {
		return single{}, err
	}
	for _, e := range extensions {
		value := cryptobyte.String(e.Value)
		if !e.OID.Equal(oidArchiveCutoff) {
			continue
		}
		if s.archiveCutoff, ok = cert.ReadTime(&value); !ok || !value.Empty() {
			return single{}, ocspUnreadable("an archive cutoff is malformed")
		}
	}
	if !body.Empty() {
		return single{}, ocspUnreadable("an answer goes on")
	}
	return s, nil
}

// readStatus reads CertStatus: [0] good, [1] revoked, [2] unknown.
func (s *single) readStatus(body *cryptobyte.String) bool {
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !body.ReadAnyASN1(&content, &tag) {
		return false
	}
	switch tag {
	case cbasn1.Tag(0).ContextSpecific():
		s.status = Good
		return content.Empty()
	case cbasn1.Tag(2).ContextSpecific():
		s.status = Unknown
		return content.Empty()
	case explicit(1):
		s.status = Revoked
		return s.readRevoked(content)
	}
	return false
}

func (s *single) readRevoked(content cryptobyte.String) bool {
	var ok bool
	if s.revokedAt, ok = cert.ReadTime(&content); !ok {
		return false
	}
	var wrapped cryptobyte.String
	var present bool
	if !content.ReadOptionalASN1(&wrapped, &present, explicit(0)) || !content.Empty() {
		return false
	}
	if present {
		var reason int
		if !wrapped.ReadASN1Enum(&reason) || !wrapped.Empty() {
			return false
		}
		s.reason = Reason(reason)
	}
	if s.neverIssued() {
		s.status, s.revokedAt, s.reason = Unknown, time.Time{}, Unspecified
	}
	return true
}

// neverIssued recognises how a responder with extended revoke says that it
// does not know the serial number (RFC 6960 §2.2). NUC RK announces that
// extension in every answer, so only the date and the reason tell.
func (s *single) neverIssued() bool {
	return s.revokedAt.Equal(time.Unix(0, 0)) && s.reason == CertificateHold
}

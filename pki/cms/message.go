package cms

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/ber"
)

// Limits bound what a message may hold. They are checked before memory is
// spent on the part that they bound.
type Limits struct {
	Bytes            int // the whole message, content included
	Signers          int // SignerInfos: a batch of approvals, not a flood
	Certificates     int
	RevocationValues int // CRLs and OCSP answers
	DigestAlgorithms int
	Attributes       int // in one signed or unsigned set
	AttributeValues  int // in one attribute
}

// DefaultLimits hold for every caller that names none. 64 MiB is a scanned
// contract with annexes; larger content comes with streaming.
var DefaultLimits = Limits{
	Bytes:            64 << 20,
	Signers:          256,
	Certificates:     512,
	RevocationValues: 512,
	DigestAlgorithms: 64,
	Attributes:       128,
	AttributeValues:  128,
}

// Message is one SignedData (RFC 5652 §5.1). Its slices point into the input,
// or into its DER form if the input was BER; they must not be written to.
type Message struct {
	Raw               []byte // the ContentInfo in DER
	BER               bool   // the input was BER and has been converted
	Version           int
	DigestAlgorithms  []algo.Identifier
	ContentType       asn1.ObjectIdentifier // eContentType
	Content           []byte                // eContent without its header; nil if Detached, or if Read did not hold it
	Detached          bool                  // eContent is absent
	Certificates      [][]byte              // X.509 certificates, as sent and unparsed
	OtherCertificates int                   // attribute and other certificates, passed over
	CRLs              [][]byte              // CertificateLists, as sent
	OCSPs             [][]byte              // OCSPResponses of RFC 5940, as sent
	OtherRevocation   int                   // revocation information of another format, passed over
	Signers           []*Signer             // in the order sent

	// CertificateChoices and RevocationChoices are all elements of certificates
	// and crls, of whatever kind, as sent: an archive time-stamp lists them.
	CertificateChoices, RevocationChoices [][]byte

	head []byte // the fields before signerInfos, as sent

	// The elements of these fields with their headers, as sent; nil if absent.
	rawContentInfo, rawCertificates, rawRevocation, rawSigners []byte

	streamed *Content // of a message that Read did not hold
}

// EContent gives the content of an attached message, nil of a detached one.
func (m *Message) EContent() *Content {
	switch {
	case m.Detached:
		return nil
	case m.streamed == nil:
		m.streamed = ContentOf(m.Content)
	}
	return m.streamed
}

// Holds reports whether the content is inside the message and in memory: then
// EncapsulatedContentInfo is the whole field.
func (m *Message) Holds() bool {
	if m.Detached {
		return false
	}
	_, held := m.EContent().Bytes()
	return held
}

// Close removes what was kept of a streamed content.
func (m *Message) Close() error { return m.streamed.Close() }

// EncapsulatedContentInfo gives the field encapContentInfo as sent; of a message
// that Read did not hold, what stands before the octets of eContent in DER, which
// end the field.
func (m *Message) EncapsulatedContentInfo() []byte { return m.rawContentInfo }

// CertificateSet gives the field certificates as sent, nil if absent.
func (m *Message) CertificateSet() []byte { return m.rawCertificates }

// RevocationSet gives the field crls as sent, nil if absent.
func (m *Message) RevocationSet() []byte { return m.rawRevocation }

// Parse reads a SignedData within DefaultLimits.
func Parse(in []byte) (*Message, error) { return ParseWithin(in, DefaultLimits) }

// ParseWithin reads a SignedData in DER, or in BER after conversion.
//
// A message without signers is returned as it is (a certificate bundle is
// one): whether that is a success is the caller's to say, and for a signature
// it never is.
func ParseWithin(in []byte, l Limits) (*Message, error) {
	switch {
	case len(in) == 0:
		return nil, fault.New(fault.InputEmpty, "", "no bytes")
	case len(in) > l.Bytes:
		return nil, fault.New(fault.InputTooBig, "", "%d bytes, at most %d are read", len(in), l.Bytes)
	}
	m, err := parseDER(in, l)
	if err == nil || fault.Is(err, fault.CMSLimit) {
		return m, err
	}
	if m, framed := parseFramed(in, l); framed == nil {
		return m, nil
	}
	der, berErr := ber.ToDER(in, ber.Limits{Bytes: l.Bytes, Depth: ber.DefaultLimits.Depth, Elements: ber.DefaultLimits.Elements})
	switch {
	case fault.Is(berErr, fault.EncodingTooDeep), fault.Is(berErr, fault.InputTooBig):
		return nil, berErr
	case berErr != nil, bytes.Equal(der, in):
		return nil, err // it was DER, or nothing at all: the first reason stands
	}
	if m, err = parseDER(der, l); err != nil {
		return nil, err
	}
	m.BER = true
	return m, nil
}

var (
	tagContent      = cbasn1.Tag(0).ContextSpecific().Constructed()
	tagCertificates = cbasn1.Tag(0).ContextSpecific().Constructed()
	tagRevocation   = cbasn1.Tag(1).ContextSpecific().Constructed()
)

func malformed(at, format string, args ...any) error {
	return fault.New(fault.CMSMalformed, at, format, args...)
}

func parseDER(in []byte, l Limits) (*Message, error) {
	s := cryptobyte.String(in)
	var info, wrapped, body cryptobyte.String
	var outer asn1.ObjectIdentifier
	switch {
	case !s.ReadASN1(&info, cbasn1.SEQUENCE):
		return nil, malformed("/", "not a ContentInfo in DER")
	case !s.Empty():
		return nil, malformed("/", "%d bytes follow the message", len(s))
	case !readOID(&info, &outer):
		return nil, malformed("/contentType", "not an object identifier")
	case !outer.Equal(OIDSignedData):
		return nil, fault.New(fault.CMSNotSigned, "/contentType", "content type %s, not SignedData", outer)
	case !info.ReadASN1(&wrapped, tagContent) || !info.Empty():
		return nil, malformed("/content", "not one [0] EXPLICIT value")
	case !wrapped.ReadASN1(&body, cbasn1.SEQUENCE) || !wrapped.Empty():
		return nil, malformed("/content", "not one SignedData")
	}
	m := &Message{Raw: in}
	return m, m.readBody(body, l)
}

// readBody reads the fields of SignedData in their order (RFC 5652 §5.1).
func (m *Message) readBody(body cryptobyte.String, l Limits) error {
	whole := []byte(body)
	if !body.ReadASN1Integer(&m.Version) || m.Version < 0 || m.Version > 5 {
		return malformed("/version", "not a version of SignedData")
	}
	if err := m.readDigestAlgorithms(&body, l); err != nil {
		return err
	}
	if err := m.readContent(&body); err != nil {
		return err
	}
	if err := m.readCertificates(&body, l); err != nil {
		return err
	}
	if err := m.readRevocation(&body, l); err != nil {
		return err
	}
	m.head, m.rawSigners = whole[:len(whole)-len(body)], body
	if err := m.readSigners(&body, l); err != nil {
		return err
	}
	if !body.Empty() {
		return malformed("/", "%d bytes follow signerInfos", len(body))
	}
	return nil
}

func (m *Message) readDigestAlgorithms(body *cryptobyte.String, l Limits) error {
	var set cryptobyte.String
	if !body.ReadASN1(&set, cbasn1.SET) {
		return malformed("/digestAlgorithms", "not a SET")
	}
	for !set.Empty() {
		if len(m.DigestAlgorithms) == l.DigestAlgorithms {
			return limit("/digestAlgorithms", l.DigestAlgorithms)
		}
		id, ok := algo.ReadIdentifier(&set)
		if !ok {
			return malformed("/digestAlgorithms", "not an AlgorithmIdentifier")
		}
		m.DigestAlgorithms = append(m.DigestAlgorithms, id)
	}
	return nil
}

// readContent reads EncapsulatedContentInfo (§5.2). Content that is not an
// OCTET STRING is PKCS #7 1.5 (§5.2.1), which no signer here produces.
func (m *Message) readContent(body *cryptobyte.String) error {
	var encap, explicit cryptobyte.String
	var present bool
	m.rawContentInfo = *body
	defer func() { m.rawContentInfo = m.rawContentInfo[:len(m.rawContentInfo)-len(*body)] }()
	switch {
	case !body.ReadASN1(&encap, cbasn1.SEQUENCE):
		return malformed("/encapContentInfo", "not a SEQUENCE")
	case !readOID(&encap, &m.ContentType):
		return malformed("/encapContentInfo/eContentType", "not an object identifier")
	case !encap.ReadOptionalASN1(&explicit, &present, tagContent) || !encap.Empty():
		return malformed("/encapContentInfo/eContent", "not one [0] EXPLICIT value")
	}
	if !present {
		m.Detached = true
		return nil
	}
	var content cryptobyte.String
	if !explicit.ReadASN1(&content, cbasn1.OCTET_STRING) || !explicit.Empty() {
		return malformed("/encapContentInfo/eContent", "not one OCTET STRING")
	}
	m.Content = content
	return nil
}

// readCertificates reads CertificateSet (§10.2.3): X.509 certificates raw,
// attribute certificates and the obsolete kinds counted only.
func (m *Message) readCertificates(body *cryptobyte.String, l Limits) error {
	raw, set, ok := readOptional(body, tagCertificates)
	if !ok {
		return malformed("/certificates", "not a [0] IMPLICIT SET")
	}
	if raw == nil {
		return nil
	}
	m.rawCertificates = raw
	m.CertificateChoices = make([][]byte, 0, min(count(set), l.Certificates))
	for !set.Empty() {
		if len(m.CertificateChoices) == l.Certificates {
			return limit("/certificates", l.Certificates)
		}
		var choice cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadAnyASN1Element(&choice, &tag) {
			return malformed("/certificates", "not a CertificateChoices")
		}
		m.CertificateChoices = append(m.CertificateChoices, choice)
		if tag != cbasn1.SEQUENCE {
			m.OtherCertificates++
		}
	}
	m.Certificates = m.CertificateChoices
	if m.OtherCertificates > 0 {
		m.Certificates = slices.DeleteFunc(slices.Clone(m.CertificateChoices), func(c []byte) bool { return c[0] != byte(cbasn1.SEQUENCE) })
	}
	return nil
}

// readOptional reads an optional field, whole and what is in it; ok is false if
// it is there and malformed.
func readOptional(body *cryptobyte.String, tag cbasn1.Tag) (raw []byte, inner cryptobyte.String, ok bool) {
	if !body.PeekASN1Tag(tag) {
		return nil, nil, true
	}
	var element cryptobyte.String
	if !body.ReadASN1Element(&element, tag) {
		return nil, nil, false
	}
	raw = element
	ok = element.ReadASN1(&inner, tag)
	return raw, inner, ok
}

// readRevocation reads RevocationInfoChoices (§10.2.1): CRLs, and OCSP answers
// in the form of RFC 5940.
func (m *Message) readRevocation(body *cryptobyte.String, l Limits) error {
	raw, set, ok := readOptional(body, tagRevocation)
	if !ok {
		return malformed("/crls", "not a [1] IMPLICIT SET")
	}
	m.rawRevocation = raw
	for !set.Empty() {
		if len(m.RevocationChoices) == l.RevocationValues {
			return limit("/crls", l.RevocationValues)
		}
		var choice, value cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadAnyASN1Element(&choice, &tag) {
			return malformed("/crls", "not a RevocationInfoChoice")
		}
		m.RevocationChoices = append(m.RevocationChoices, choice)
		switch {
		case tag == cbasn1.SEQUENCE:
			m.CRLs = append(m.CRLs, choice)
		case tag == tagRevocation && readOtherRevocation(choice, &value):
			m.OCSPs = append(m.OCSPs, value)
		default:
			m.OtherRevocation++
		}
	}
	return nil
}

// readOtherRevocation reads OtherRevocationInfoFormat and reports whether its
// value is an OCSP answer: an OCSPResponse by RFC 5940, or, as some producers of
// CAdES write, the BasicOCSPResponse alone under its own identifier.
func readOtherRevocation(raw cryptobyte.String, value *cryptobyte.String) bool {
	var other cryptobyte.String
	var format asn1.ObjectIdentifier
	var tag cbasn1.Tag
	return raw.ReadASN1(&other, tagRevocation) &&
		other.ReadASN1ObjectIdentifier(&format) && (format.Equal(oidOCSPInfo) || format.Equal(oidOCSPBasic)) &&
		other.ReadAnyASN1Element(value, &tag) && other.Empty()
}

// RevocationValue gives the CRL or OCSP answer in an element of RevocationChoices;
// the element itself if it is of another kind.
func RevocationValue(choice []byte) []byte {
	var value cryptobyte.String
	if readOtherRevocation(choice, &value) {
		return value
	}
	return choice
}

func (m *Message) readSigners(body *cryptobyte.String, l Limits) error {
	var set cryptobyte.String
	if !body.ReadASN1(&set, cbasn1.SET) {
		return malformed("/signerInfos", "not a SET")
	}
	for !set.Empty() {
		if len(m.Signers) == l.Signers {
			return limit("/signerInfos", l.Signers)
		}
		signer, err := readSigner(&set, func() string { return fmt.Sprintf("/signerInfos/%d", len(m.Signers)) }, l)
		if err != nil {
			return err
		}
		m.Signers = append(m.Signers, signer)
	}
	return nil
}

func limit(at string, max int) error {
	return fault.New(fault.CMSLimit, at, "more than %d", max)
}

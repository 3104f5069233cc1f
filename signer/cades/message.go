package cades

import (
	"bytes"
	"context"
	"encoding/asn1"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
)

// Message is a SignedData to which signatures and proofs are added. It is made
// by Sign or Open. It holds everything but the content, as it was read.
type Message struct {
	// Reframed says that the message was read in BER, and that what encloses its
	// parts is written in DER.
	Reframed bool

	version          int
	digestAlgorithms [][]byte
	contentType      []byte   // the whole element
	content          *content // nil if it is detached
	certificates     [][]byte // CertificateChoices
	revocation       [][]byte // RevocationInfoChoices
	signers          []*signerInfo
}

// signerInfo is a SignerInfo (RFC 5652 §5.3) in two halves: what never changes,
// and what only grows.
type signerInfo struct {
	head     []byte   // the fields before unsignedAttrs
	unsigned [][]byte // attributes
}

var (
	tagSigned   = cbasn1.Tag(0).ContextSpecific().Constructed()
	tagUnsigned = cbasn1.Tag(1).ContextSpecific().Constructed()
)

// newSignerInfo takes a SignerInfo apart.
func newSignerInfo(raw []byte) (*signerInfo, bool) {
	element := cryptobyte.String(raw)
	var info, attributes cryptobyte.String
	if !element.ReadASN1(&info, cbasn1.SEQUENCE) {
		return nil, false
	}
	fields := []byte(info)
	var signer, digest, algorithm, value cryptobyte.String
	var tag cbasn1.Tag
	ok := info.SkipASN1(cbasn1.INTEGER) && info.ReadAnyASN1Element(&signer, &tag) &&
		info.ReadASN1Element(&digest, cbasn1.SEQUENCE) && info.SkipOptionalASN1(tagSigned) &&
		info.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) && info.ReadASN1Element(&value, cbasn1.OCTET_STRING)
	s := &signerInfo{head: fields[:len(fields)-len(info)]}
	if ok && info.PeekASN1Tag(tagUnsigned) {
		ok = info.ReadASN1(&attributes, tagUnsigned) && split(attributes, &s.unsigned)
	}
	return s, ok && info.Empty()
}

func (s *signerInfo) addTo(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(s.head)
		if len(s.unsigned) > 0 {
			b.AddASN1(tagUnsigned, func(b *cryptobyte.Builder) { addAll(b, s.unsigned) })
		}
	})
}

func addAll(b *cryptobyte.Builder, elements [][]byte) {
	for _, e := range elements {
		b.AddBytes(e)
	}
}

// add puts an attribute after those that are there, because an archive
// time-stamp may depend on their order.
func (s *signerInfo) add(kind asn1.ObjectIdentifier, value []byte) error {
	raw, err := marshal(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(kind)
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(value) })
		})
	})
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "write an attribute")
	}
	s.unsigned = append(s.unsigned, raw)
	return nil
}

// Signers is how many signatures the message has, counter-signatures apart.
func (m *Message) Signers() int { return len(m.signers) }

// Detached reports whether the content is elsewhere.
func (m *Message) Detached() bool { return m.content == nil }

// WriteTo writes the message in DER. The content is read from its source now.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	return m.write(context.Background(), w)
}

// Write is WriteTo that ends with a context.
func (m *Message) Write(ctx context.Context, w io.Writer) error {
	_, err := m.write(ctx, w)
	return err
}

func (m *Message) write(ctx context.Context, w io.Writer) (int64, error) {
	head, tail, err := m.encode(true)
	if err != nil {
		return 0, err
	}
	counted := &counter{w: w}
	if _, err := counted.Write(head); err != nil {
		return counted.n, err
	}
	if m.content != nil {
		if err := m.content.copyTo(ctx, counted); err != nil {
			return counted.n, err
		}
	}
	_, err = counted.Write(tail)
	return counted.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// encode writes what stands before and after the content.
func (m *Message) encode(withContent bool) (head, tail []byte, err error) {
	tail, err = marshal(func(b *cryptobyte.Builder) {
		for n, set := range [][][]byte{m.certificates, m.revocation} {
			if len(set) > 0 {
				b.AddASN1(cbasn1.Tag(n).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { addAll(b, set) })
			}
		}
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			for _, s := range m.signers {
				s.addTo(b)
			}
		})
	})
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Internal, "", "write the signatures")
	}
	prologue, err := marshal(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(int64(m.neededVersion()))
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { addAll(b, m.digestAlgorithms) })
	})
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Internal, "", "write the message's first fields")
	}
	// From the inside out: each header needs the length of what it encloses.
	inner, length := bytes.Clone(m.contentType), int64(len(m.contentType))
	if withContent && m.content != nil {
		octets := derHeader(tagOctets, m.content.size)
		explicit := append(derHeader(tagZero, int64(len(octets))+m.content.size), octets...)
		inner = append(inner, explicit...)
		length = int64(len(inner)) + m.content.size
	}
	inner = append(derHeader(tagSequence, length), inner...)
	inner = append(prologue, inner...)
	rest := int64(len(tail))
	if withContent && m.content != nil {
		rest += m.content.size
	}
	for _, element := range []struct {
		tag    byte
		before []byte
	}{{tagSequence, nil}, {tagZero, nil}, {tagSequence, signedDataType}} {
		inner = append(bytes.Clone(element.before), inner...)
		inner = append(derHeader(element.tag, int64(len(inner))+rest), inner...)
	}
	return inner, tail, nil
}

// signedDataType is id-signedData in DER.
var signedDataType = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}

// neededVersion is the version of RFC 5652 §5.1 for what the message holds, and
// never less than the one it had.
func (m *Message) neededVersion() int {
	version := 1
	if kind, err := m.contentOID(); err != nil || !kind.Equal(cms.OIDData) {
		version = 3
	}
	for _, c := range m.certificates {
		switch cbasn1.Tag(c[0]) {
		case cbasn1.Tag(2).ContextSpecific().Constructed(): // attribute certificates of version 2
			version = max(version, 4)
		case cbasn1.Tag(3).ContextSpecific().Constructed():
			version = max(version, 5)
		}
	}
	for _, r := range m.revocation {
		if cbasn1.Tag(r[0]) != cbasn1.SEQUENCE {
			version = 5
		}
	}
	return max(version, m.version)
}

func (m *Message) contentOID() (asn1.ObjectIdentifier, error) {
	s := cryptobyte.String(m.contentType)
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return nil, malformed("/encapContentInfo/eContentType", "not an object identifier")
	}
	return oid, nil
}

// view gives the message as pki/cms reads it, without its content.
func (m *Message) view() (*cms.Message, error) {
	head, tail, err := m.encode(false)
	if err != nil {
		return nil, err
	}
	return cms.Parse(append(head, tail...))
}

// addCertificates puts certificates after those that are there, each once.
func (m *Message) addCertificates(raws ...[]byte) (added int) {
	return addOnce(&m.certificates, raws...)
}

func addOnce(set *[][]byte, elements ...[]byte) (added int) {
	for _, e := range elements {
		if !contains(*set, e) {
			*set = append(*set, e)
			added++
		}
	}
	return added
}

func contains(set [][]byte, element []byte) bool {
	for _, e := range set {
		if bytes.Equal(e, element) {
			return true
		}
	}
	return false
}

// announce adds a digest algorithm to those that a reader on one pass must use.
func (m *Message) announce(d *algo.Digest, as algo.Identifier) error {
	raw, err := marshal(func(b *cryptobyte.Builder) { as.AddTo(b) })
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "write a digest algorithm")
	}
	for _, known := range m.digestAlgorithms {
		if id, err := algo.ParseIdentifier(known); err == nil {
			if other, err := algo.DigestByIdentifier(id); err == nil && other == d {
				return nil
			}
		}
	}
	m.digestAlgorithms = append(m.digestAlgorithms, raw)
	return nil
}

func marshal(write func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	write(&b)
	return b.Bytes()
}

// derHeader writes identifier and length octets; lengths here may exceed what
// cryptobyte counts.
func derHeader(tag byte, length int64) []byte {
	if length < 0x80 {
		return []byte{tag, byte(length)}
	}
	var octets []byte
	for n := length; n > 0; n >>= 8 {
		octets = append([]byte{byte(n)}, octets...)
	}
	return append([]byte{tag, 0x80 | byte(len(octets))}, octets...)
}

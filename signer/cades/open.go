package cades

import (
	"bytes"
	"encoding/asn1"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
)

// Source is a document or a message that can be read at any place and more than
// once: a bytes.Reader, an io.SectionReader over a file.
type Source interface {
	io.ReaderAt
	Size() int64
}

// Limits of a message besides those of pki/cms, which bound everything but the
// content.
const (
	headBytesMax = 64 << 10 // what stands before the content: a version and some identifiers
	framesMax    = 16       // of constructed octet strings in each other
)

// Open reads a SignedData, in DER or BER, and leaves its content where it is. The
// refusals are those of pki/cms.
func Open(message Source) (*Message, error) {
	if message.Size() == 0 {
		return nil, fault.New(fault.InputEmpty, "", "no bytes")
	}
	f := &framing{window: window{source: message}}
	if err := f.read(); err != nil {
		return nil, err
	}
	skeleton, err := f.skeleton()
	if err != nil {
		return nil, malformed("/", "the parts do not fit together")
	}
	view, err := cms.Parse(skeleton)
	if err != nil {
		return nil, err
	}
	m, err := newMessage(view)
	if err != nil {
		return nil, err
	}
	m.content = f.content
	m.Reframed = f.ber || view.BER
	return m, nil
}

// Recognise reports whether a file begins as a SignedData does, in DER or BER.
func Recognise(file Source) bool {
	f := &framing{window: window{source: file}}
	_, err := f.open()
	return err == nil
}

// framing finds the parts of a SignedData around its content (RFC 5652 §3, §5.1).
type framing struct {
	window
	at  int64
	ber bool // a length is indefinite, or the content is in pieces

	prologue    []byte // version and digestAlgorithms
	contentType []byte
	content     *content
	tail        []byte // certificates, crls and signerInfos
}

const (
	tagInteger     = 0x02
	tagOctets      = 0x04
	tagOID         = 0x06
	tagSequence    = 0x30
	tagSet         = 0x31
	tagPieces      = 0x24 // a constructed OCTET STRING
	tagZero        = 0xa0 // [0] constructed
	indefiniteMark = 0x80
)

func malformed(at, format string, args ...any) error {
	return fault.New(fault.CMSMalformed, at, format, args...)
}

// header is the identifier and the length octets of an element.
type header struct {
	tag        byte
	indefinite bool
	size       int64 // of the header itself
	length     int64 // of the content, if definite
}

// header reads one at an offset.
func (w *window) header(at int64) (header, bool) { return readHeader(w.bytes(at, 10)) }

func readHeader(b []byte) (header, bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return header{}, false
	}
	h := header{tag: b[0], size: 2, length: int64(b[1])}
	switch {
	case b[1] == indefiniteMark:
		h.indefinite, h.length = true, 0
		return h, h.tag&0x20 != 0
	case b[1] < 0x80:
		return h, true
	}
	n := int(b[1] & 0x7f)
	if n > 7 || len(b) < 2+n {
		return header{}, false
	}
	h.size, h.length = int64(2+n), 0
	for _, octet := range b[2 : 2+n] {
		h.length = h.length<<8 | int64(octet)
	}
	return h, h.length >= 0
}

// enter steps into an element of the tag and gives the offset at which its
// content ends, or -1 if only its end-of-contents octets tell.
func (f *framing) enter(tag byte, at string) (end int64, err error) {
	h, ok := f.header(f.at)
	if !ok || h.tag != tag {
		return 0, malformed(at, "an element with the tag %#x is missing", tag)
	}
	f.at += h.size
	if h.indefinite {
		f.ber = true
		return -1, nil
	}
	if h.length > f.source.Size()-f.at {
		return 0, malformed(at, "the element is longer than the message")
	}
	return f.at + h.length, nil
}

// leave steps out of an element that must end here.
func (f *framing) leave(end int64, at string) error {
	switch {
	case end >= 0 && end != f.at:
		return malformed(at, "%d bytes too many or too few", end-f.at)
	case end < 0:
		if b := f.bytes(f.at, 2); len(b) < 2 || b[0] != 0 || b[1] != 0 {
			return malformed(at, "the end-of-contents octets are missing")
		}
		f.at += 2
	}
	return nil
}

// open reads down to the first field of SignedData and gives where SignedData
// ends: the three elements around it end with the message.
func (f *framing) open() (end int64, err error) {
	info, err := f.enter(tagSequence, "/")
	if err != nil {
		return 0, err
	}
	kind, err := f.element(tagOID, "/contentType")
	if err != nil {
		return 0, err
	}
	s := cryptobyte.String(kind)
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return 0, malformed("/contentType", "not an object identifier")
	}
	if !oid.Equal(cms.OIDSignedData) {
		return 0, fault.New(fault.CMSNotSigned, "/contentType", "content type %s, not SignedData", oid)
	}
	wrapped, err := f.enter(tagZero, "/content")
	if err != nil {
		return 0, err
	}
	body, err := f.enter(tagSequence, "/content")
	if err != nil {
		return 0, err
	}
	end = f.source.Size()
	for _, told := range []int64{info, wrapped, body} {
		if told >= 0 && told != end {
			return 0, malformed("/", "%d bytes follow the message, or are missing", end-told)
		}
		if told < 0 {
			if end -= 2; end < f.at || !bytes.Equal(f.bytes(end, 2), []byte{0, 0}) {
				return 0, malformed("/", "the end-of-contents octets are missing")
			}
		}
	}
	return end, nil
}

func (f *framing) read() error {
	end, err := f.open()
	if err != nil {
		return err
	}
	version, err := f.element(tagInteger, "/version")
	if err != nil {
		return err
	}
	digests, err := f.element(tagSet, "/digestAlgorithms")
	if err != nil {
		return err
	}
	f.prologue = append(bytes.Clone(version), digests...)
	if err := f.readContent(); err != nil {
		return err
	}
	if f.at > end {
		return malformed("/encapContentInfo", "longer than the message")
	}
	if end-f.at > int64(cms.DefaultLimits.Bytes) {
		return fault.New(fault.InputTooBig, "/signerInfos", "%d bytes besides the content, at most %d are read", end-f.at, cms.DefaultLimits.Bytes)
	}
	f.tail = make([]byte, end-f.at)
	if _, err := f.source.ReadAt(f.tail, f.at); err != nil && err != io.EOF {
		return fault.Wrap(err, fault.Unreadable, "", "read the message")
	}
	return nil
}

// readContent finds encapContentInfo (RFC 5652 §5.2).
func (f *framing) readContent() error {
	const at = "/encapContentInfo"
	encap, err := f.enter(tagSequence, at)
	if err != nil {
		return err
	}
	kind, err := f.element(tagOID, at+"/eContentType")
	if err != nil {
		return err
	}
	f.contentType = bytes.Clone(kind)
	if h, ok := f.header(f.at); ok && h.tag == tagZero && f.at != encap {
		explicit, err := f.enter(tagZero, at+"/eContent")
		if err != nil {
			return err
		}
		if err := f.findOctets(); err != nil {
			return err
		}
		if err := f.leave(explicit, at+"/eContent"); err != nil {
			return err
		}
	}
	return f.leave(encap, at)
}

// findOctets finds the OCTET STRING, whole or in pieces.
func (f *framing) findOctets() error {
	h, ok := f.header(f.at)
	if !ok || h.tag != tagOctets && h.tag != tagPieces {
		return malformed("/encapContentInfo/eContent", "not an OCTET STRING")
	}
	c := &content{source: f.source, at: f.at + h.size, size: h.length}
	f.content = c
	if h.tag == tagOctets {
		if h.length > f.source.Size()-c.at {
			return malformed("/encapContentInfo/eContent", "longer than the message")
		}
		f.at = c.at + h.length
		return nil
	}
	f.ber = true
	c.pieces, c.at, c.size = true, f.at, 0
	end, err := c.walk(&f.window, f.at, 0, func(_, n int64) error { c.size += n; return nil })
	f.at = end
	return err
}

// element gives a small element whole, header included, and steps over it.
func (f *framing) element(tag byte, at string) ([]byte, error) {
	b := f.bytes(f.at, headBytesMax)
	n := elementLength(b, 0)
	if n <= 0 || b[0] != tag {
		return nil, malformed(at, "an element with the tag %#x is missing", tag)
	}
	f.at += int64(n)
	return bytes.Clone(b[:n]), nil
}

// elementLength is the length of the BER element at the beginning of b, or 0.
func elementLength(b []byte, depth int) int {
	h, ok := readHeader(b)
	switch {
	case !ok || depth > framesMax:
		return 0
	case !h.indefinite:
		if h.length > int64(len(b))-h.size {
			return 0
		}
		return int(h.size + h.length)
	}
	at := int(h.size)
	for at+2 <= len(b) && (b[at] != 0 || b[at+1] != 0) {
		n := elementLength(b[at:], depth+1)
		if n == 0 {
			return 0
		}
		at += n
	}
	if at+2 > len(b) {
		return 0
	}
	return at + 2
}

// skeleton is the message as if it were detached.
func (f *framing) skeleton() ([]byte, error) {
	explicit := cbasn1.Tag(0).ContextSpecific().Constructed()
	return marshal(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(cms.OIDSignedData)
			b.AddASN1(explicit, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddBytes(f.prologue)
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(f.contentType) })
					b.AddBytes(f.tail)
				})
			})
		})
	})
}

// newMessage takes a parsed message without content apart.
func newMessage(view *cms.Message) (*Message, error) {
	s := cryptobyte.String(view.Raw)
	var info, wrapped, body, digests, encap, kind, set cryptobyte.String
	m := &Message{}
	ok := s.ReadASN1(&info, cbasn1.SEQUENCE) && info.SkipASN1(cbasn1.OBJECT_IDENTIFIER) &&
		info.ReadASN1(&wrapped, cbasn1.Tag(0).ContextSpecific().Constructed()) && wrapped.ReadASN1(&body, cbasn1.SEQUENCE) &&
		body.ReadASN1Integer(&m.version) && body.ReadASN1(&digests, cbasn1.SET) && split(digests, &m.digestAlgorithms) &&
		body.ReadASN1(&encap, cbasn1.SEQUENCE) && encap.ReadASN1Element(&kind, cbasn1.OBJECT_IDENTIFIER)
	m.contentType = kind
	for n, into := range []*[][]byte{&m.certificates, &m.revocation} {
		tag := cbasn1.Tag(n).ContextSpecific().Constructed()
		if ok && body.PeekASN1Tag(tag) {
			ok = body.ReadASN1(&set, tag) && split(set, into)
		}
	}
	if !ok {
		return nil, malformed("/", "not a SignedData")
	}
	for _, signer := range view.Signers {
		one, ok := newSignerInfo(signer.Raw)
		if !ok {
			return nil, malformed("/signerInfos", "not a SignerInfo")
		}
		m.signers = append(m.signers, one)
	}
	return m, nil
}

// split takes a set apart into its elements.
func split(set cryptobyte.String, into *[][]byte) bool {
	for !set.Empty() {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadAnyASN1Element(&element, &tag) {
			return false
		}
		*into = append(*into, element)
	}
	return true
}

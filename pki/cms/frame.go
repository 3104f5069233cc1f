package cms

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/ber"
)

// header is the identifier and length octets of an element in a stream.
type header struct {
	tag        byte
	length     int64
	indefinite bool
	end        int64 // offset after the element; if its length is definite
}

// message follows the frames of ContentInfo and SignedData, takes their short fields,
// passes the content by, and parses the rest.
func (x *streamed) message() (*Message, error) {
	var frames [3]header // ContentInfo, its [0], SignedData
	var err error
	if frames[0], err = x.enter(byte(cbasn1.SEQUENCE), "/"); err != nil {
		return nil, err
	}
	kind, err := x.field(byte(cbasn1.OBJECT_IDENTIFIER), "/contentType")
	if err != nil {
		return nil, err
	}
	if err := checkSignedData(kind); err != nil {
		return nil, err
	}
	if frames[1], err = x.enter(byte(tagContent), "/content"); err != nil {
		return nil, err
	}
	if frames[2], err = x.enter(byte(cbasn1.SEQUENCE), "/content"); err != nil {
		return nil, err
	}
	version, err := x.field(byte(cbasn1.INTEGER), "/version")
	if err != nil {
		return nil, err
	}
	algorithms, err := x.field(byte(cbasn1.SET), "/digestAlgorithms")
	if err != nil {
		return nil, err
	}
	contentType, prefix, err := x.encapsulated(algorithms)
	if err != nil {
		return nil, err
	}
	tail, err := x.scanner.rest(structureBytesMax)
	if err != nil {
		return nil, err
	}
	if tail, err = x.closeFrames(frames[:], tail); err != nil {
		return nil, err
	}
	return x.parse(version, algorithms, contentType, prefix, tail)
}

func checkSignedData(element []byte) error {
	s := cryptobyte.String(element)
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return malformed("/contentType", "not an object identifier")
	}
	if !oid.Equal(OIDSignedData) {
		return fault.New(fault.CMSNotSigned, "/contentType", "content type %s, not SignedData", oid)
	}
	return nil
}

// encapsulated reads EncapsulatedContentInfo and passes the content by. prefix is
// what stands before the content in DER.
func (x *streamed) encapsulated(algorithms []byte) (contentType, prefix []byte, err error) {
	const at = "/encapContentInfo"
	whole, err := x.enter(byte(cbasn1.SEQUENCE), at)
	if err != nil {
		return nil, nil, err
	}
	if contentType, err = x.field(byte(cbasn1.OBJECT_IDENTIFIER), at+"/eContentType"); err != nil {
		return nil, nil, err
	}
	present, err := x.isContentNext(whole)
	if err != nil {
		return nil, nil, err
	}
	if present {
		if err := x.eContent(at+"/eContent", algorithms); err != nil {
			return nil, nil, err
		}
		prefix = contentPrefix(contentType, x.content.size)
	}
	return contentType, prefix, x.leave(whole, at)
}

func (x *streamed) isContentNext(whole header) (bool, error) {
	if !whole.indefinite && x.scanner.offset() >= whole.end {
		return false, nil
	}
	next, err := x.scanner.peek()
	return next == byte(tagContent), err
}

// eContent passes the content through the digests that are declared and asked
// for, and into the spool if it cannot be read again.
func (x *streamed) eContent(at string, algorithms []byte) error {
	explicit, err := x.enter(byte(tagContent), at)
	if err != nil {
		return err
	}
	x.content = &Content{}
	if x.hold {
		return x.heldContent(explicit, at)
	}
	for _, d := range append(declared(algorithms), x.options.Digests...) {
		x.hashes.add(d)
	}
	head, length := &prefix{max: headBytes}, &counter{}
	sinks := append(x.hashes.writers(), head, length)
	if x.again == nil && x.options.Spool.Bytes > 0 {
		x.content.spool = newSpool(x.options.Spool)
		sinks = append(sinks, x.content.spool)
	}
	if err := x.scanner.divert(sinks...); err != nil {
		return err
	}
	from := x.scanner.offset()
	if err := x.octets(at, 0); err != nil {
		return err
	}
	if err := x.scanner.divert(); err != nil {
		return err
	}
	x.content.head, x.content.size, x.content.offset = head.b, length.n, from
	return x.leave(explicit, at)
}

// heldContent is eContent for a message in memory.
func (x *streamed) heldContent(explicit header, at string) error {
	all := &prefix{max: x.limits.Bytes, b: []byte{}}
	if err := x.scanner.divert(all); err != nil {
		return err
	}
	if err := x.octets(at, 0); err != nil {
		return err
	}
	if err := x.scanner.divert(); err != nil {
		return err
	}
	x.content.memory, x.content.size = all.b, int64(len(all.b))
	return x.leave(explicit, at)
}

// declared are the algorithms of digestAlgorithms that the table has.
func declared(algorithms []byte) []*algo.Digest {
	var out []*algo.Digest
	s := cryptobyte.String(algorithms)
	var set cryptobyte.String
	if !s.ReadASN1(&set, cbasn1.SET) {
		return nil // parsing says so
	}
	for !set.Empty() {
		id, ok := algo.ReadIdentifier(&set)
		if !ok {
			return out
		}
		if d, err := algo.DigestByIdentifier(id); err == nil {
			out = append(out, d)
		}
	}
	return out
}

// octets passes an OCTET STRING by, whole or in pieces (X.690 §8.7).
func (x *streamed) octets(at string, depth int) error {
	const primitive, constructed = byte(cbasn1.OCTET_STRING), byte(cbasn1.OCTET_STRING) | 0x20
	h, err := x.header()
	switch {
	case err != nil:
		return err
	case h.tag == primitive:
		return x.scanner.mark(h.length)
	case h.tag != constructed:
		return malformed(at, "not one OCTET STRING")
	case depth == framesMax:
		return fault.New(fault.EncodingTooDeep, at, "more than %d octet strings in each other", framesMax)
	}
	x.ber = true
	for {
		if h.indefinite {
			next, err := x.scanner.peek()
			if err != nil {
				return err
			}
			if next == 0 {
				break
			}
		} else if x.scanner.offset() >= h.end {
			break
		}
		if err := x.octets(at, depth+1); err != nil {
			return err
		}
	}
	return x.leave(h, at)
}

// header reads identifier and length octets. No tag above 30 stands before the
// end of the content.
func (x *streamed) header() (header, error) {
	var h header
	var err error
	if h.tag, err = x.scanner.byte(); err != nil {
		return h, err
	}
	first, err := x.scanner.byte()
	if err != nil {
		return h, err
	}
	switch {
	case first < 0x80:
		h.length = int64(first)
	case first == 0x80:
		if h.tag&0x20 == 0 {
			return h, malformed("/", "a primitive of indefinite length")
		}
		h.indefinite, x.ber = true, true
		return h, nil
	default:
		for range first & 0x7f {
			b, err := x.scanner.byte()
			if err != nil {
				return h, err
			}
			if h.length > 1<<54 {
				return h, malformed("/", "a length beyond every input")
			}
			h.length = h.length<<8 | int64(b)
		}
		if octets := int(first & 0x7f); octets > 8 || h.length < 0x80 || octets > 1 && h.length>>(8*(octets-1)) == 0 {
			x.ber = true // not the shortest form
		}
	}
	h.end = x.scanner.offset() + h.length
	if x.size >= 0 && h.end > x.size {
		return h, malformed("/", "an element ends after the message")
	}
	return h, nil
}

// enter reads the header of a constructed element.
func (x *streamed) enter(tag byte, at string) (header, error) {
	h, err := x.header()
	if err == nil && h.tag != tag {
		err = malformed(at, "tag %#x instead of %#x", h.tag, tag)
	}
	return h, err
}

// leave makes sure that an element ends here.
func (x *streamed) leave(h header, at string) error {
	if !h.indefinite {
		if x.scanner.offset() != h.end {
			return malformed(at, "it does not end where its length says")
		}
		return nil
	}
	end, err := x.scanner.take(2)
	if err != nil {
		return err
	}
	if end[0] != 0 || end[1] != 0 {
		return malformed(at, "something follows its last part")
	}
	return nil
}

// field reads a short element into DER.
func (x *streamed) field(tag byte, at string) ([]byte, error) {
	h, err := x.enter(tag, at)
	switch {
	case err != nil:
		return nil, err
	case h.indefinite || h.length > fieldBytesMax:
		return nil, malformed(at, "longer than %d bytes, or of indefinite length", fieldBytesMax)
	}
	content, err := x.scanner.take(int(h.length))
	if err != nil {
		return nil, err
	}
	return append(appendHeader(nil, tag, h.length), content...), nil
}

// closeFrames takes off the tail what ends the elements around SignedData's
// fields, from the outermost in.
func (x *streamed) closeFrames(frames []header, tail []byte) ([]byte, error) {
	end := x.scanner.offset()
	for _, f := range frames {
		if f.indefinite {
			if len(tail) < 2 || tail[len(tail)-1] != 0 || tail[len(tail)-2] != 0 {
				return nil, malformed("/", "the message does not end where it should")
			}
			tail, end = tail[:len(tail)-2], end-2
			continue
		}
		if f.end != end {
			return nil, malformed("/", "%d bytes follow the message, or are missing", end-f.end)
		}
	}
	return tail, nil
}

// parse reads the fields as those of a message without its content.
func (x *streamed) parse(version, algorithms, contentType, prefix, tail []byte) (*Message, error) {
	body := appendHeader(nil, byte(cbasn1.SEQUENCE), int64(len(contentType)))
	body = append(append(append(append(version[:len(version):len(version)], algorithms...), body...), contentType...), tail...)
	l := x.limits
	l.Bytes = structureBytesMax + 4*fieldBytesMax
	m := &Message{}
	err := m.readBody(body, l)
	if err != nil && !fault.Is(err, fault.CMSLimit) {
		var der []byte
		if der, err = x.toDER(body, err); err == nil {
			m, x.ber = &Message{}, true
			err = m.readBody(der, l)
		}
	}
	if err != nil {
		return nil, err
	}
	m.BER = x.ber
	if x.content != nil {
		m.Detached, m.streamed, m.rawContentInfo = false, x.content, prefix
	}
	return m, nil
}

// toDER converts the fields; if that makes no difference, the first reason why
// they could not be read stands.
func (x *streamed) toDER(body []byte, why error) ([]byte, error) {
	whole := append(appendHeader(nil, byte(cbasn1.SEQUENCE), int64(len(body))), body...)
	der, err := ber.ToDER(whole, ber.Limits{Bytes: len(whole), Depth: ber.DefaultLimits.Depth, Elements: ber.DefaultLimits.Elements})
	switch {
	case fault.Is(err, fault.EncodingTooDeep), fault.Is(err, fault.InputTooBig):
		return nil, err
	case err != nil || bytes.Equal(der, whole):
		return nil, why
	}
	s := cryptobyte.String(der)
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) {
		return nil, why
	}
	return content, nil
}

// contentPrefix is what stands before the octets of eContent in the DER of
// EncapsulatedContentInfo.
func contentPrefix(contentType []byte, size int64) []byte {
	octets := appendHeader(nil, byte(cbasn1.OCTET_STRING), size)
	inner := append(bytes.Clone(contentType), appendHeader(nil, byte(tagContent), int64(len(octets))+size)...)
	inner = append(inner, octets...)
	return append(appendHeader(nil, byte(cbasn1.SEQUENCE), int64(len(inner))+size), inner...)
}

// appendHeader writes identifier and length octets in DER.
func appendHeader(b []byte, tag byte, n int64) []byte {
	return ber.AppendLength(append(b, tag), n)
}

// parseFramed reads a message of which only what encloses the content is in BER, and
// the content: as streaming producers write. All that is signed, certificates above
// all, keeps its bytes then, whatever they are.
func parseFramed(in []byte, l Limits) (*Message, error) {
	x := &streamed{limits: l, size: int64(len(in)), hold: true}
	x.scanner = newScanner(context.Background(), bytes.NewReader(in), nil, nil)
	m, err := x.message()
	if err := errors.Join(err, x.scanner.finish()); err != nil {
		return nil, err
	}
	first := fieldsBeforeContent(m.head)
	if x.content != nil {
		at := len(m.rawContentInfo)
		m.rawContentInfo = append(m.rawContentInfo, x.content.memory...)
		m.Content, m.streamed = m.rawContentInfo[at:], nil
	}
	m.head = slices.Concat(first, m.rawContentInfo, m.rawCertificates, m.rawRevocation)
	m.Raw = slices.Concat(contentInfoHeader(int64(len(m.head)+len(m.rawSigners))), m.head, m.rawSigners)
	return m, nil
}

// fieldsBeforeContent gives version and digestAlgorithms, which every message that
// was read begins with.
func fieldsBeforeContent(head []byte) []byte {
	s := cryptobyte.String(head)
	s.SkipASN1(cbasn1.INTEGER)
	s.SkipASN1(cbasn1.SET)
	return head[:len(head)-len(s)]
}

// contentInfoHeader is what stands before the fields of a SignedData of so many
// bytes, in DER.
func contentInfoHeader(size int64) []byte {
	var before []byte
	for _, frame := range []struct {
		tag  cbasn1.Tag
		kind []byte
	}{{cbasn1.SEQUENCE, nil}, {tagContent, nil}, {cbasn1.SEQUENCE, marshalOID(OIDSignedData)}} {
		before = slices.Concat(frame.kind, before)
		before = append(appendHeader(nil, byte(frame.tag), int64(len(before))+size), before...)
	}
	return before
}

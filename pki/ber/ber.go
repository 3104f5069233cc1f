package ber

import (
	"github.com/senim-kz/senim/internal/fault"
)

// Limits bound what one conversion may cost.
type Limits struct {
	Bytes    int // of the input; the output is never longer
	Depth    int // of nested elements
	Elements int // in total
}

// DefaultLimits suit a CMS message with attached content: real ones nest about
// a dozen deep, and an archive of certificates and CRLs has some 100 000
// elements.
var DefaultLimits = Limits{Bytes: 64 << 20, Depth: 64, Elements: 1 << 20}

// ToDER converts one BER element, which must be all of in. The refusals:
// input_empty, input_too_big (bytes, elements), encoding_too_deep,
// encoding_invalid. The result shares no memory with the input.
func ToDER(in []byte, limits Limits) ([]byte, error) {
	if len(in) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "no BER element")
	}
	if len(in) > limits.Bytes {
		return nil, fault.New(fault.InputTooBig, "", "%d bytes of BER, at most %d", len(in), limits.Bytes)
	}
	c := &converter{in: in, out: make([]byte, 0, len(in)), limits: limits}
	if err := c.element(); err != nil {
		return nil, err
	}
	if c.pos != len(in) {
		return nil, c.invalid("%d bytes after the element", len(in)-c.pos)
	}
	return c.out, nil
}

// converter walks the input once and appends to the output.
type converter struct {
	in, out  []byte
	pos      int // in the input
	depth    int
	elements int
	limits   Limits
}

// header is the identifier and length octets of an element.
type header struct {
	tag        []byte // identifier octets
	length     int    // of the content; meaningless if indefinite
	indefinite bool
}

func (h header) constructed() bool { return h.tag[0]&0x20 != 0 }

// universal is the number of a universal tag, or -1.
func (h header) universal() int {
	if h.tag[0]&0xc0 != 0 || len(h.tag) > 1 {
		return -1
	}
	return int(h.tag[0] & 0x1f)
}

func (c *converter) invalid(format string, args ...any) error {
	return fault.New(fault.EncodingInvalid, "", "BER at byte %d: "+format, append([]any{c.pos}, args...)...)
}

func tooDeep(c *converter) error {
	return fault.New(fault.EncodingTooDeep, "", "BER at byte %d: more than %d levels", c.pos, c.limits.Depth)
}

// element converts the element at pos.
func (c *converter) element() error {
	h, err := c.header()
	if err != nil {
		return err
	}
	if !h.constructed() {
		return c.primitive(h)
	}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > c.limits.Depth {
		return tooDeep(c)
	}
	if u := h.universal(); isString(u) {
		return c.joinString(h, u)
	}
	return c.container(h)
}

// header reads identifier and length octets and makes sure that the content
// lies within the input.
func (c *converter) header() (header, error) {
	c.elements++
	if c.elements > c.limits.Elements {
		return header{}, fault.New(fault.InputTooBig, "", "BER at byte %d: more than %d elements", c.pos, c.limits.Elements)
	}
	tag, err := c.tag()
	if err != nil {
		return header{}, err
	}
	h := header{tag: tag}
	first, ok := c.next()
	switch {
	case !ok:
		return header{}, c.invalid("no length")
	case first < 0x80:
		h.length = int(first)
	case first == 0x80:
		h.indefinite = true
		if !h.constructed() {
			return header{}, c.invalid("a primitive of indefinite length")
		}
		return h, nil
	default:
		if h.length, err = c.longLength(int(first & 0x7f)); err != nil {
			return header{}, err
		}
	}
	if h.length > len(c.in)-c.pos {
		return header{}, c.invalid("content of %d bytes, %d left", h.length, len(c.in)-c.pos)
	}
	return h, nil
}

// tagOctets bounds the identifier octets: no format here has a tag number
// above 2^14.
const tagOctets = 3

func (c *converter) tag() ([]byte, error) {
	start := c.pos
	first, ok := c.next()
	if !ok {
		return nil, c.invalid("the element is missing")
	}
	if first&0x1f != 0x1f {
		return c.in[start:c.pos], nil
	}
	for {
		b, ok := c.next()
		if !ok || c.pos-start > tagOctets {
			return nil, c.invalid("the tag has no end")
		}
		if c.pos-start == 2 && (b == 0x80 || b < 0x1f) {
			return nil, c.invalid("the tag number is not in its shortest form")
		}
		if b < 0x80 {
			return c.in[start:c.pos], nil
		}
	}
}

// longLength reads a length of n octets; leading zeros are lawful in BER.
func (c *converter) longLength(n int) (int, error) {
	length := 0
	for range n {
		b, ok := c.next()
		if !ok || length > len(c.in) {
			return 0, c.invalid("the length exceeds the input")
		}
		length = length<<8 | int(b)
	}
	return length, nil
}

func (c *converter) next() (byte, bool) {
	if c.pos >= len(c.in) {
		return 0, false
	}
	c.pos++
	return c.in[c.pos-1], true
}

func (c *converter) primitive(h header) error {
	if h.universal() == 0 {
		return c.invalid("end-of-contents outside an indefinite length")
	}
	c.out = append(c.out, h.tag...)
	c.out = AppendLength(c.out, int64(h.length))
	c.out = append(c.out, c.in[c.pos:c.pos+h.length]...)
	c.pos += h.length
	return nil
}

// container converts the children in place behind a header whose length is
// corrected afterwards. The length as it came is the first guess: where the
// inside is DER already it holds and nothing moves.
func (c *converter) container(h header) error {
	c.out = append(c.out, h.tag...)
	lengthAt := len(c.out)
	c.out = AppendLength(c.out, int64(h.length))
	contentAt := len(c.out)
	if err := c.children(h, c.element); err != nil {
		return err
	}
	c.fixLength(lengthAt, contentAt)
	return nil
}

// children runs convert for each child until the content ends, by its length
// or by end-of-contents octets.
func (c *converter) children(h header, convert func() error) error {
	end := c.pos + h.length
	for {
		if h.indefinite {
			if len(c.in)-c.pos >= 2 && c.in[c.pos] == 0 && c.in[c.pos+1] == 0 {
				c.pos += 2
				return nil
			}
		} else if c.pos >= end {
			break
		}
		if err := convert(); err != nil {
			return err
		}
	}
	if c.pos > end {
		return c.invalid("a child is longer than its parent")
	}
	return nil
}

// fixLength writes the length of what stands from contentAt on over the guess
// that stands from lengthAt on.
func (c *converter) fixLength(lengthAt, contentAt int) {
	var buf [9]byte
	octets := AppendLength(buf[:0], int64(len(c.out)-contentAt))
	if d := len(octets) - (contentAt - lengthAt); d > 0 {
		c.out = append(c.out, octets[:d]...) // room; the bytes are overwritten
		copy(c.out[contentAt+d:], c.out[contentAt:len(c.out)-d])
	} else if d < 0 {
		copy(c.out[contentAt+d:], c.out[contentAt:])
		c.out = c.out[:len(c.out)+d]
	}
	copy(c.out[lengthAt:], octets)
}

// AppendLength appends the length octets of n in DER (X.690 §10.1).
func AppendLength(b []byte, n int64) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	octets := 1
	for v := n >> 8; v > 0; v >>= 8 {
		octets++
	}
	b = append(b, 0x80|byte(octets))
	for i := octets - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

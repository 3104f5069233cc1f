package ber

// Universal tags whose BER may come in pieces (X.690 §8.6.4, §8.7.3, §8.23).
const (
	tagBitString   = 3
	tagOctetString = 4
)

// isString reports whether a universal tag is that of a string type; the two
// time types are strings too.
func isString(universal int) bool {
	switch universal {
	case tagBitString, tagOctetString, 12:
		return true
	}
	return universal >= 18 && universal <= 30 && universal != 29
}

// joinString writes a constructed string as one primitive.
func (c *converter) joinString(h header, universal int) error {
	c.out = append(c.out, byte(universal))
	lengthAt := len(c.out)
	c.out = AppendLength(c.out, int64(h.length))
	contentAt := len(c.out)
	p := pieces{universal: universal}
	if universal == tagBitString {
		c.out = append(c.out, 0) // unused bits, known once the last piece is
	}
	if err := c.join(h, &p); err != nil {
		return err
	}
	if universal == tagBitString {
		if p.count == 0 {
			return c.invalid("a bit string without pieces")
		}
		c.out[contentAt] = p.unusedBits
	}
	c.fixLength(lengthAt, contentAt)
	return nil
}

// pieces is what must be known between the pieces of one string.
type pieces struct {
	universal  int
	count      int
	unusedBits byte // in the last piece so far; bit strings only
}

// join appends the content of each piece of a constructed string. A piece is
// of the string's own type or, for character strings, an OCTET STRING
// (X.690 §8.23.6), and may itself be constructed.
func (c *converter) join(h header, p *pieces) error {
	return c.children(h, func() error {
		piece, err := c.header()
		if err != nil {
			return err
		}
		u := piece.universal()
		if u != p.universal && (u != tagOctetString || p.universal == tagBitString) {
			return c.invalid("a string with a piece of another type")
		}
		if piece.constructed() {
			return c.joinDeeper(piece, p)
		}
		return c.appendPiece(c.in[c.pos:c.pos+piece.length], p)
	})
}

func (c *converter) joinDeeper(h header, p *pieces) error {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > c.limits.Depth {
		return tooDeep(c)
	}
	return c.join(h, p)
}

func (c *converter) appendPiece(content []byte, p *pieces) error {
	size := len(content)
	p.count++
	if p.universal == tagBitString {
		if p.unusedBits != 0 {
			return c.invalid("unused bits before the last piece")
		}
		if size == 0 || content[0] > 7 || (size == 1 && content[0] != 0) {
			return c.invalid("a malformed bit string")
		}
		p.unusedBits = content[0]
		content = content[1:]
	}
	c.out = append(c.out, content...)
	c.pos += size
	return nil
}

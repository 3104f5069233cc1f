package statement

import (
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// guess is UTF-8, or windows-1251 from the first byte on that cannot be UTF-8:
// what stood before it was ASCII, which is the same in both. A text that has
// both is neither, encoding.ErrInvalidUTF8.
type guess struct {
	transform.NopResetter
	wide    bool                  // a character of UTF-8 beyond ASCII was seen
	decoder transform.Transformer // of windows-1251, once it is known to be that
}

func (g *guess) Transform(dst, src []byte, atEOF bool) (written, read int, err error) {
	if g.decoder != nil {
		return g.decoder.Transform(dst, src, atEOF)
	}
	for read < len(src) {
		size := 1
		if src[read] >= utf8.RuneSelf {
			if !atEOF && !utf8.FullRune(src[read:]) {
				return written, read, transform.ErrShortSrc
			}
			var r rune
			if r, size = utf8.DecodeRune(src[read:]); r == utf8.RuneError && size == 1 {
				return g.change(dst, src, atEOF, written, read)
			}
			g.wide = true
		}
		if written+size > len(dst) {
			return written, read, transform.ErrShortDst
		}
		written += copy(dst[written:], src[read:read+size])
		read += size
	}
	return written, read, nil
}

// change goes on with windows-1251.
func (g *guess) change(dst, src []byte, atEOF bool, written, read int) (int, int, error) {
	if g.wide {
		return written, read, encoding.ErrInvalidUTF8
	}
	g.decoder = charmap.Windows1251.NewDecoder()
	more, taken, err := g.decoder.Transform(dst[written:], src[read:], atEOF)
	return written + more, read + taken, err
}

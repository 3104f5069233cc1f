package cades

import (
	"context"
	"errors"
	"hash"
	"io"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// content is where the octets of eContent are: in one piece or, in a message in
// BER, in several, each with a header of its own.
type content struct {
	source   Source
	at, size int64 // size counts octets of content only
	pieces   bool
}

// whole is a source that is content from its first to its last byte.
func whole(s Source) *content { return &content{source: s, size: s.Size()} }

// chunk is how much is read at once.
const chunk = 256 << 10

// copyTo writes the octets.
func (c *content) copyTo(ctx context.Context, w io.Writer) error {
	in := &window{source: c.source}
	copyPiece := func(at, n int64) error {
		for n > 0 {
			if err := ctx.Err(); err != nil {
				return fault.Wrap(err, fault.Cancelled, "", "read the content")
			}
			b := in.bytes(at, min(n, chunk))
			if len(b) == 0 {
				return in.failure("the content ends early")
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			at, n = at+int64(len(b)), n-int64(len(b))
		}
		return nil
	}
	if !c.pieces {
		return copyPiece(c.at, c.size)
	}
	_, err := c.walk(in, c.at, 0, copyPiece)
	return err
}

// walk visits the pieces of the constructed OCTET STRING at an offset and gives
// the offset after it.
func (c *content) walk(in *window, at int64, depth int, visit func(at, n int64) error) (end int64, err error) {
	const place = "/encapContentInfo/eContent"
	h, ok := in.header(at)
	at += h.size
	switch {
	case !ok || h.tag != tagOctets && h.tag != tagPieces || h.length > in.source.Size()-at:
		return 0, malformed(place, "not an OCTET STRING")
	case h.tag == tagOctets:
		return at + h.length, visit(at, h.length)
	case depth == framesMax:
		return 0, fault.New(fault.EncodingTooDeep, place, "more than %d octet strings in each other", framesMax)
	}
	for end = at + h.length; h.indefinite || at < end; {
		if b := in.bytes(at, 2); h.indefinite && len(b) == 2 && b[0] == 0 && b[1] == 0 {
			return at + 2, nil
		}
		if at, err = c.walk(in, at, depth+1, visit); err != nil {
			return 0, err
		}
	}
	if at != end {
		return 0, malformed(place, "a piece is longer than what it is a piece of")
	}
	return at, nil
}

// digestsOf reads the content once and digests it with every algorithm.
func (c *content) digestsOf(ctx context.Context, algorithms ...*algo.Digest) (map[*algo.Digest][]byte, error) {
	hashes := make(map[*algo.Digest]hash.Hash)
	var all []io.Writer
	for _, d := range algorithms {
		if hashes[d] == nil {
			hashes[d] = d.New()
			all = append(all, hashes[d])
		}
	}
	if err := c.copyTo(ctx, io.MultiWriter(all...)); err != nil {
		return nil, err
	}
	sums := make(map[*algo.Digest][]byte)
	for d, h := range hashes {
		sums[d] = h.Sum(nil)
	}
	return sums, nil
}

// window reads a source through a buffer, so that small steps forward cost no
// call each.
type window struct {
	source Source
	buffer []byte
	first  int64 // offset of the buffer
	err    error
}

// bytes gives up to n bytes at an offset, fewer only at the end. They are good
// until the next call.
func (w *window) bytes(at, n int64) []byte {
	n = max(0, min(n, w.source.Size()-at))
	if at < w.first || at+n > w.first+int64(len(w.buffer)) {
		if cap(w.buffer) < chunk {
			w.buffer = make([]byte, min(chunk, max(n, w.source.Size()-at)))
		}
		size := min(int64(cap(w.buffer)), w.source.Size()-at)
		if size < 0 {
			return nil
		}
		read, err := w.source.ReadAt(w.buffer[:size], at)
		if err != nil && !errors.Is(err, io.EOF) {
			w.err = err
		}
		w.buffer, w.first = w.buffer[:read], at
		n = min(n, int64(read))
	}
	return w.buffer[at-w.first : at-w.first+n]
}

// failure says why bytes gave none.
func (w *window) failure(text string) error {
	if fault.Of(w.err) != nil {
		return w.err
	}
	if w.err != nil {
		return fault.Wrap(w.err, fault.Unreadable, "", "read the content")
	}
	return fault.New(fault.Unreadable, "", "%s", text)
}

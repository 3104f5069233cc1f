package cms

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// wholeBytesMax bounds content that must be held whole although it came from
// elsewhere: that of a signature algorithm which takes no digest.
const wholeBytesMax = 16 << 20

// Content is what signatures are over: in memory, in something that can be read
// again, in a stream that passes once, or known by its digests alone. It is for
// one goroutine.
type Content struct {
	memory  []byte
	held    bool // memory is all of it
	size    int64
	head    []byte // the first bytes, if it is not held
	digests []digested

	// pass runs the content through sinks; nil if it cannot be read (again).
	pass func(context.Context, ...io.Writer) error
	// once says that pass works one time only.
	once bool
	// spool keeps a stream; nil if it is not to be kept.
	spool  *spool
	offset int64 // of its OCTET STRING in the message, if it is part of one
}

// digested is one digest of content.
type digested struct {
	by  *algo.Digest
	sum []byte
}

// ContentOf is content in memory.
func ContentOf(b []byte) *Content { return &Content{memory: b, held: true, size: int64(len(b))} }

// ContentDigests is content of which only digests are known.
func ContentDigests(digests map[*algo.Digest][]byte) *Content {
	c := &Content{size: -1}
	for by, sum := range digests {
		c.digests = append(c.digests, digested{by, sum})
	}
	return c
}

// ContentFrom is content that is read when a digest of it is asked for. If r can
// seek and read at an offset, as a file can, it is read as often as needed. Else
// it passes once, and o.Spool says whether and where it is kept.
func ContentFrom(r io.Reader, o Options) *Content {
	if at, size, ok := seekable(r); ok {
		if size <= memoryBytesMax {
			b := make([]byte, size)
			if n, err := at.ReadAt(b, 0); n == len(b) || err == nil {
				return ContentOf(b)
			}
		}
		c := &Content{size: size}
		c.pass = c.passing(func() io.Reader { return io.NewSectionReader(at, 0, size) }, o.reporter(size))
		return c
	}
	c := &Content{size: -1, once: true}
	c.pass = c.passing(func() io.Reader { return r }, o.reporter(-1))
	if o.Spool.Bytes > 0 {
		c.spool = newSpool(o.Spool)
	}
	return c
}

// passing reads all of an input as content.
func (c *Content) passing(open func() io.Reader, progress func(int64)) func(context.Context, ...io.Writer) error {
	return func(ctx context.Context, sinks ...io.Writer) error {
		s := newScanner(ctx, open(), nil, progress)
		if err := s.divert(sinks...); err != nil {
			return err
		}
		err := errors.Join(s.mark(-1), s.finish())
		if err == nil {
			c.size = s.offset()
		}
		return err
	}
}

// Size is the number of bytes; -1 if it is not known, or not yet.
func (c *Content) Size() int64 { return c.size }

// Bytes gives the content if it is held in memory.
func (c *Content) Bytes() (b []byte, ok bool) { return c.memory, c.held }

// Digest gives a digest of the content. Where it was not computed yet, the content
// is read again; content_not_kept says that it cannot be.
func (c *Content) Digest(ctx context.Context, d *algo.Digest) ([]byte, error) {
	if sum := c.known(d); sum != nil {
		return sum, nil
	}
	if err := c.Compute(ctx, d); err != nil {
		return nil, err
	}
	return c.known(d), nil
}

func (c *Content) known(d *algo.Digest) []byte {
	for _, k := range c.digests {
		if k.by == d {
			return k.sum
		}
	}
	return nil
}

// Compute makes all digests that are not known yet in one pass.
func (c *Content) Compute(ctx context.Context, wanted ...*algo.Digest) error {
	var h hashes
	for _, d := range wanted {
		switch {
		case d == nil || c.known(d) != nil:
		case c.held:
			c.digests = append(c.digests, digested{d, d.Sum(c.memory)})
		default:
			h.add(d)
		}
	}
	if len(h.digests) == 0 {
		return nil
	}
	if err := c.WriteTo(ctx, h.writers()...); err != nil {
		return err
	}
	h.sumInto(c)
	return nil
}

// WriteTo passes the content through the sinks, side by side.
func (c *Content) WriteTo(ctx context.Context, sinks ...io.Writer) error {
	if c.held {
		for _, w := range sinks {
			if _, err := w.Write(c.memory); err != nil {
				return fault.Wrap(err, fault.Unreadable, "", "pass the content on")
			}
		}
		return nil
	}
	if c.pass == nil {
		return fault.New(fault.ContentNotKept, "", "the content cannot be read again")
	}
	if c.head == nil {
		head := &prefix{max: headBytes}
		sinks = append(sinks, head)
		defer func() { c.head = head.b }()
	}
	if c.once && c.spool != nil {
		sinks = append(sinks, c.spool)
	}
	err := c.pass(ctx, sinks...)
	if c.once {
		c.passed()
	}
	return err
}

// passed notes that a stream is over: from now on its copy is read, if there is
// one.
func (c *Content) passed() {
	c.once, c.pass = false, nil
	if c.spool == nil {
		return
	}
	if at, size, ok := c.spool.stored(); ok {
		c.pass = c.passing(func() io.Reader { return io.NewSectionReader(at, 0, size) }, nil)
	}
}

// whole gives content that is not too long to be held.
func (c *Content) whole(ctx context.Context) ([]byte, error) {
	if c.held {
		return c.memory, nil
	}
	all := &prefix{max: wholeBytesMax + 1}
	if err := c.WriteTo(ctx, all); err != nil {
		return nil, err
	}
	if len(all.b) > wholeBytesMax {
		return nil, fault.New(fault.InputTooBig, "", "content of more than %d bytes under an algorithm that signs no digest", wholeBytesMax)
	}
	return all.b, nil
}

// headBytes is as much of the content as tells whether it has the form of signed
// attributes: in DER the short ones come first.
const headBytes = 4 << 10

// Beginning gives the first bytes, or all that is in memory; none if the content
// was never read.
func (c *Content) Beginning() []byte {
	if c.held {
		return c.memory
	}
	return c.head
}

// Close removes what was kept of a stream.
func (c *Content) Close() error {
	if c == nil || c.spool == nil {
		return nil
	}
	return c.spool.Close()
}

// hashes are digests under way, one of each kind.
type hashes struct {
	digests []*algo.Digest
	states  []interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (h *hashes) add(d *algo.Digest) {
	if !slices.Contains(h.digests, d) {
		h.digests, h.states = append(h.digests, d), append(h.states, d.New())
	}
}

func (h *hashes) writers() []io.Writer {
	out := make([]io.Writer, len(h.states))
	for i, s := range h.states {
		out[i] = s
	}
	return out
}

func (h *hashes) sumInto(c *Content) {
	for i, d := range h.digests {
		c.digests = append(c.digests, digested{d, h.states[i].Sum(nil)})
	}
}

// prefix keeps the first bytes of what is written.
type prefix struct {
	b   []byte
	max int
}

func (p *prefix) Write(b []byte) (int, error) {
	p.b = append(p.b, b[:min(len(b), p.max-len(p.b))]...)
	return len(b), nil
}

// Same reports whether two contents are the same bytes.
func (c *Content) Same(ctx context.Context, other *Content) (bool, error) {
	if c.held && other.held {
		return bytes.Equal(c.memory, other.memory), nil
	}
	ours, err := c.Digest(ctx, algo.SHA256)
	if err != nil {
		return false, err
	}
	theirs, err := other.Digest(ctx, algo.SHA256)
	return bytes.Equal(ours, theirs), err
}

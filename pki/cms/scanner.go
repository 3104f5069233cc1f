package cms

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/senim-kz/senim/internal/fault"
)

// blockBytes is how much is read at once: large enough that starting the
// digests of a block costs nothing beside them, small enough to stay in a cache.
const blockBytes = 512 << 10

// scanner reads an input once, forward, in two blocks: while one is being read
// and its structure followed, the other is being digested. What is marked as
// content goes to the sinks, and everything to raw.
type scanner struct {
	ctx      context.Context
	in       io.Reader
	raw      io.Writer // may be nil
	sinks    []sink    // each is written to by one goroutine at a time
	progress func(done int64)

	blocks  [2][]byte
	current int // the block that is being followed
	block   []byte
	next    int      // in block
	start   int64    // offset of block in the input
	content [][]byte // what of the block is content
	ended   bool     // in has no more

	digesting sync.WaitGroup
}

func newScanner(ctx context.Context, in io.Reader, raw io.Writer, progress func(int64)) *scanner {
	return &scanner{ctx: ctx, in: in, raw: raw, progress: progress}
}

// offset is how much of the input has been followed.
func (s *scanner) offset() int64 { return s.start + int64(s.next) }

// fill makes sure that a byte is there to follow; io.EOF if the input ends.
func (s *scanner) fill() error {
	for s.next == len(s.block) {
		if s.ended {
			return io.EOF
		}
		if err := s.ctx.Err(); err != nil {
			return fault.Wrap(err, fault.Cancelled, "", "read the message")
		}
		s.flush()
		s.start += int64(len(s.block))
		s.current = 1 - s.current
		if s.blocks[s.current] == nil {
			s.blocks[s.current] = make([]byte, s.blockSize())
		}
		n, err := io.ReadFull(s.in, s.blocks[s.current])
		s.block, s.next = s.blocks[s.current][:n], 0
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			s.ended = true
		case fault.Of(err) != nil:
			return err
		case err != nil:
			return fault.Wrap(err, fault.Unreadable, "", "read the message")
		}
		if s.progress != nil {
			s.progress(s.start + int64(n))
		}
	}
	return nil
}

// blockSize is less than a block for what is in memory and shorter.
func (s *scanner) blockSize() int {
	if r, ok := s.in.(*bytes.Reader); ok && s.start == 0 {
		return max(1, min(r.Len(), blockBytes))
	}
	return blockBytes
}

// flush hands the block over to be digested, after the one before is done: a
// digest takes its blocks in their order, and the buffer of the one before is
// free again.
func (s *scanner) flush() {
	s.digesting.Wait()
	if block := s.block; s.raw != nil && len(block) > 0 {
		s.digesting.Go(func() { _, _ = s.raw.Write(block) })
	}
	s.digest()
}

// digest hands over what of the block was marked so far.
func (s *scanner) digest() {
	content := s.content
	s.content = nil
	for i := range s.sinks {
		if len(content) == 0 || s.sinks[i].failed != nil {
			continue
		}
		s.digesting.Go(func() { s.sinks[i].write(content) })
	}
}

// divert sends what is marked from now on to other sinks, after those so far
// have got all that was theirs.
func (s *scanner) divert(sinks ...io.Writer) error {
	s.digesting.Wait()
	s.digest()
	s.digesting.Wait()
	var err error
	for _, old := range s.sinks {
		err = errors.Join(err, old.failed)
	}
	s.sinks = make([]sink, len(sinks))
	for i, w := range sinks {
		s.sinks[i].w = w
	}
	return err
}

// sink is where content goes, until it fails.
type sink struct {
	w      io.Writer
	failed error
}

func (s *sink) write(content [][]byte) {
	for _, piece := range content {
		if _, s.failed = s.w.Write(piece); s.failed != nil {
			return
		}
	}
}

// finish waits until everything followed so far is digested. The scanner is not
// used after it.
func (s *scanner) finish() error {
	s.flush()
	return s.divert()
}

// mark follows n bytes as content; n < 0 means all that is left.
func (s *scanner) mark(n int64) error {
	for n != 0 {
		err := s.fill()
		if errors.Is(err, io.EOF) && n < 0 {
			return nil
		}
		if err != nil {
			return ended(err)
		}
		piece := s.block[s.next:]
		if n > 0 && int64(len(piece)) > n {
			piece = piece[:n]
		}
		s.content = append(s.content, piece)
		s.next += len(piece)
		if n > 0 {
			n -= int64(len(piece))
		}
	}
	return nil
}

// take copies the next n bytes out.
func (s *scanner) take(n int) ([]byte, error) {
	out := make([]byte, 0, n)
	for len(out) < n {
		if err := s.fill(); err != nil {
			return nil, ended(err)
		}
		piece := s.block[s.next:min(len(s.block), s.next+n-len(out))]
		out = append(out, piece...)
		s.next += len(piece)
	}
	return out, nil
}

// rest copies out all that is left, at most max bytes.
func (s *scanner) rest(max int) ([]byte, error) {
	var out []byte
	for {
		err := s.fill()
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
		piece := s.block[s.next:]
		if len(out)+len(piece) > max {
			return nil, fault.New(fault.InputTooBig, "", "more than %d bytes besides the content", max)
		}
		out = append(out, piece...)
		s.next = len(s.block)
	}
}

func (s *scanner) byte() (byte, error) {
	if err := s.fill(); err != nil {
		return 0, ended(err)
	}
	b := s.block[s.next]
	s.next++
	return b, nil
}

// peek gives the next byte and leaves it.
func (s *scanner) peek() (byte, error) {
	if err := s.fill(); err != nil {
		return 0, ended(err)
	}
	return s.block[s.next], nil
}

// ended turns the end of the input into what it means in the middle of a
// message.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return malformed("/", "the message ends early")
	}
	return err
}

package cms

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

const (
	// memoryBytesMax is up to where an input is taken into memory whole: contracts
	// and declarations with their annexes are, and nothing is won by streaming them.
	memoryBytesMax = 4 << 20
	// structureBytesMax bounds everything but the content of a streamed message. A
	// whole CRL of NUC RK is 21 MB.
	structureBytesMax = 32 << 20
	// framesMax bounds octet strings inside octet strings; real ones have one level.
	framesMax = 8
	// fieldBytesMax bounds each field before the content.
	fieldBytesMax = 64 << 10
)

// Options say how to read an input of any size. The zero value reads within
// DefaultLimits and keeps no stream.
type Options struct {
	Limits *Limits // nil: DefaultLimits
	// Digests are made of the content besides those that the message declares.
	Digests []*algo.Digest
	Spool   Spool
	// Progress is called as the input is read; total is -1 if it is not known. It
	// must not block.
	Progress func(done, total int64)
}

func (o Options) limits() Limits {
	if o.Limits == nil {
		return DefaultLimits
	}
	return *o.Limits
}

func (o Options) reporter(total int64) func(int64) {
	if o.Progress == nil {
		return nil
	}
	return func(done int64) { o.Progress(done, total) }
}

// Input says what was read.
type Input struct {
	Bytes  int64
	SHA256 [sha256.Size]byte // of the input as given
}

// Read reads a SignedData of any size, in DER or BER, or in PEM or base64 around
// one of them. A small one is Parse's. Of a large one everything but the content
// is held: the content is digested on the way with every algorithm that
// digestAlgorithms declares, in one pass, and is in Message.EContent. If r can
// seek and read at an offset, the content is read again when more is needed, and
// r must stay open until then; else it is kept as o.Spool says.
//
// Close must be called when the message is no longer needed.
func Read(ctx context.Context, r io.Reader, o Options) (*Message, Input, error) {
	return read(ctx, r, o, memoryBytesMax)
}

func read(ctx context.Context, r io.Reader, o Options, memoryMax int) (*Message, Input, error) {
	at, size, again := seekable(r)
	if again {
		r = io.NewSectionReader(at, 0, size)
	} else {
		size = -1
	}
	head, err := readHead(r, size, memoryMax)
	if err != nil {
		return nil, Input{}, fault.Wrap(err, fault.Unreadable, "", "read the message")
	}
	if len(head) <= memoryMax {
		if o.Progress != nil {
			o.Progress(int64(len(head)), int64(len(head)))
		}
		m, err := parseArmoured(head, o.limits())
		return m, Input{Bytes: int64(len(head)), SHA256: sha256.Sum256(head)}, err
	}
	x := &streamed{options: o, limits: o.limits(), size: size, sum: sha256.New()}
	in := io.MultiReader(bytes.NewReader(head), r)
	if a := armourOf(head); a != nil {
		return x.readArmoured(ctx, in, a)
	}
	if again {
		x.again = at
	}
	return x.read(ctx, in, x.sum)
}

// seekable finds out whether r can be read again from where it stands.
func seekable(r io.Reader) (at io.ReaderAt, size int64, ok bool) {
	s, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, 0, false
	}
	here, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0, false // a pipe
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, false
	}
	if _, err := s.Seek(here, io.SeekStart); err != nil || end < here {
		return nil, 0, false
	}
	return io.NewSectionReader(s, here, end-here), end - here, true
}

// readHead reads one byte more than what is taken into memory, or all if that is
// less. If the size is known, no byte is copied twice.
func readHead(r io.Reader, size int64, max int) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(io.LimitReader(r, int64(max)+1))
	}
	head := make([]byte, min(size, int64(max)+1))
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // it was cut since its size was asked for
	}
	return head[:n], err
}

// streamed is the reading of one message that is not held.
type streamed struct {
	options Options
	limits  Limits
	size    int64       // of the input; -1 if not known
	again   io.ReaderAt // the input, if it can be read again
	sum     hash.Hash   // of the input as given

	scanner *scanner
	hashes  hashes
	content *Content
	ber     bool // something is not in DER for certain
	hold    bool // the content goes into memory, and is not digested
}

// read follows the structure down to the content and past it, and has the rest
// parsed as if the message were detached.
func (x *streamed) read(ctx context.Context, in io.Reader, raw io.Writer) (*Message, Input, error) {
	x.scanner = newScanner(ctx, in, raw, x.options.reporter(x.size))
	m, err := x.message()
	if finished := x.scanner.finish(); err == nil {
		err = finished
	}
	input := Input{Bytes: x.scanner.offset(), SHA256: x.digest()}
	if err != nil {
		if x.content != nil {
			_ = x.content.Close() // nothing of it is needed
		}
		return nil, input, err
	}
	if m.streamed != nil {
		x.hashes.sumInto(m.streamed)
		m.streamed.passed()
		x.rereadable(m.streamed)
	}
	return m, input, nil
}

// digest is that of the input as given.
func (x *streamed) digest() (sum [sha256.Size]byte) {
	x.sum.Sum(sum[:0])
	return sum
}

// rereadable lets content be read again from an input that allows it.
func (x *streamed) rereadable(c *Content) {
	if x.again == nil {
		return
	}
	c.pass = func(ctx context.Context, sinks ...io.Writer) error {
		again := &streamed{size: x.size - c.offset}
		again.scanner = newScanner(ctx, io.NewSectionReader(x.again, c.offset, x.size-c.offset), nil, nil)
		if err := again.scanner.divert(sinks...); err != nil {
			return err
		}
		err := again.octets("/encapContentInfo/eContent", 0)
		return errors.Join(err, again.scanner.finish())
	}
}

// counter counts what is written.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

package cades

import (
	"bytes"
	"crypto/sha256"
	"io"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/cms"
)

// pattern is content of any size that takes none: the same block again and again.
type pattern struct {
	block []byte
	size  int64
}

func newPattern(size int64) pattern {
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i>>8) ^ byte(i)
	}
	return pattern{block, size}
}

func (p pattern) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for n < len(b) && at < p.size {
		from := at % int64(len(p.block))
		piece := p.block[from:min(int64(len(p.block)), from+p.size-at)]
		copied := copy(b[n:], piece)
		n, at = n+copied, at+int64(copied)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (p pattern) reader() *io.SectionReader { return io.NewSectionReader(p, 0, p.size) }

func (p pattern) digest(t testing.TB) []byte {
	h := sha256.New()
	for left := p.size; left > 0; left -= int64(len(p.block)) {
		h.Write(p.block[:min(left, int64(len(p.block)))])
	}
	return h.Sum(nil)
}

// around gives an attached message whose content is the pattern, as something that
// can be read again and takes no memory either.
func (p pattern) around(t testing.TB, detached []byte) *io.SectionReader {
	t.Helper()
	var head, tail bytes.Buffer
	split := &splitter{before: &head, after: &tail, content: p.size}
	if err := cms.WriteAttached(split, detached, p.reader(), p.size); err != nil {
		t.Fatal(err)
	}
	all := joined{parts: []io.ReaderAt{bytes.NewReader(head.Bytes()), p, bytes.NewReader(tail.Bytes())}, sizes: []int64{int64(head.Len()), p.size, int64(tail.Len())}}
	return io.NewSectionReader(all, 0, all.sizes[0]+all.sizes[1]+all.sizes[2])
}

// inPieces is around in BER: no lengths, and the content in octet strings of a
// mebibyte.
func (p pattern) inPieces(t testing.TB, detached []byte) *io.SectionReader {
	t.Helper()
	m, err := cms.Parse(detached)
	if err != nil {
		t.Fatal(err)
	}
	info := m.EncapsulatedContentInfo()
	at := bytes.Index(detached, info)
	version := bytes.Index(detached, []byte{2, 1, 1, 0x31}) // SignedData's first fields
	oid := []byte{0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, 0xa0, 0x80, 0x30, 0x80}
	head := bytes.Join([][]byte{oid, detached[version:at], {0x30, 0x80}, info[2:], {0xa0, 0x80, 0x24, 0x80}}, nil)
	all := joined{}
	add := func(r io.ReaderAt, size int64) { all.parts, all.sizes = append(all.parts, r), append(all.sizes, size) }
	add(bytes.NewReader(head), int64(len(head)))
	for at := int64(0); at < p.size; at += int64(len(p.block)) {
		add(bytes.NewReader([]byte{4, 0x83, 0x10, 0, 0}), 5)
		add(bytes.NewReader(p.block), int64(len(p.block)))
	}
	tail := bytes.Join([][]byte{make([]byte, 6), detached[at+len(info):], make([]byte, 6)}, nil)
	add(bytes.NewReader(tail), int64(len(tail)))
	var size int64
	for _, n := range all.sizes {
		size += n
	}
	return io.NewSectionReader(all, 0, size)
}

// splitter keeps what is written before and after so many bytes of content.
type splitter struct {
	before, after *bytes.Buffer
	content, seen int64
	inside        bool
}

func (s *splitter) Write(b []byte) (int, error) {
	switch {
	case s.before.Len() == 0:
		return s.before.Write(b)
	case s.seen < s.content:
		s.seen += int64(len(b))
		return len(b), nil
	}
	return s.after.Write(b)
}

// joined are several inputs one after the other.
type joined struct {
	parts []io.ReaderAt
	sizes []int64
}

func (j joined) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for i, part := range j.parts {
		if at >= j.sizes[i] {
			at -= j.sizes[i]
			continue
		}
		piece := b[n:min(int64(len(b)), int64(n)+j.sizes[i]-at)]
		if _, err := part.ReadAt(piece, at); err != nil && err != io.EOF {
			return n, err
		}
		if n, at = n+len(piece), 0; n == len(b) {
			return n, nil
		}
	}
	return n, io.EOF
}

// heapMax is the issue's: 64 MiB for content of any size.
const heapMax = 64 << 20

// heap watches the memory of a reading through its progress.
type heap struct {
	base, peak uint64
	calls      int
}

func newHeap() *heap {
	runtime.GC()
	h := &heap{}
	h.base = h.now()
	return h
}

func (h *heap) now() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (h *heap) progress(int64, int64) {
	if h.calls++; h.calls%16 == 0 {
		h.peak = max(h.peak, h.now())
	}
}

func (h *heap) used() int64 { return int64(h.peak) - int64(h.base) }

// TestLargeContentIsNotHeld reads 256 MiB in every way that they may come.
func TestLargeContentIsNotHeld(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() {
		size = 80 << 20
	}
	p := newPattern(size)
	detached := newIdentity(t, "Signer", 1).sign(t, func(tm *cms.Template) { tm.Content, tm.ContentDigest = nil, p.digest(t) })
	for name, src := range map[string]Source{
		"detached, a file":       {Data: detached, ContentFrom: p.reader()},
		"detached, a stream":     {Data: detached, ContentFrom: io.MultiReader(p.reader())},
		"attached DER, a file":   {Document: p.around(t, detached)},
		"attached DER, a stream": {Document: io.MultiReader(p.around(t, detached))},
		"attached BER, a file":   {Document: p.inPieces(t, detached)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeap()
			src.Progress = h.progress
			f := read(t, src)
			s := f.Signatures[0]
			if c := s.Covers[0]; !c.Found || !c.Intact || c.Bytes != size || !s.Candidates[0].Verified {
				t.Errorf("%+v, %+v", c, s.Candidates)
			}
			if h.calls == 0 || h.used() > heapMax {
				t.Errorf("%d MiB held, after %d calls", h.used()>>20, h.calls)
			}
			if ber := f.Document.Encoding == "BER"; ber != (name == "attached BER, a file") {
				t.Errorf("encoding %s", f.Document.Encoding)
			}
		})
	}
}

// BenchmarkLarge reads 2 GiB and holds it against the bare digest of the same
// bytes, taken turn about: x-bare is how much of the bare speed is reached by the
// clock on the wall, x-bare-cpu by the time of all processors, where reading beside
// the digest wins nothing. Both are medians.
func BenchmarkLarge(b *testing.B) {
	p := newPattern(2 << 30)
	detached := newIdentity(b, "Signer", 1).sign(b, func(tm *cms.Template) { tm.Content, tm.ContentDigest = nil, p.digest(b) })
	for _, way := range []struct {
		name string
		src  func() Source
	}{
		{"detached", func() Source { return Source{Data: detached, ContentFrom: p.reader()} }},
		{"attached", func() Source { return Source{Document: p.around(b, detached)} }},
	} {
		b.Run(way.name, func(b *testing.B) {
			var wall, cpu []float64
			var used int64
			for b.Loop() {
				bareWall, bareCPU := clocked(func() { p.digest(b) })
				h, src := newHeap(), way.src()
				src.Progress = h.progress
				oursWall, oursCPU := clocked(func() {
					if f := read(b, src); !f.Signatures[0].Covers[0].Intact {
						b.Fatal("not intact")
					}
				})
				wall, cpu = append(wall, bareWall.Seconds()/oursWall.Seconds()), append(cpu, bareCPU.Seconds()/oursCPU.Seconds())
				used = max(used, h.used())
			}
			slices.Sort(wall)
			slices.Sort(cpu)
			b.ReportMetric(wall[len(wall)/2], "x-bare")
			b.ReportMetric(cpu[len(cpu)/2], "x-bare-cpu")
			b.ReportMetric(float64(used)/(1<<20), "MiB-held")
		})
	}
}

// clocked takes the time of f, by the clock and by the processors.
func clocked(f func()) (wall, cpu time.Duration) {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	from := time.Now()
	f()
	wall = time.Since(from)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	return wall, time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}

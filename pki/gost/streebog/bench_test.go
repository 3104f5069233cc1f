package streebog

import "testing"

func BenchmarkStreebog512(b *testing.B) {
	data := make([]byte, 64<<10)
	h := New512()
	var sum [Size512]byte
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		h.Write(data)
		h.Sum(sum[:0])
	}
}

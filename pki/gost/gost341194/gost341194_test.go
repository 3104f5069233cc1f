package gost341194

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The two examples of RFC 5831 §7 (Test set), and digests of short messages
// under both sets that gost-engine or Kazakhstan's certificates confirm.
var vectors = []struct {
	sbox    *SBox
	message string
	digest  string
}{
	{TestParam, "This is message, length=32 bytes", "b1c466d37519b82e8319819ff32595e047a28cb6f83eff1c6916a815a637fffa"},
	{TestParam, "Suppose the original message has length = 50 bytes", "471aba57a60a770d3a76130635c1fbea4ef14de51f78b4ae57dd893b62f55208"},
	{TestParam, "", "ce85b99cc46752fffee35cab9a7b0278abb4c2d2055cff685af4912c49490f8d"},
	{TestParam, "a", "d42c539e367c66e9c88a801f6649349c21871b4344c6a573f849fdce62f314dd"},
	{TestParam, "abc", "f3134348c44fb1b2a277729e2285ebb5cb5e0f29c975bc753b70497c06a4d51d"},
	{TestParam, "The quick brown fox jumps over the lazy dog", "77b7fa410c9ac58a25f49bca7d0468c9296529315eaca76bd1a10f376d1f4294"},
	{CryptoPro, "", "981e5f3ca30c841487830f84fb433e13ac1101569b9c13584ac483234cd656c0"},
	{CryptoPro, strings.Repeat("0123456789", 6) + "012", "ed4693785c993d3396f5ec0ea21df299024f970a43729c7fa326dafc7d95a25b"},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		h := New(v.sbox)
		for cut := range len(v.message) + 1 {
			h.Write([]byte(v.message[:cut]))
			h.Sum(nil)
			h.Write([]byte(v.message[cut:]))
			if got := hex.EncodeToString(h.Sum(nil)); got != v.digest {
				t.Errorf("%s of %q cut at %d: %s, want %s", v.sbox.Name(), v.message, cut, got, v.digest)
			}
			h.Reset()
		}
	}
}

func TestSumAgreesWithHash(t *testing.T) {
	data := bytes.Repeat([]byte{0xff}, 5*BlockSize)
	for n := range data {
		h, sum := New(CryptoPro), Sum(CryptoPro, data[:n])
		h.Write(data[:n])
		if !bytes.Equal(h.Sum(nil), sum[:]) {
			t.Fatalf("Sum of %d bytes differs from New", n)
		}
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	h, data := New(TestParam), make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() { h.Write(data) }); n != 0 {
		t.Errorf("%v allocations per Write", n)
	}
}

func BenchmarkGOST341194(b *testing.B) {
	data := make([]byte, 64<<10)
	h := New(TestParam)
	var sum [Size]byte
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		h.Write(data)
		h.Sum(sum[:0])
	}
}

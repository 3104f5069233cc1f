package streebog

import (
	"bytes"
	"encoding/hex"
	"hash"
	"testing"
)

// The examples of RFC 6986 §10, in the byte order of messages: the RFC prints
// message and digest as numbers, which is the reverse.
const (
	message1 = "303132333435363738393031323334353637383930313233343536373839303132333435363738393031323334353637383930313233343536373839303132"
	message2 = "d1e520e2e5f2f0e82c20d1f2f0e8e1eee6e820e2edf3f6e82c20e2e5fef2fa20f120eceef0ff20f1f2f0e5ebe0ece820ede020f5f0e0e1f0fbff20efebfaeafb20c8e3eef0e5e2fb"
)

var examples = []struct {
	name    string
	new     func() hash.Hash
	message string
	digest  string
}{
	{"M1 512", New512, message1, "1b54d01a4af5b9d5cc3d86d68d285462b19abc2475222f35c085122be4ba1ffa00ad30f8767b3a82384c6574f024c311e2a481332b08ef7f41797891c1646f48"},
	{"M1 256", New256, message1, "9d151eefd8590b89daa6ba6cb74af9275dd051026bb149a452fd84e5e57b5500"},
	{"M2 512", New512, message2, "1e88e62226bfca6f9994f1f2d51569e0daf8475a3b0fe61a5300eee46d961376035fe83549ada2b8620fcd7c496ce5b33f0cb9dddc2b6460143b03dabac9fb28"},
	{"M2 256", New256, message2, "9dd2fe4e90409e5da87f53976d7405b0c0cac628fc669a741d50063c557e8f50"},
}

func TestExamples(t *testing.T) {
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			message, _ := hex.DecodeString(e.message)
			h := e.new()
			for range 2 { // Reset gives a fresh hash; Sum leaves the state alone
				h.Write(message[:20])
				h.Sum(nil)
				h.Write(message[20:])
				if got := hex.EncodeToString(h.Sum(nil)); got != e.digest {
					t.Errorf("digest %s, want %s", got, e.digest)
				}
				h.Reset()
			}
		})
	}
}

func TestSumsAgreeWithHash(t *testing.T) {
	data := bytes.Repeat([]byte{0xff}, 3*BlockSize+1)
	for n := range data {
		h, short, long := New256(), Sum256(data[:n]), Sum512(data[:n])
		h.Write(data[:n])
		if !bytes.Equal(h.Sum(nil), short[:]) {
			t.Fatalf("Sum256 of %d bytes differs from New256", n)
		}
		h = New512()
		h.Write(data[:n])
		if !bytes.Equal(h.Sum(nil), long[:]) {
			t.Fatalf("Sum512 of %d bytes differs from New512", n)
		}
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	h, data := New512(), make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() { h.Write(data) }); n != 0 {
		t.Errorf("%v allocations per Write", n)
	}
}

// FuzzAgainstReference compares both sizes, written in two pieces, with the
// reference that follows the RFC word by word.
func FuzzAgainstReference(f *testing.F) {
	m1, _ := hex.DecodeString(message1)
	f.Add(m1, uint16(7))
	f.Add(bytes.Repeat([]byte{0xff}, 192), uint16(64))
	f.Add([]byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		k := min(int(cut), len(data))
		for _, size := range []int{Size256, Size512} {
			h := New512()
			if size == Size256 {
				h = New256()
			}
			h.Write(data[:k])
			h.Write(data[k:])
			if got, want := h.Sum(nil), reference(data, size); !bytes.Equal(got, want) {
				t.Errorf("size %d: %x, want %x", size, got, want)
			}
		}
	})
}

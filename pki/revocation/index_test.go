package revocation

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"math/big"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// production is a list of the shape of NUC RK's: serial numbers of 20 random
// bytes, most entries with a reason.
func production(t testing.TB, n int) (*List, []*big.Int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	l := goodList()
	serials := make([]*big.Int, n)
	var entries cryptobyte.Builder
	for i := range serials {
		var b [20]byte
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		b[0] = b[0]&0x7f | 0x40
		serials[i] = new(big.Int).SetBytes(b[:])
		entries.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(serials[i])
			b.AddASN1UTCTime(now.Add(-time.Duration(random.Int64N(int64(9000 * time.Hour)))))
			if i%10 != 0 {
				b.AddBytes(append(append([]byte{}, plainReason...), byte(1+i%6)))
			}
		})
	}
	list, err := ParseList(l.der(t))
	if err != nil {
		t.Fatal(err)
	}
	list.entries = entries.BytesOrPanic()
	return list, serials
}

// The index says what reading the list says.
func TestIndexAgainstList(t *testing.T) {
	l, serials := production(t, 3000)
	x, err := NewIndex(l)
	if err != nil || x.Len() != len(serials) {
		t.Fatal(err)
	}
	for i, s := range serials {
		if i%10 > 0 && i%7 > 0 {
			continue
		}
		want, _, err := l.Find(s)
		if got, found := x.Find(s); err != nil || !found || got != want {
			t.Fatalf("%s: %+v, want %+v", s, got, want)
		}
		if _, found := x.Find(new(big.Int).Add(s, big.NewInt(1))); found {
			t.Error("found what is not there")
		}
	}
}

func TestIndexOfOddEntries(t *testing.T) {
	long := new(big.Int).Lsh(big.NewInt(3), 200)
	l := goodList()
	early, late := now.Add(-5*time.Hour), now.Add(-time.Hour)
	end := time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC) // not for the quick reader
	l.entries = []listEntry{
		{big.NewInt(0), late, nil}, {big.NewInt(7), late, reason(1)}, {big.NewInt(7), early, reason(6)}, {big.NewInt(-7), late, reason(3)},
		{long, late, reason(4)}, {long, early, nil}, {big.NewInt(255), end, reason(5)}, {big.NewInt(9), late, append(reason(2), pkix.Extension{Id: oidInvalidityDate, Value: []byte{24, 0}})},
	}
	list, err := ParseList(l.der(t))
	if err != nil {
		t.Fatal(err)
	}
	x, err := NewIndex(list)
	if err != nil || x.Len() != 7 {
		t.Fatalf("%v", err)
	}
	for _, s := range []*big.Int{big.NewInt(0), big.NewInt(7), big.NewInt(-7), long, big.NewInt(255), big.NewInt(9), big.NewInt(8), big.NewInt(-8), new(big.Int).Neg(long), new(big.Int).Lsh(long, 1)} {
		want, known, err := list.Find(s)
		if got, found := x.Find(s); err != nil || found != known || got != want {
			t.Errorf("%s: %+v %v, want %+v %v", s, got, found, want, known)
		}
	}
}

func TestIndexRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		entry listEntry
		want  fault.Code
	}{
		"critical extension": {listEntry{big.NewInt(5), now, []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}}, fault.CriticalExtensionUnknown},
		"indirect": {listEntry{big.NewInt(5), now, []pkix.Extension{{Id: oidCertificateIssuer, Critical: true,
			Value: tlv(0x30, tlv(0xa4, testWorld().ca.RawSubject))}}}, fault.CRLOutOfScope},
	} {
		l := goodList()
		l.entries = []listEntry{tt.entry}
		list, err := ParseList(l.der(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewIndex(list); !fault.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list := &List{entries: cryptobyte.String{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}}
	if _, err := NewIndex(list); !fault.Is(err, fault.CRLUnreadable) {
		t.Error(err)
	}
}

// An empty index, and one whose serial numbers all fall into one bucket.
func TestIndexEdges(t *testing.T) {
	x, err := NewIndex(&List{})
	if _, found := x.Find(big.NewInt(1)); err != nil || found {
		t.Error(err)
	}
	l := goodList()
	for i := range 500 {
		l.entries = append(l.entries, listEntry{big.NewInt(int64(500-i) << 16), now, nil})
	}
	list, err := ParseList(l.der(t))
	if err != nil {
		t.Fatal(err)
	}
	if x, err = NewIndex(list); err != nil {
		t.Fatal(err)
	}
	for i := range 502 {
		if _, found := x.Find(big.NewInt(int64(i) << 16)); found != (i > 0 && i <= 500) {
			t.Errorf("%d: %v", i, found)
		}
	}
}

func TestIndexLooksUpWithoutAllocating(t *testing.T) {
	l, serials := production(t, 100)
	x, err := NewIndex(l)
	if err != nil {
		t.Fatal(err)
	}
	missing := new(big.Int).Add(serials[0], big.NewInt(1))
	if n := testing.AllocsPerRun(100, func() { x.Find(serials[5]); x.Find(missing) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkIndex loads a list of the size of NUC RK's and says what it takes in
// relation to hashing and one pass over its bytes, and on the heap.
func BenchmarkIndex(b *testing.B) {
	l, serials := production(b, 422_000)
	b.Run("load", func(b *testing.B) {
		var ours, reference time.Duration
		for b.Loop() {
			start := time.Now()
			sha256.Sum256(l.entries)
			if _, err := NewIndex(l); err != nil {
				b.Fatal(err)
			}
			middle := time.Now()
			sha256.Sum256(l.entries)
			sum := byte(0)
			for _, c := range l.entries {
				sum ^= c
			}
			reference += time.Since(middle)
			ours += middle.Sub(start)
			runtime.KeepAlive(sum)
		}
		b.ReportMetric(float64(ours)/float64(reference), "x-hash-and-pass")
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	x, err := NewIndex(l)
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perEntry := (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(len(serials))
	b.Run("find", func(b *testing.B) {
		i := 0
		for b.Loop() {
			x.Find(serials[i%len(serials)])
			i += 7919
		}
		b.ReportMetric(perEntry, "bytes/entry")
	})
	runtime.KeepAlive(x)
	runtime.KeepAlive(l)
}

package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509/pkix"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// productionDER is a signed list of the shape of NUC RK's: serial numbers of 20
// random bytes, most entries with a reason.
func productionDER(t testing.TB, n int) ([]byte, []*big.Int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	serials := make([]*big.Int, n)
	var entries []byte
	for i := range serials {
		b := [20]byte{}
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		b[0] = b[0]&0x7f | 0x40
		serials[i] = new(big.Int).SetBytes(b[:])
		entry := append([]byte{0x02, 20}, b[:]...)
		revoked := now.Add(-time.Duration(random.Int64N(int64(9000 * time.Hour))))
		entry = append(entry, 0x17, 13)
		entry = revoked.UTC().AppendFormat(entry, "060102150405Z")
		if i%10 != 0 {
			entry = append(append(entry, plainReason...), byte(1+i%6))
		}
		entries = append(append(entries, 0x30, byte(len(entry))), entry...)
	}
	l := goodList()
	l.rawEntries = entries
	return l.der(t), serials
}

func production(t testing.TB, n int) (*List, []*big.Int) {
	t.Helper()
	raw, serials := productionDER(t, n)
	list, err := ParseList(raw)
	if err != nil {
		t.Fatal(err)
	}
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
		"indirect in a list that is not": {listEntry{big.NewInt(6), now, []pkix.Extension{{Id: oidCertificateIssuer, Critical: true,
			Value: tlv(0x30, tlv(0xa4, testWorld().ca.RawSubject))}}}, fault.CRLUnreadable},
	} {
		l := goodList()
		if name == "indirect" {
			l.extensions = []pkix.Extension{point(0x84, 1, 0xff)}
		}
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

// An empty index, and one whose serial numbers have the same last bytes.
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

// BenchmarkIndex loads a list of the size of NUC RK's and says what reading it,
// checking its signature and indexing it takes in relation to hashing and one
// pass over its bytes; what it leaves on the heap; and what a look-up takes in
// relation to a binary search over the serial numbers.
func BenchmarkIndex(b *testing.B) {
	raw, serials := productionDER(b, 422_000)
	x, heap := heapOf(func() *Index { return load(b, raw) })
	b.Run("load", func(b *testing.B) {
		var ratios []float64
		for b.Loop() {
			start := time.Now()
			load(b, raw)
			middle := time.Now()
			hashAndPass(raw)
			ratios = append(ratios, float64(middle.Sub(start))/float64(time.Since(middle)))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "x-hash-and-pass")
	})
	sorted := slices.Clone(serials)
	slices.SortFunc(sorted, (*big.Int).Cmp)
	keys := make([][serialSize]byte, len(sorted))
	for i, s := range sorted {
		s.FillBytes(keys[i][:])
	}
	b.Run("find", func(b *testing.B) {
		const batch = 1000
		var ratios []float64
		i := 0
		for b.Loop() {
			start := time.Now()
			for k := range batch {
				if _, found := x.Find(serials[(i+k*7919)%len(serials)]); !found {
					b.Fatal("not found")
				}
			}
			middle := time.Now()
			for k := range batch {
				var key [serialSize]byte
				serials[(i+k*7919)%len(serials)].FillBytes(key[:])
				if _, found := slices.BinarySearchFunc(keys, key, func(a, b [serialSize]byte) int { return bytes.Compare(a[:], b[:]) }); !found {
					b.Fatal("not found")
				}
			}
			ratios = append(ratios, float64(time.Since(middle))/float64(middle.Sub(start)))
			i += 104729
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "x-binary-search")
		b.ReportMetric(float64(heap)/float64(len(serials)), "heap-bytes/entry")
	})
	runtime.KeepAlive(x)
}

// The index of a long list stays on the heap with at most 32 bytes an
// entry, and nothing else of the list does.
func TestIndexIsCompact(t *testing.T) {
	raw, serials := productionDER(t, 100_000)
	x, heap := heapOf(func() *Index { return load(t, raw) })
	if perEntry := float64(heap) / float64(len(serials)); perEntry > 32 || perEntry < recordSize {
		t.Errorf("%.1f bytes an entry", perEntry)
	}
	if _, found := x.Find(serials[len(serials)-1]); !found || x.Len() != len(serials) {
		t.Error("not whole")
	}
	runtime.KeepAlive(raw)
}

// load reads a list, checks its signature and indexes it, as a Store does.
func load(t testing.TB, raw []byte) *Index {
	_, x, err := readHeld(raw, testWorld().ca.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// hashAndPass is what no reader can do without.
func hashAndPass(raw []byte) byte {
	sum := sha256.Sum256(raw)[0]
	for _, c := range raw {
		sum ^= c
	}
	return sum
}

// heapOf says how much more is on the heap with the result than without.
func heapOf[T any](make func() T) (T, int64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	made := make()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return made, int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// FuzzIndex holds the index against the list that it was made of, and the quick
// reader of entries against the slow one.
func FuzzIndex(f *testing.F) {
	for _, entries := range [][]listEntry{
		nil,
		{{big.NewInt(7), now, reason(1)}, {big.NewInt(7), now.Add(-time.Hour), reason(6)}},
		{{big.NewInt(-1), now, nil}, {new(big.Int).Lsh(big.NewInt(1), 200), now, reason(10)}},
		{{big.NewInt(128), time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC), []pkix.Extension{{Id: oidInvalidityDate, Value: []byte{24, 0}}}}},
	} {
		l := goodList()
		l.entries = entries
		list, err := ParseList(l.der(f))
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(list.entries))
	}
	f.Add([]byte("\x30\x13\x02\x02\x00\x80\x17\x0d250230000000Z"))
	f.Add([]byte("\x30\x84\x7f\xff\xff\xff\x02"))
	f.Fuzz(func(t *testing.T, entries []byte) {
		l := &List{Issuer: testWorld().ca.Subject, entries: entries}
		x, err := NewIndex(l)
		_, _, readable := l.Find(big.NewInt(1))
		if (err == nil) != (readable == nil) && !fault.Is(err, fault.CRLOutOfScope) {
			t.Fatalf("index %v, list %v", err, readable)
		}
		if err != nil {
			return
		}
		rest := l.entries
		for !rest.Empty() {
			quick := rest
			serial, e, ok := quickEntry(&quick)
			var body, number cryptobyte.String
			if !rest.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&number, asn1.INTEGER) {
				t.Fatal("indexed, and malformed")
			}
			slow, _, err := readEntry(&body, true)
			if err != nil || ok && (!bytes.Equal(serial, number) || e != slow || len(quick) != len(rest)) {
				t.Fatalf("%x: quick %+v, slow %+v, %v", number, e, slow, err)
			}
			n := new(big.Int)
			if whole := append([]byte{2, byte(len(number))}, number...); len(number) < 128 && (*cryptobyte.String)(&whole).ReadASN1Integer(n) {
				want, found, err := l.Find(n)
				if got, indexed := x.Find(n); err != nil || indexed != found || got != want {
					t.Fatalf("%s: %+v, want %+v", n, got, want)
				}
			}
		}
	})
}

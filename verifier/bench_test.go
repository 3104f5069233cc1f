package verifier_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

// sample is a document with everything that a verdict on it rests on.
type sample struct {
	in     verifier.Input
	policy verifier.Policy
	at     time.Time
}

// verify reads and judges in a session, as a service does with one document
// after the other.
func (s *sample) verify(t testing.TB, session *verifier.Session) *verifier.Report {
	found, err := session.Collect(context.Background(), s.in)
	if err != nil {
		t.Fatal(err)
	}
	return session.Judge(found, s.policy, s.in.Anchors, s.at)
}

// smallSample is a CAdES-B of 4 KiB with RSA-2048.
func smallSample(t testing.TB) *sample {
	w := theWorld()
	policy, err := verifier.PolicyByName("kz-qualified")
	must(err)
	s := &sample{policy: policy, at: now}
	s.in = verifier.Input{Name: "x.p7m", Data: w.signer.sign(t, string(make([]byte, 4<<10)), nil), Anchors: store(t, w.root.cert)}
	s.in.OCSPs = [][]byte{w.signer.status(now.Add(-time.Hour), nil)}
	s.in.CRLs = [][]byte{w.root.crl(now.Add(-time.Hour))}
	return s
}

// allocationsMax is what a small verification may allocate, reading and report
// included.
const allocationsMax = 150

func TestSmallVerificationAllocatesLittle(t *testing.T) {
	s := smallSample(t)
	var session verifier.Session
	if r := s.verify(t, &session); r.Indication != verifier.TotalPassed {
		t.Fatalf("%s %s", r.Indication, r.SubIndication)
	}
	if n := testing.AllocsPerRun(100, func() { s.verify(t, &session) }); n > allocationsMax {
		t.Errorf("%.0f allocations, at most %d", n, allocationsMax)
	} else {
		t.Logf("%.0f allocations", n)
	}
}

// BenchmarkVerifyRSA is a whole verification, path and revocation information
// known, against the bare check of one RSA-2048 signature by crypto/rsa, in
// alternating rounds.
func BenchmarkVerifyRSA(b *testing.B) {
	s := smallSample(b)
	var session verifier.Session
	s.verify(b, &session)
	m, err := cms.Parse(s.in.Data)
	must(err)
	public := theWorld().signer.key.Public().(*rsa.PublicKey)
	sum := sha256.Sum256(m.Signers[0].SignedAttributesAsSet())
	bare := func() {
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], m.Signers[0].Signature); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	compare(b, 200, func() { s.verify(b, &session) }, bare)
}

// compare runs both in alternating rounds and reports the median of their
// ratios, and ours per second.
func compare(b *testing.B, perRound int, ours, theirs func()) {
	var ratios, rates []float64
	for b.Loop() {
		a, c := clocked(perRound, ours), clocked(perRound, theirs)
		ratios = append(ratios, float64(c)/float64(a))
		rates = append(rates, float64(perRound)/a.Seconds())
	}
	b.ReportMetric(median(ratios), "x-reference")
	b.ReportMetric(median(rates), "ours/s")
}

// clocked is the CPU time that n runs take, the garbage collector's included:
// the clock on the wall counts what else the machine does.
func clocked(n int, f func()) time.Duration {
	start := processTime()
	for range n {
		f()
	}
	return processTime() - start
}

func processTime() time.Duration {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

package verifier_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// BenchmarkVerifyAgainstOpenSSL is the same with CAs of RSA-4096, as NUC RK's are,
// against CMS_verify in a loop with the root in its store.
func BenchmarkVerifyAgainstOpenSSL(b *testing.B) {
	s := nationalSample(b)
	peer := startPeer(b, s.in.Data, s.in.Anchors.Anchors()[0].Certificate.Raw, "cms")
	against(b, s, 200, func() float64 { return peer.rate(b, "cms") })
}

// BenchmarkVerifyGOST is a CAdES-T with GOST-512 throughout, path and revocation
// information known, against the four bare verifications by gost-engine that it
// consists of: signer, authority, and a CA above each.
func BenchmarkVerifyGOST(b *testing.B) {
	s := gostSample(b)
	peer := startPeer(b, s.in.Data, s.in.Anchors.Anchors()[0].Certificate.Raw, "gost")
	against(b, s, 50, func() float64 { return peer.rate(b, "gost") / 4 })
}

// nationalSample is smallSample under CAs of RSA-4096.
func nationalSample(t testing.TB) *sample {
	root := issue(nil, "Root 4096", rsaKey(4096), asCA)
	ca := issue(root, "CA 4096", rsaKey(4096), asCA)
	signer := issue(ca, "Signer 2048", rsaKey(2048), nil)
	s := smallSample(t)
	s.in.Data = signer.sign(t, string(make([]byte, 4<<10)), nil)
	s.in.Anchors = store(t, root.cert)
	s.in.OCSPs, s.in.CRLs = nil, [][]byte{root.crl(now.Add(-time.Hour)), ca.crl(now.Add(-time.Hour))}
	return s
}

// gostSample is a CAdES-T of 4 KiB with GOST-512 throughout.
func gostSample(t testing.TB) *sample {
	e := estateOf("GOST-512")
	old := func(p *party) *entity {
		return &entity{key: p.key, cert: p.cert, issuer: &entity{cert: p.issuer.cert}}
	}
	message := old(e.signer).sign(t, string(make([]byte, 4<<10)), func(tm *cms.Template) { tm.SigningTime = day0 })
	policy, err := verifier.PolicyByName("kz-qualified")
	must(err)
	s := &sample{policy: policy, at: whenValid}
	s.in = verifier.Input{Name: "x.p7m", Data: withTimestamp(t, message, old(e.tsa), day0.Add(time.Minute)), Anchors: e.anchors}
	at, next := whenValid.Add(-time.Hour), whenValid.Add(time.Hour)
	s.in.OCSPs = [][]byte{e.responder.answerAbout(e.signer, at, next, standing{}), e.stampsResponder.answerAbout(e.tsa, at, next, standing{})}
	s.in.CRLs = [][]byte{e.root.listOf(e.ca, at, next, standing{}, time.Time{})}
	return s
}

// against measures a sample against a rate per CPU second, in alternating rounds.
func against(b *testing.B, s *sample, perRound int, rate func() float64) {
	var session verifier.Session
	if r := s.verify(b, &session); r.Indication != verifier.TotalPassed {
		b.Fatalf("%s %s %v", r.Indication, r.SubIndication, r.Signatures[0].Errors)
	}
	var ratios, rates []float64
	for b.Loop() {
		ours := float64(perRound) / clocked(perRound, func() { s.verify(b, &session) }).Seconds()
		ratios, rates = append(ratios, ours/rate()), append(rates, ours)
	}
	b.ReportMetric(median(ratios), "x-reference")
	b.ReportMetric(median(rates), "ours/s")
}

// peer is the running C program.
type peer struct {
	in  io.Writer
	out *bufio.Reader
}

// startPeer compiles and starts it; without a compiler, OpenSSL's headers or the
// engine there is nothing to measure against.
func startPeer(b *testing.B, message, root []byte, needs string) *peer {
	b.Helper()
	folder := b.TempDir()
	name := func(s string) string { return filepath.Join(folder, s) }
	must(os.WriteFile(name("message"), message, 0o600))
	must(os.WriteFile(name("root"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}), 0o600))
	compile := exec.Command("gcc", "-O2", "-Wno-deprecated-declarations", "-o", name("peer"), "testdata/peer/peer.c", "-lcrypto")
	if out, err := compile.CombinedOutput(); err != nil {
		b.Skipf("no peer: %v\n%s", err, out)
	}
	command := exec.Command(name("peer"), name("message"), name("root"))
	in, err := command.StdinPipe()
	must(err)
	out, err := command.StdoutPipe()
	must(err)
	must(command.Start())
	b.Cleanup(func() { in.Close(); command.Wait() })
	p := &peer{in, bufio.NewReader(out)}
	ready, err := p.out.ReadString('\n')
	must(err)
	if !strings.Contains(ready, needs) {
		b.Skipf("the peer cannot do %s: %s", needs, ready)
	}
	return p
}

// rate asks for operations per CPU second.
func (p *peer) rate(b *testing.B, operation string) float64 {
	_, err := fmt.Fprintf(p.in, "%s 30\n", operation)
	must(err)
	var done, seconds float64
	if _, err := fmt.Fscan(p.out, &done, &seconds); err != nil {
		b.Fatal(err)
	}
	return done / seconds
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

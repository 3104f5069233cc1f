package path

import (
	"testing"
	"time"
)

// BenchmarkBuild sets a path with two CAs that the store holds against the one
// signature check that it cannot do without. With RSA-2048 the share of all
// else is larger than with the RSA-4096 of NUC RK's CAs.
func BenchmarkBuild(b *testing.B) {
	root := issue(b, nil, "root", 0, ca)
	sub := issue(b, root, "sub", 4, ca)
	leaf := issue(b, sub, "leaf", 3)
	r := Request{Leaf: leaf.Certificate, Anchors: store(b, root, sub), At: now}
	var ours, reference time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := Build(r); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if err := leaf.VerifySignedBy(sub.Certificate); err != nil {
			b.Fatal(err)
		}
		reference += time.Since(middle)
		ours += middle.Sub(start)
	}
	b.ReportMetric(float64(reference)/float64(ours), "x-bare-check")
}

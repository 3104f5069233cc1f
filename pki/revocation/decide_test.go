package revocation

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDecideOfNothing(t *testing.T) {
	if Decide(nil, now) != nil {
		t.Error("something")
	}
}

// What comes out does not depend on the order of the evidence, and more evidence
// of a revocation for good by the time never makes it good.
func TestDecideProperties(t *testing.T) {
	hours := rapid.Int64Range(-6, 6)
	at := func(t *rapid.T, label string) time.Time {
		return now.Add(time.Duration(hours.Draw(t, label)) * time.Hour)
	}
	evidence := rapid.Custom(func(t *rapid.T) *Evidence {
		e := &Evidence{Status: rapid.SampledFrom([]Status{Good, Revoked, Unknown}).Draw(t, "status"), ThisUpdate: at(t, "this")}
		e.Kind = rapid.SampledFrom([]Kind{OCSP, CRL}).Draw(t, "kind")
		if e.Status == Unknown {
			e.Kind = OCSP
		}
		if e.Status == Revoked {
			e.RevokedAt, e.Reason = at(t, "since"), rapid.SampledFrom([]Reason{Unspecified, 1, CertificateHold}).Draw(t, "reason")
		}
		return e
	})
	verdict := func(e *Evidence) string {
		switch {
		case e.Status == Unknown:
			return "unknown"
		case !e.RevokedBy(now):
			return "good"
		case e.Reason == CertificateHold:
			return "hold"
		}
		return "revoked"
	}
	rapid.Check(t, func(t *rapid.T) {
		found := rapid.SliceOfN(evidence, 1, 6).Draw(t, "found")
		want := verdict(Decide(found, now))
		for range 5 {
			if got := verdict(Decide(rapid.Permutation(found).Draw(t, "order"), now)); got != want {
				t.Fatalf("%s, in another order %s", want, got)
			}
		}
		revoked := slices.ContainsFunc(found, func(e *Evidence) bool { return e.final() && e.RevokedBy(now) })
		if (want == "revoked") != revoked {
			t.Fatalf("%s, revoked for good %v", want, revoked)
		}
		held := slices.ContainsFunc(found, func(e *Evidence) bool { return e.class(now) == heldThen })
		if held && want != "revoked" && want != "hold" {
			t.Fatalf("%s, and on hold at the time", want)
		}
	})
}

package verifier_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// What the matrix does not reach: content time-stamps, the order of time-stamps,
// counter-signatures, signature policies, algorithms that fade.
func TestProcess(t *testing.T) {
	e := estateOf("P-256")
	base := trial{algorithm: "P-256", level: "T", event: nothing, stamp: sound, missing: complete, at: whenValid}
	with := func(change func(*trial)) trial {
		c := base
		change(&c)
		return c
	}
	content := func(at time.Time) func(*facts.Facts) {
		return func(f *facts.Facts) {
			s := &f.Signatures[0]
			s.Timestamps = append(s.Timestamps, e.tsa.tokenBy("T-0", facts.ContentTimestamp, at, true, true, facts.Object{Kind: facts.ContentObject, ID: facts.ContentID}))
		}
	}
	counter := func(verified bool) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.Signatures[0].CounterSignatures = []facts.Signature{e.signer.signatureBy("S-2", verified)}
		}
	}
	const fading = "cryptography: {default: {digests: [{name: SHA-256, until: 2020-03-01}], keys: [{name: ECDSA, bits: 256}]}}"
	const fadingSigner = "cryptography: {signer: {digests: [{name: SHA-256, until: 2020-03-01}], keys: [{name: ECDSA, bits: 256}]}}"
	const fadingCA = "cryptography: {ca: {digests: [{name: SHA-256, until: 2020-03-01}], keys: [{name: ECDSA, bits: 256}]}}"
	for _, tt := range []struct {
		name   string
		trial  trial
		change func(*facts.Facts)
		policy string

		indication verifier.Indication
		sub        verifier.SubIndication
		clause     string
	}{
		{"revoked before the content time-stamp", with(func(c *trial) { c.level, c.event = "B", revokedBefore }), content(day0.Add(-time.Hour)), "",
			verifier.TotalFailed, verifier.RevokedFailure, "5.3.4 step 4: made after the revocation"},
		{"revoked after the content time-stamp", with(func(c *trial) { c.level, c.event = "B", revokedAfter }), content(day0.Add(-time.Hour)), "",
			verifier.Indeterminate, verifier.RevokedNoPOE, "5.3.4 step 4: the signature may be older"},
		{"expired before the content time-stamp", with(func(c *trial) { c.level, c.at, c.keeps = "B", whenExpired, true }), content(time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)), "",
			verifier.TotalFailed, verifier.Expired, "5.3.4 step 5: made after the expiry"},
		{"faded before the content time-stamp", with(func(c *trial) { c.level = "B" }), content(time.Date(2020, 4, 1, 0, 0, 0, 0, time.UTC)), fadingSigner,
			verifier.Indeterminate, verifier.CryptoConstraintsFailure, "5.3.4 step 6: made when the algorithm was weak"},
		{"faded after the content time-stamp", with(func(c *trial) { c.level = "B" }), content(day0.Add(-time.Hour)), fadingSigner,
			verifier.Indeterminate, verifier.CryptoConstraintsNoPOE, "5.3.4 step 6: the signature may be older"},
		{"an invalid content time-stamp proves nothing", with(func(c *trial) { c.level, c.event = "B", revokedBefore }), func(f *facts.Facts) {
			content(day0.Add(-time.Hour))(f)
			f.Signatures[0].Timestamps[0].Token.Candidates[0].Verified = false
		}, "", verifier.Indeterminate, verifier.RevokedNoPOE, "5.3.4 step 4: no valid content time-stamp"},

		{"order", base, content(day0.Add(time.Minute)), "", verifier.Indeterminate, verifier.TimestampOrderFailure, "5.5.4 step 5: content after signature"},
		{"order, warned of", base, content(day0.Add(time.Minute)), "timestamps: {order: warn}", verifier.TotalPassed, "", "5.5.4 step 5, level warn"},
		{"in order", base, content(day0.Add(-time.Minute)), "", verifier.TotalPassed, "", "5.5.4 step 5"},

		{"faded, the signature time-stamped before", base, func(*facts.Facts) {}, fadingSigner, verifier.TotalPassed, "", "5.5.4 step 3 d: good enough at the best signature time"},
		{"faded, nothing time-stamped", with(func(c *trial) { c.level = "B" }), func(*facts.Facts) {}, fadingSigner, verifier.Indeterminate, verifier.CryptoConstraintsNoPOE, "5.2.8.4"},
		{"a CA's algorithm faded, no proof of its certificate", base, func(*facts.Facts) {}, fadingCA, verifier.Indeterminate, verifier.CryptoConstraintsNoPOE, "5.6.2.4.4 step 3: the certificates are not proven"},
		{"everything faded, the last time-stamp too", with(func(c *trial) { c.level = "LTA" }), func(*facts.Facts) {}, fading, verifier.Indeterminate, verifier.CryptoConstraintsNoPOE, "5.4: no token passes"},

		{"counter-signature", base, counter(true), "signature: {counter_signatures: fail}", verifier.TotalPassed, "", "5.1.4.4"},
		{"broken counter-signature", base, counter(false), "signature: {counter_signatures: fail}", verifier.Indeterminate, verifier.SigConstraintsFailure, "5.2.8.4: a constraint on the unsigned attribute"},
		{"broken counter-signature, warned of", base, counter(false), "", verifier.TotalPassed, "", "5.1.4.4: its verdict is its own"},

		{"signature policy", base, func(f *facts.Facts) { f.Signatures[0].Policy = &facts.SignaturePolicy{OID: "1.2.3"} }, "signature: {signature_policy: fail}",
			verifier.Indeterminate, verifier.PolicyNotAvailable, "5.2.4.4"},
		{"malformed signature policy", base, func(f *facts.Facts) {
			f.Signatures[0].Policy = &facts.SignaturePolicy{Defect: &facts.Finding{Code: fault.AttributeMalformed}}
		}, "signature: {signature_policy: fail}", verifier.Indeterminate, verifier.PolicyProcessingError, "5.2.4.4"},
		{"implied signature policy", base, func(f *facts.Facts) { f.Signatures[0].Policy = &facts.SignaturePolicy{Implied: true} }, "signature: {signature_policy: fail}",
			verifier.TotalPassed, "", "5.2.4.4"},

		{"an index that lists what is not there", with(func(c *trial) { c.level, c.at = "LTA", whenAllOver }), func(f *facts.Facts) {
			f.Signatures[0].Timestamps[1].HashIndex = &facts.HashIndex{Version: 3, Algorithm: "SHA-256", UnsignedAttributes: facts.IndexPart{Listed: 3, Unknown: 1}}
		}, "", verifier.Indeterminate, verifier.OutOfBoundsNoPOE, "EN 319 122-1 §5.5.2: the archive time-stamp is invalid"},
		{"a time-stamp that only proofs make valid is the one required", with(func(c *trial) { c.level, c.at = "LTA", whenAllOver }), func(*facts.Facts) {}, "timestamps: {required: fail}",
			verifier.TotalPassed, "", "5.6.3.4 step 5"},
		{"weak information does not hide that the signature is not proven to be older than the expiry", with(func(c *trial) { c.level, c.at = "LTA", whenExpired }), func(f *facts.Facts) {
			stamps := f.Signatures[0].Timestamps[1:]
			late := time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)
			stamps[0].Time = &late
			f.Signatures[0].Timestamps = stamps
		}, "revocation: {timestamp: ignore, timestamp_ca: ignore}\ncryptography: {revocation: {digests: [{name: SHA-256, until: 2021-09-01}], keys: [{name: ECDSA, bits: 256}]}}",
			verifier.Indeterminate, verifier.CryptoConstraintsNoPOE, "5.6.2.4.4 steps 2 and 3"},
		{"weak information, proven to be older, of a signature proven to be older", with(func(c *trial) { c.level, c.at = "LTA", whenExpired }), func(*facts.Facts) {},
			"revocation: {timestamp: ignore, timestamp_ca: ignore}\ncryptography: {revocation: {digests: [{name: SHA-256, until: 2021-09-01}], keys: [{name: ECDSA, bits: 256}]}}",
			verifier.TotalPassed, "", "5.6.2.4.4 steps 2 and 3"},
		{"a certificate without revocation information", base, func(f *facts.Facts) { f.Revocations = nil }, "revocation: {signer: ignore, ca: ignore, timestamp: ignore, timestamp_ca: ignore}",
			verifier.TotalPassed, "", "the policy asks for no status"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := verifier.ParsePolicy([]byte(processPolicy(tt.policy)))
			must(err)
			f := tt.trial.facts()
			tt.change(f)
			s := verifier.Judge(f, p, e.anchors, tt.trial.at).Signatures[0]
			if s.Indication != tt.indication || s.SubIndication != tt.sub {
				t.Errorf("%s/%s, want %s/%s by %s: %v", s.Indication, s.SubIndication, tt.indication, tt.sub, tt.clause, s.Errors)
			}
			if (s.Indication == verifier.TotalPassed) != (len(s.Errors) == 0) {
				t.Errorf("%s with errors %v", s.Indication, s.Errors)
			}
		})
	}
}

// processPolicy is kz-qualified with other constraints.
func processPolicy(rules string) string {
	return "name: process\nextends: kz-qualified\n" + rules
}

// An OCSP server that is down is TRY_LATER with the address that did not answer.
func TestOutageSaysWhatIsMissing(t *testing.T) {
	e := estateOf("P-256")
	c := trial{algorithm: "P-256", level: "B", event: nothing, stamp: sound, missing: complete, at: whenValid, offline: true}
	f := c.facts()
	f.Gaps = []facts.Gap{
		{Certificate: facts.Digest(e.signer.cert.Raw), Kind: "ocsp", Source: "http://ocsp.example/", Code: fault.PeerDown},
		{Certificate: facts.Digest(e.ca.cert.Raw), Kind: "crl", Source: "http://crl.example/", Code: fault.PeerDown},
	}
	p, err := verifier.ParsePolicy([]byte(matrixPolicy))
	must(err)
	s := verifier.Judge(f, p, e.anchors, c.at).Signatures[0]
	if s.Indication != verifier.Indeterminate || s.SubIndication != verifier.TryLater {
		t.Fatalf("%s/%s", s.Indication, s.SubIndication)
	}
	for _, address := range []string{"http://ocsp.example/", "http://crl.example/"} {
		if !slices.ContainsFunc(s.Errors, func(m verifier.Message) bool {
			return m.At == address && strings.Contains(m.Detail, string(fault.PeerDown))
		}) {
			t.Errorf("%s is not named: %v", address, s.Errors)
		}
	}
}

// Every verdict has its tree, and what decides it is in the tree.
func TestTreeHoldsWhatDecides(t *testing.T) {
	p, err := verifier.ParsePolicy([]byte(matrixPolicy))
	must(err)
	for _, c := range trials() {
		if c.algorithm != "P-256" {
			continue
		}
		s := verifier.Judge(c.facts(), p, estateOf(c.algorithm).anchors, c.at).Signatures[0]
		if s.SubIndication == "" {
			continue
		}
		if !holds(s.Constraints, s.SubIndication) {
			t.Errorf("%s: %s is not in the tree", c, s.SubIndication)
		}
	}
}

func holds(list []verifier.Constraint, sub verifier.SubIndication) bool {
	return slices.ContainsFunc(list, func(c verifier.Constraint) bool { return c.SubIndication == sub || holds(c.Constraints, sub) })
}

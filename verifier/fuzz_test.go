package verifier_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// FuzzVerify looks for panics, unclassified errors, and for a document that
// passes although nobody signed it.
func FuzzVerify(f *testing.F) {
	w := theWorld()
	const doc = "import declaration"
	plain := w.signer.sign(f, doc, nil)
	f.Add(plain)
	f.Add(withTimestamp(f, plain, w.tsa, now.Add(-day)))
	f.Add(w.signer.sign(f, doc, func(t *cms.Template) { t.Detached = true }))
	f.Add(bothSigners(f, plain, w.stranger.sign(f, doc, nil)))
	ocsps, crls := evidence(now)
	anchors := store(f, w.root.cert)
	policy, err := verifier.PolicyByName("kz-qualified")
	must(err)
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := verifier.Collect(context.Background(), verifier.Input{Name: "x", Data: data, OCSPs: ocsps, CRLs: crls, Anchors: anchors})
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		r := verifier.Judge(found, policy, anchors, now)
		if r.Indication == verifier.TotalPassed && !bytes.Contains(data, []byte(doc)) {
			t.Error("a document passes that nobody signed")
		}
	})
}

// FuzzJudge judges facts from anywhere: whatever they say, it returns.
func FuzzJudge(f *testing.F) {
	w := theWorld()
	_, found := verdict(f, withTimestamp(f, w.signer.sign(f, "doc", nil), w.tsa, now.Add(-day)), nil)
	var seed bytes.Buffer
	must(found.Encode(&seed))
	f.Add(seed.Bytes())
	f.Add([]byte(`{"version":1,"signatures":[{"candidates":[],"timestamps":[{}]}]}`))
	anchors := store(f, w.root.cert)
	policy, err := verifier.PolicyByName("strict")
	must(err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		found, err := facts.Decode(bytes.NewReader(raw))
		if err != nil {
			return
		}
		verifier.Judge(found, policy, anchors, now)
	})
}

package verifier_test

import (
	"bytes"
	"context"
	"testing"
	"time"

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

// FuzzJudge judges facts from anywhere: whatever they say, it returns, twice the
// same, and nothing passes that no certificate under the anchors can have signed.
func FuzzJudge(f *testing.F) {
	w := theWorld()
	_, found := verdict(f, withTimestamp(f, w.signer.sign(f, "doc", nil), w.tsa, now.Add(-day)), nil)
	e := estateOf("P-256")
	in := e.muchLater(e.archived(f, []byte("doc")))
	archived, err := verifier.Collect(context.Background(), in)
	must(err)
	for _, seed := range []*facts.Facts{found, archived} {
		var raw bytes.Buffer
		must(seed.Encode(&raw))
		f.Add(raw.Bytes())
	}
	f.Add([]byte(`{"version":2,"signatures":[{"candidates":[],"timestamps":[{}],"counter_signatures":[{}]}]}`))
	strangers := store(f, w.stranger.issuer.cert)
	policy, err := verifier.PolicyByName("kz-qualified")
	must(err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		found, err := facts.Decode(bytes.NewReader(raw))
		if err != nil {
			return
		}
		for _, at := range []time.Time{now, whenValid, whenAllOver} {
			if r := verifier.Judge(found, policy, strangers, at); r.Indication == verifier.TotalPassed {
				t.Error("passes under anchors that issued nothing of it")
			}
			first := verifier.Judge(found, policy, e.anchors, at)
			sameReport(t, "again", first, verifier.Judge(found, policy, e.anchors, at))
		}
	})
}

// FuzzArchived changes a file at level LTA that passes only whole: one bit of it,
// anywhere. A change that passes must lie where nothing protects.
func FuzzArchived(f *testing.F) {
	e := estateOf("P-256")
	message := e.archived(f, []byte("doc"))
	in := e.muchLater(message)
	policy, err := verifier.PolicyByName("kz-qualified")
	must(err)
	free := e.unprotectedOfArchived(f, message)
	f.Add(uint16(0), uint8(0))
	f.Add(uint16(len(message)/2), uint8(7))
	f.Fuzz(func(t *testing.T, at uint16, bit uint8) {
		i := int(at) % len(message)
		in.Data = bytes.Clone(message)
		in.Data[i] ^= 1 << (bit % 8)
		found, err := verifier.Collect(context.Background(), in)
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		if r := verifier.Judge(found, policy, e.anchors, whenAllOver); r.Indication == verifier.TotalPassed && !within(free, i) {
			t.Errorf("byte %d of %d changed passes", i, len(message))
		}
	})
}

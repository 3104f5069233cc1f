package facts_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier/facts"
)

func sample() *facts.Facts {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	f := &facts.Facts{
		Version:  facts.Version,
		Document: facts.Document{Name: "x.p7m", Format: "CAdES", Bytes: 3, SHA256: facts.Digest([]byte("doc"))},
		Gaps:     []facts.Gap{{Certificate: "c", Kind: "ocsp", Source: "http://ocsp.example/", Code: fault.PeerDown}},
	}
	id := f.AddCertificate([]byte("certificate"), facts.FromMessage)
	f.AddRevocation(facts.Revocation{Kind: facts.OCSP, Fetched: &at, Nonce: []byte{1}, Raw: []byte("answer")}, facts.FromFetched)
	f.Signatures = []facts.Signature{{
		CounterSignatures: []facts.Signature{{ID: "S-3"}},
		ID:                "S-1", Value: []byte{1, 2}, ClaimedTime: &at,
		Covers:     []facts.Covered{{Name: "content", Algorithm: "SHA-256", Found: true, Intact: true}},
		Candidates: []facts.Candidate{{Certificate: id, Named: true, Verified: true}},
		Timestamps: []facts.Timestamp{{ID: "T-1", Kind: facts.SignatureTimestamp, Raw: []byte{5}, Time: &at, Token: &facts.Signature{ID: "S-2"}}},
	}}
	return f
}

func encoded(t testing.TB, f *facts.Facts) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFactsReadBackAsWritten(t *testing.T) {
	want := sample()
	raw := encoded(t, want)
	got, err := facts.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(raw, encoded(t, got)) {
		t.Error("written again, the bytes differ")
	}
}

func TestObjectsAreKeptOnce(t *testing.T) {
	f := sample()
	f.AddCertificate([]byte("certificate"), facts.FromGiven)
	f.AddCertificate([]byte("certificate"), facts.FromGiven)
	f.AddRevocation(facts.Revocation{Kind: facts.OCSP, Raw: []byte("answer")}, facts.FromGiven)
	if len(f.Certificates) != 1 || len(f.Revocations) != 1 || f.Revocations[0].Fetched == nil {
		t.Errorf("%d certificates, revocations %+v", len(f.Certificates), f.Revocations)
	}
	if diff := cmp.Diff([]string{facts.FromMessage, facts.FromGiven}, f.Certificates[0].Origins); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := string(encoded(t, sample()))
	for name, tt := range map[string]struct {
		in   string
		code fault.Code
	}{
		"empty":              {"", fault.FactsUnreadable},
		"not JSON":           {"<facts/>", fault.FactsUnreadable},
		"another version":    {strings.Replace(good, `"version": 2`, `"version": 1`, 1), fault.FactsUnreadable},
		"an unknown key":     {strings.Replace(good, `"version"`, `"verdict": "TOTAL-PASSED", "version"`, 1), fault.FactsUnreadable},
		"two objects":        {good + good, fault.FactsUnreadable},
		"a swapped object":   {strings.Replace(good, `"raw": "Y2VydGlmaWNhdGU="`, `"raw": "Z2VydGlmaWNhdGU="`, 1), fault.FactsUnreadable},
		"a swapped answer":   {strings.Replace(good, `"raw": "YW5zd2Vy"`, `"raw": "YW5zd2Vx"`, 1), fault.FactsUnreadable},
		"a certificate lost": {strings.Replace(good, `"candidates": [`, `"candidates": [{"certificate": "00"},`, 1), fault.FactsUnreadable},
		"an empty reference": {strings.Replace(good, `"references": null`, `"references": [[]]`, 1), fault.FactsUnreadable},
		"no signature":       {`{"version":2}`, fault.NoSignature},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := facts.Decode(strings.NewReader(tt.in)); !fault.Is(err, tt.code) {
				t.Errorf("error %v, want %s", err, tt.code)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, sample()))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := facts.Decode(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := facts.Decode(bytes.NewReader(encoded(t, got)))
		if err != nil {
			t.Fatalf("written again, they do not read: %v", err)
		}
		if !bytes.Equal(encoded(t, got), encoded(t, again)) {
			t.Error("written again, the bytes differ")
		}
	})
}

func TestDecodeBoundsNesting(t *testing.T) {
	f := sample()
	for range 8 {
		f.Signatures = []facts.Signature{{ID: "S", CounterSignatures: f.Signatures}}
	}
	if _, err := facts.Decode(bytes.NewReader(encoded(t, f))); !fault.Is(err, fault.FactsUnreadable) {
		t.Errorf("%v, want %s", err, fault.FactsUnreadable)
	}
}

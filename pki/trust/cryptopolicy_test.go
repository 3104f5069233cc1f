package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

func TestCryptoPolicy(t *testing.T) {
	p, err := CryptoPolicyByName("etsi")
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, tt := range []struct {
		key  algo.Key
		at   string
		want bool
	}{
		{algo.Key{Name: "RSA", Bits: 1024}, "2019-09-30", true},
		{algo.Key{Name: "RSA", Bits: 1024}, "2019-10-01", false},
		{algo.Key{Name: "RSA", Bits: 2048}, "2026-11-21", true},
		{algo.Key{Name: "RSA", Bits: 2048}, "2029-01-01", false},
		{algo.Key{Name: "RSA", Bits: 4096}, "2040-01-01", true},
		{algo.Key{Name: "RSA", Bits: 512}, "2000-01-01", false},
		{algo.Key{Name: "ECDSA", Bits: 224}, "2026-11-21", false},
		{algo.Key{Name: "GOST 34.310-2004", Bits: 256}, "2026-11-21", true},
		{algo.Key{Name: "GOSTLY"}, "2026-11-21", false},
		{algo.Key{}, "2026-11-21", false},
	} {
		if got := p.AllowsKey(tt.key, day(tt.at)); got != tt.want {
			t.Errorf("%+v at %s: %v", tt.key, tt.at, got)
		}
	}
	if !p.AllowsDigest(algo.SHA1, day("2012-07-31")) || p.AllowsDigest(algo.SHA1, day("2012-08-01")) || !p.AllowsDigest(algo.SHA256, day("2060-01-01")) {
		t.Error("digests")
	}
}

func TestCryptoPolicyFiles(t *testing.T) {
	p, err := ParseCryptoPolicy([]byte(`{"name":"x","digests":[{"name":"SHA-256","until":"2030-01-01T00:00:00Z"}],"keys":[{"name":"RSA","bits":3072}]}`))
	if err != nil || p.AllowsKey(algo.Key{Name: "RSA", Bits: 2048}, time.Now()) || !p.AllowsDigest(algo.SHA256, time.Unix(0, 0)) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"name":"x","rules":[]}`, `{"name":"x"}{}`, `{"name":"x","keys":[{"name":"RSA","bits":-1}]}`, `{"name":"x","digests":[{"name":"SHA-1","until":"soon"}]}`,
		`{"name":"x","digests":[{"name":"SHA256"}]}`, `{"name":"x","keys":[{"name":"rsa","bits":2048}]}`} {
		if _, err := ParseCryptoPolicy([]byte(bad)); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := CryptoPolicyByName("x"); !fault.Is(err, fault.BadArgument) {
		t.Error(err)
	}
	var none *CryptoPolicy
	if err := none.CheckPath(nil, time.Now()); err != nil {
		t.Error(err)
	}
}

// What is not good enough any more says since when; of several rules the
// longest holds.
func TestUntil(t *testing.T) {
	end := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &CryptoPolicy{
		Name:    "x",
		Digests: []DigestRule{{Name: "SHA-1", Until: end}},
		Keys:    []KeyRule{{Name: "RSA", Bits: 1024, Until: end}, {Name: "RSA", Bits: 2048, Until: end.AddDate(1, 0, 0)}, {Name: "RSA", Bits: 2048, Until: end}, {Name: "RSA", Bits: 3000}},
	}
	for _, tt := range []struct {
		bits  int
		until time.Time
		ever  bool
	}{{512, time.Time{}, false}, {1024, end, true}, {2048, end.AddDate(1, 0, 0), true}, {4096, time.Time{}, true}} {
		if until, ever := p.KeyUntil(algo.Key{Name: "RSA", Bits: tt.bits}); !until.Equal(tt.until) || ever != tt.ever {
			t.Errorf("%d: %s, %v", tt.bits, until, ever)
		}
	}
	if _, ever := p.DigestUntil(algo.SHA256); ever {
		t.Error("SHA-256 has no rule")
	}
	if until, ever := p.DigestUntil(algo.SHA1); !ever || !until.Equal(end) {
		t.Errorf("SHA-1: %s, %v", until, ever)
	}
	root := issue(t, nil, "root", "").cert // ECDSA
	if err := p.CheckKey(root.PublicKey, end); !fault.Is(err, fault.AlgorithmForbidden) {
		t.Error(err)
	}
	p.Keys = append(p.Keys, KeyRule{Name: "ECDSA", Bits: 256, Until: end})
	if err := p.CheckPath([]*cert.Certificate{root}, end); !fault.Is(err, fault.AlgorithmForbidden) || !strings.Contains(err.Error(), "since 2020-01-01") {
		t.Error(err)
	}
	if err := p.CheckPath([]*cert.Certificate{root}, end.Add(-1)); err != nil {
		t.Error(err)
	}
}

func FuzzParseCryptoPolicy(f *testing.F) {
	f.Add([]byte(`{"name":"x","digests":[{"name":"SHA-256","until":"2030-01-01T00:00:00Z"}],"keys":[{"name":"RSA","bits":3072}]}`))
	f.Add([]byte(`{"name":"x","keys":[{"name":"GOST"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ParseCryptoPolicy(data); err == nil && p.Name == "" {
			t.Error("a policy without a name")
		}
	})
}

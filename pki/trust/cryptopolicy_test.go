package trust

import (
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
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
	for _, bad := range []string{``, `{}`, `[]`, `{"name":"x","rules":[]}`, `{"name":"x"}{}`, `{"name":"x","keys":[{"name":"RSA","bits":-1}]}`, `{"name":"x","digests":[{"name":"SHA-1","until":"soon"}]}`} {
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

package path

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

func TestUsages(t *testing.T) {
	eku := func(usages ...x509.ExtKeyUsage) change {
		return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
	}
	critical := func(value ...byte) change { return extension(cert.OIDExtKeyUsage, true, value...) }
	stamping := critical(0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8)
	const sign = x509.KeyUsageDigitalSignature
	for _, tt := range []struct {
		usage string
		leaf  []change
		want  fault.Code
	}{
		{"any", nil, ""},
		{"sign", []change{usage(sign)}, ""},
		{"sign", []change{usage(x509.KeyUsageKeyEncipherment)}, fault.KeyUsageForbidden},
		{"authenticate", []change{usage(sign), eku(x509.ExtKeyUsageClientAuth)}, ""},
		{"authenticate", []change{usage(sign), eku(x509.ExtKeyUsageEmailProtection)}, fault.PurposeForbidden},
		{"ca", []change{ca}, ""},
		{"ca", nil, fault.NotACA},
		{"timestamp", []change{stamping}, ""},
		{"timestamp", []change{eku(x509.ExtKeyUsageTimeStamping)}, fault.PurposeForbidden},
		{"timestamp", nil, fault.PurposeForbidden},
		{"ocsp", []change{eku(x509.ExtKeyUsageOCSPSigning)}, ""},
		{"ocsp", nil, fault.PurposeForbidden},
		{"server", []change{eku(x509.ExtKeyUsageServerAuth)}, ""},
		{"server", []change{eku(x509.ExtKeyUsageClientAuth)}, fault.PurposeForbidden},
		{"client", nil, ""},
		{"email", []change{eku(x509.ExtKeyUsageEmailProtection)}, ""},
	} {
		r := line(t, nil, tt.leaf)
		if err := r.For(tt.usage); err != nil {
			t.Fatal(err)
		}
		if _, err := Build(r); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.usage, err, tt.want)
		}
	}
	if err := new(Request).For("x"); !fault.Is(err, fault.BadArgument) {
		t.Error(err)
	}
}

// shelf answers from memory.
type shelf map[string][]byte

func (s shelf) Fetch(_ context.Context, url, _ string, _ []byte, _ int64) ([]byte, error) {
	if data, ok := s[url]; ok {
		return data, nil
	}
	return nil, errors.New("not there")
}

func TestFetchIssuers(t *testing.T) {
	at := func(urls ...string) change { return func(c *x509.Certificate) { c.IssuingCertificateURL = urls } }
	root := issue(t, nil, "root", 0, ca)
	sub := issue(t, root, "sub", 1, ca, at("http://root"))
	deep := issue(t, sub, "deep", 2, ca, at("http://down", "http://sub"))
	leaf := issue(t, deep, "leaf", 3, at("http://rubbish", "http://deep"))
	f := shelf{"http://deep": deep.Raw, "http://sub": sub.Raw, "http://rubbish": []byte("rubbish")}
	r := Request{Leaf: leaf.Certificate, Anchors: store(t, root), At: now}
	r.Intermediates = FetchIssuers(t.Context(), f, r)
	if p, err := Build(r); err != nil || len(p.Certificates) != 4 {
		t.Errorf("%v", err)
	}
	if got := FetchIssuers(t.Context(), shelf{}, Request{Leaf: leaf.Certificate, Anchors: store(t, root)}); got != nil {
		t.Errorf("%d certificates", len(got))
	}
}

package path

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// BenchmarkPath sets a path with two CAs that the store holds, with revocation
// from CRLs that a store holds, against one bare check of the leaf's signature
// by its issuer's key: the rows of docs/performance.md. Ours and the reference
// alternate, and the ratio is the median of the rounds'.
func BenchmarkPath(b *testing.B) {
	for _, row := range []struct {
		name string
		key  func() (crypto.Signer, error)
	}{
		{"RSA-4096", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 4096) }},
		{"GOST-512", func() (crypto.Signer, error) {
			a := gost.SignatureKZ2015x512.Key
			c, err := gost.CurveByName("KZ 2015-512-A")
			if err != nil {
				return nil, err
			}
			return gost.GenerateKey(rand.Reader, a, c)
		}},
	} {
		key, err := row.key()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(row.name, func(b *testing.B) { benchmarkPath(b, key, false) })
		// A service makes tables of the keys that it meets often, and parses
		// the leaf of every message.
		b.Run(row.name+"/tables", func(b *testing.B) {
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { algo.BuildTables(ctx); close(done) }()
			defer func() { stop(); <-done }()
			benchmarkPath(b, key, false)
		})
		b.Run(row.name+"/parsed", func(b *testing.B) { benchmarkPath(b, key, true) })
	}
}

func benchmarkPath(b *testing.B, key crypto.Signer, parse bool) {
	w := newBenchWorld(b, key)
	rules := revocation.Rules{At: now}
	validate := func() {
		leaf := w.leaf
		if parse {
			var err error
			if leaf, err = cert.Parse(w.leaf.Raw); err != nil {
				b.Fatal(err)
			}
		}
		r := Request{Leaf: leaf, Anchors: w.anchors, At: now}
		if _, _, err := BuildUnrevoked(b.Context(), r, revocation.Checker{Store: w.store}, rules); err != nil {
			b.Fatal(err)
		}
	}
	check := func() {
		if err := w.leaf.VerifySignedBy(w.sub); err != nil {
			b.Fatal(err)
		}
	}
	timed := func(f func()) time.Duration {
		const batch = 8
		start := time.Now()
		for range batch {
			f()
		}
		return time.Since(start)
	}
	for range 200 { // what is remembered is, and tables are made
		validate()
		check()
	}
	var ratios []float64
	b.ReportAllocs()
	for b.Loop() {
		ours, reference := timed(validate), timed(check)
		ratios = append(ratios, float64(reference)/float64(ours))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-bare-check")
}

// benchWorld is a leaf under two CAs, and their CRLs in a store.
type benchWorld struct {
	sub, leaf *cert.Certificate
	anchors   *trust.Store
	store     *revocation.Store
}

// newBenchWorld makes one in which every signature is made with the key.
func newBenchWorld(b *testing.B, key crypto.Signer) benchWorld {
	points := func(url string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.CRLDistributionPoints = []string{url} }
	}
	root := issue(b, nil, "root", 0, ca)
	sub := issue(b, root, "sub", 0, ca, points("http://crl.test/root"))
	leaf := issue(b, sub, "leaf", 1, usage(x509.KeyUsageDigitalSignature), points("http://crl.test/sub"))
	served := servedLists{}
	for url, issuer := range map[string]*entity{"http://crl.test/root": root, "http://crl.test/sub": sub} {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(4711), RevocationTime: now.Add(-2 * time.Hour)}},
		}, issuer.x509, issuer.key)
		if err != nil {
			b.Fatal(err)
		}
		served[url] = resign(b, der, key, false)
	}
	parse := func(e *entity, ca bool) *cert.Certificate {
		c, err := cert.Parse(resign(b, e.Raw, key, ca))
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	w := benchWorld{sub: parse(sub, true), leaf: parse(leaf, false)}
	anchors, err := trust.New(parse(root, true), w.sub)
	if err != nil {
		b.Fatal(err)
	}
	w.anchors = anchors
	w.store = revocation.NewStore(revocation.StoreConfig{Fetcher: served, Now: func() time.Time { return now }})
	return w
}

// servedLists serves CRLs by their address.
type servedLists map[string][]byte

func (l servedLists) Fetch(_ context.Context, url, _ string, _ []byte, _ int64) ([]byte, error) {
	if der, ok := l[url]; ok {
		return der, nil
	}
	return nil, fault.New(fault.PeerDown, url, "no such list")
}

// resign signs a certificate or a CRL anew, a CA's with the key in it.
func resign(b *testing.B, der []byte, key crypto.Signer, ca bool) []byte {
	b.Helper()
	var signed struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	s, err := algo.SignatureFor(key.Public(), algo.DigestFor(key.Public()))
	if err != nil {
		b.Fatal(err)
	}
	if _, err = asn1.Unmarshal(der, &signed); err != nil {
		b.Fatal(err)
	}
	id := asn1.RawValue{FullBytes: identifier(b, s.Identifier())}
	var parts []asn1.RawValue
	if _, err = asn1.Unmarshal(signed.TBS.FullBytes, &parts); err != nil {
		b.Fatal(err)
	}
	for i, p := range parts {
		switch {
		case slices.Equal(p.FullBytes, signed.Algorithm.FullBytes):
			parts[i] = id
		case ca && i == 6: // subjectPublicKeyInfo
			parts[i] = asn1.RawValue{FullBytes: publicKeyInfo(b, key.Public())}
		}
	}
	tbs, err := asn1.Marshal(parts)
	if err != nil {
		b.Fatal(err)
	}
	signature, err := key.Sign(rand.Reader, s.Input(tbs), s.SignerOpts())
	if err != nil {
		b.Fatal(err)
	}
	out, err := asn1.Marshal([]any{asn1.RawValue{FullBytes: tbs}, id, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func identifier(b *testing.B, id algo.Identifier) []byte {
	b.Helper()
	der, err := asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: id.OID, Parameters: asn1.RawValue{FullBytes: id.Parameters}})
	if err != nil {
		b.Fatal(err)
	}
	return der
}

func publicKeyInfo(b *testing.B, pub crypto.PublicKey) []byte {
	b.Helper()
	if k, ok := pub.(*gost.PublicKey); ok {
		return k.Marshal()
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		b.Fatal(err)
	}
	return der
}

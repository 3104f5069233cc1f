package nca_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// requestOf writes a PKCS#10 request (RFC 2986) for a key of GOST; spoil changes
// its signature.
func requestOf(t *testing.T, key *gost.PrivateKey, spoil bool) []byte {
	t.Helper()
	info := []byte{2, 1, 0, 0x30, 0} // version and an empty subject
	info = append(append(info, key.Public().(*gost.PublicKey).Marshal()...), 0xa0, 0)
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: info})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign(rand.Reader, algo.Streebog512.Sum(tbs), gost.SignatureKZ2015x512)
	if err != nil {
		t.Fatal(err)
	}
	if spoil {
		signature[3] ^= 1
	}
	s, err := algo.SignatureFor(key.Public(), algo.Streebog512)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	s.Identifier().AddTo(&b)
	der, err := asn1.Marshal(struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, asn1.RawValue{FullBytes: b.BytesOrPanic()}, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newGOSTKey(t *testing.T) *gost.PrivateKey {
	t.Helper()
	key, err := nca.GenerateGOSTKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// online validates a certificate by the project's own engine, over HTTP.
func (b *bench) online(t *testing.T, raw []byte, rules revocation.Rules) ([]*revocation.Result, error) {
	t.Helper()
	var all []*cert.Certificate
	for _, der := range [][]byte{raw, b.Root(), b.RootGOST(), b.Issuing(), b.IssuingGOST()} {
		c, err := cert.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	anchors, err := trust.New(all[1], all[2])
	if err != nil {
		t.Fatal(err)
	}
	client, err := fetch.New(fetch.Config{AllowedHosts: []string{b.url[len("http://"):]}, AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	rules.At, rules.Skew = time.Now(), time.Minute
	request := path.Request{Leaf: all[0], Intermediates: all[3:], Anchors: anchors, At: rules.At}
	checker := revocation.Checker{Store: revocation.NewStore(revocation.StoreConfig{Fetcher: client, Now: time.Now})}
	_, results, err := path.BuildUnrevoked(t.Context(), request, checker, rules)
	return results, err
}

// A key of GOST gets a certificate of GOST, laid out as NUC RK does, under
// authorities of GOST; OCSP and CRLs about it are signed so too.
func TestGOSTBranch(t *testing.T) {
	b := open(t, t.TempDir())
	key := newGOSTKey(t)
	issued, err := b.Issue(nca.Request{Profile: nca.Head, Holder: holder, CSR: requestOf(t, key, false)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Parse(issued.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	const signing = cert.KeyUsageDigitalSignature | cert.KeyUsageNonRepudiation | cert.KeyUsageKeyAgreement
	if public, ok := c.PublicKey.(*gost.PublicKey); !ok || !public.Equal(key.Public()) || c.KeyUsage != signing {
		t.Errorf("a key of type %T, usage %b", c.PublicKey, c.KeyUsage)
	}
	if s, err := algo.SignatureByIdentifier(c.SignatureAlgorithm, nil); err != nil || s.Digest != algo.Streebog512 {
		t.Errorf("signed with %v, %v", c.SignatureAlgorithm, err)
	}
	online := func(down nca.Fault, kind revocation.Kind, want fault.Code) {
		t.Helper()
		if err := b.SetFaults(nca.Faults{OCSP: down}); err != nil {
			t.Fatal(err)
		}
		results, err := b.online(t, issued.Certificate, revocation.Rules{})
		if fault.CodeOf(err) != want || len(results) == 0 || results[0] == nil || results[0].Evidence == nil {
			t.Fatalf("%v, want %s", err, want)
		}
		e := results[0].Evidence
		if _, ok := e.Signer.PublicKey.(*gost.PublicKey); !ok || e.Kind != kind {
			t.Errorf("%s by a key of %T", e.Kind, e.Signer.PublicKey)
		}
	}
	online(nca.None, revocation.OCSP, "")
	online(nca.Unavailable, revocation.CRL, "")
	if err := b.Hold(issued.Serial); err != nil {
		t.Fatal(err)
	}
	online(nca.None, revocation.OCSP, fault.CertificateRevoked)
	online(nca.Unavailable, revocation.CRL, fault.CertificateRevoked)
	if err := b.Unhold(issued.Serial); err != nil {
		t.Fatal(err)
	}
	online(nca.None, revocation.OCSP, "")
}

func TestGOSTRequestsRefused(t *testing.T) {
	b := open(t, t.TempDir())
	key := newGOSTKey(t)
	other, err := gost.CurveByOID(asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	short, err := gost.GenerateKey(rand.Reader, gost.KZ2015x256, other)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]nca.Request{
		"forged":             {Profile: nca.Head, Holder: holder, CSR: requestOf(t, key, true)},
		"256 bits":           {Profile: nca.Head, Holder: holder, PublicKey: short.Public()},
		"for authentication": {Profile: nca.Head, Usage: nca.Authentication, Holder: holder, PublicKey: key.Public()},
	} {
		if _, err := b.Issue(r); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The keys of GOST outlive the process, and a register from before there were any
// gets them.
func TestGOSTStateIsKept(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	again, err := nca.Open(nca.Config{Dir: dir, BaseURL: b.url, Bits: 2048, Now: time.Now, GenerateKey: keyRing()})
	if err != nil || string(again.RootGOST()) != string(b.RootGOST()) || string(again.IssuingGOST()) != string(b.IssuingGOST()) {
		t.Errorf("another root, %v", err)
	}
}

// Deltas tell what changed since the base: added, held, lifted. Our own reader
// says so, and openssl of RSA.
func TestDeltaCRLs(t *testing.T) {
	for name, newKey := range map[string]func() any{
		"rsa":  func() any { return newKey(t).Public() },
		"gost": func() any { return newGOSTKey(t).Public() },
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, t.TempDir())
			issue := func() *nca.Issued {
				issued, err := b.Issue(nca.Request{Profile: nca.Head, Holder: holder, PublicKey: newKey()})
				if err != nil {
					t.Fatal(err)
				}
				return issued
			}
			stays, added, lifted, held := issue(), issue(), issue(), issue()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(b.Hold(lifted.Serial))
			base := b.get(t, "/crl/nca_"+name+".crl")
			must(b.Revoke(added.Serial, nca.ReasonSuperseded))
			must(b.Unhold(lifted.Serial))
			must(b.Hold(held.Serial))
			delta := b.get(t, "/crl/nca_d_"+name+".crl")
			full := b.get(t, "/crl/nca_"+name+".crl")

			parsed, err := x509.ParseRevocationList(delta)
			if err != nil || len(parsed.RevokedCertificateEntries) != 3 {
				t.Fatalf("%d entries, %v", len(parsed.RevokedCertificateEntries), err)
			}
			first, err := x509.ParseRevocationList(base)
			if err != nil || parsed.Number.Cmp(first.Number) <= 0 {
				t.Errorf("number %s after %s", parsed.Number, first.Number)
			}
			issuer, err := cert.Parse(map[string][]byte{"rsa": b.Issuing(), "gost": b.IssuingGOST()}[name])
			must(err)
			for serial, want := range map[string]string{
				stays.Serial: "good", added.Serial: "superseded", lifted.Serial: "good", held.Serial: "certificateHold",
			} {
				number, _ := new(big.Int).SetString(serial, 16)
				raw, err := b.Certificate(serial)
				must(err)
				c, err := cert.Parse(raw)
				must(err)
				if c.Serial.Cmp(number) != 0 || len(c.FreshestCRL) != 1 {
					t.Errorf("serial %s, %d addresses of deltas", c.SerialHex(), len(c.FreshestCRL))
				}
				for what, given := range map[string][][]byte{"base and delta": {base, delta}, "a later full list": {full}, "that and the delta": {full, delta}} {
					var lists []revocation.Information
					for _, der := range given {
						lists = append(lists, revocation.Information{Kind: revocation.CRL, Raw: der, Source: revocation.Given})
					}
					e, failed := revocation.CheckCRLs(t.Context(), lists, revocation.Subject{Certificate: c, Issuer: issuer}, revocation.Signers{},
						revocation.Rules{At: time.Now(), Skew: time.Minute})
					got := "good"
					if e == nil {
						t.Fatalf("%s: %+v", what, failed)
					}
					if e.Status == revocation.Revoked {
						got = e.Reason.String()
					}
					if got != want {
						t.Errorf("%s by %s: %s, want %s", c.SerialHex(), what, got, want)
					}
				}
			}
			if name == "rsa" {
				b.opensslWithDeltas(t, base, delta, map[string]bool{stays.Serial: true, added.Serial: false, lifted.Serial: true, held.Serial: false})
			}
		})
	}
}

func (b *bench) opensslWithDeltas(t *testing.T, base, delta []byte, want map[string]bool) {
	t.Helper()
	p := b.files(t, nil)
	var crls []byte
	for _, der := range [][]byte{base, delta, b.get(t, "/crl/root_rsa.crl")} {
		crls = append(crls, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	for name, data := range map[string][]byte{"crls": crls} {
		p[name] = p["root"] + "-" + name
		if err := os.WriteFile(p[name], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for serial, valid := range want {
		raw, err := b.Certificate(serial)
		if err != nil {
			t.Fatal(err)
		}
		file := p["root"] + "-" + serial
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := opensslVerify(t, "-CAfile", p["root"], "-untrusted", p["issuing"], "-CRLfile", p["crls"], "-crl_check", "-extended_crl", "-use_deltas", file)
		if (err == nil) != valid {
			t.Errorf("%s: openssl says %v\n%s", serial, err, out)
		}
	}
}

// A delta is as good as its base for whoever asks over HTTP: base first, then the
// delta that the certificate names.
func TestCheckerTakesTheDelta(t *testing.T) {
	b := open(t, t.TempDir())
	issued := b.issue(t, nca.Head, "")
	if err := b.SetFaults(nca.Faults{OCSP: nca.Unavailable}); err != nil {
		t.Fatal(err)
	}
	results, err := b.online(t, issued.Certificate, revocation.Rules{})
	if err != nil || results[0].Evidence.Kind != revocation.CRL || len(results[0].Evidence.With) != 1 {
		t.Fatalf("%v", err)
	}
}

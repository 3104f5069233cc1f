package cert

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.mozilla.org/pkcs7"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

func TestNameString(t *testing.T) {
	raw := func(tag int, b string) asn1.RawValue {
		return asn1.RawValue{Tag: tag, Bytes: []byte(b)}
	}
	any := func(oid asn1.ObjectIdentifier, v any) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oid, Value: v}
	}
	tests := []struct {
		name string
		rdns pkix.RDNSequence
		want string
	}{
		{"order", pkix.RDNSequence{{atv(oidCountry, "KZ")}, {atv(oidCommonName, "A")}}, "CN=A,C=KZ"},
		{"two in one", pkix.RDNSequence{{atv(oidCountry, "KZ"), atv(oidCommonName, "A")}}, "CN=A+C=KZ|C=KZ+CN=A"},
		{"escapes", pkix.RDNSequence{{atv(oidCommonName, ` a,b+c"d\e<f>g;h=i# `)}}, `CN=\ a\,b\+c\"d\\e\<f\>g\;h=i#\ `},
		{"number sign", pkix.RDNSequence{{atv(oidCommonName, "#1")}}, `CN=\#1`},
		{"control", pkix.RDNSequence{{atv(oidCommonName, "a\x1b[0m\u0085")}}, `CN=a\1B[0m\C2\85`},
		{"unknown type", pkix.RDNSequence{{atv(asn1.ObjectIdentifier{1, 2, 3}, "A")}}, "1.2.3=#130141"},
		{"bad UTF-8", pkix.RDNSequence{{any(oidCommonName, raw(12, "\xff"))}}, "CN=#0c01ff"},
		{"BMPString", pkix.RDNSequence{{any(oidCommonName, raw(30, "\x04\x22"))}}, "CN=Т"},
		{"odd BMPString", pkix.RDNSequence{{any(oidCommonName, raw(30, "\x04"))}}, "CN=#1e0104"},
		{"T61String", pkix.RDNSequence{{any(oidCommonName, raw(20, "\xe9"))}}, "CN=é"},
		{"loose PrintableString", pkix.RDNSequence{{any(oidCommonName, raw(19, "a@b_c"))}}, "CN=a@b_c"},
		{"empty value", pkix.RDNSequence{{any(oidCommonName, raw(12, ""))}}, "CN="},
		{"empty", pkix.RDNSequence{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			der, err := asn1.Marshal(tt.rdns)
			if err != nil {
				t.Fatal(err)
			}
			n, err := ParseName(der)
			if err != nil {
				t.Fatal(err)
			}
			if got := n.String(); !strings.Contains("|"+tt.want+"|", "|"+got+"|") {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	for _, bad := range []string{"", "\x05\x00", "\x30\x02\x31\x00", "\x30\x00\x00"} {
		if _, err := ParseName([]byte(bad)); !fault.Is(err, fault.CertificateUnreadable) {
			t.Errorf("ParseName(%x) = %v", bad, err)
		}
	}
}

// openssl prints the same names.
func TestNameAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	file := filepath.Join(t.TempDir(), "c.der")
	der := issue(t, signerTemplate())
	if err := os.WriteFile(file, der, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(openssl, "x509", "-inform", "DER", "-in", file, "-noout", "-subject",
		"-nameopt", "RFC2253,-esc_msb,utf8").Output()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "subject="+c.Subject.String() {
		t.Errorf("openssl %s\nours    %s", got, c.Subject)
	}
}

func TestParseBundle(t *testing.T) {
	a, b := issue(t, signerTemplate()), issue(t, signerTemplate())
	armour := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	p7, err := pkcs7.DegenerateCertificate(append(bytes.Clone(a), b...))
	if err != nil {
		t.Fatal(err)
	}
	key, _ := x509.MarshalPKCS8PrivateKey(testKey())
	junk := []byte("subject=CN=a\n")
	tests := []struct {
		name  string
		in    []byte
		count int
		want  fault.Code
	}{
		{"DER", a, 1, ""},
		{"PEM", armour("CERTIFICATE", a), 1, ""},
		{"two PEM with text between", bytes.Join([][]byte{junk, armour("CERTIFICATE", a), junk, armour("CERTIFICATE", b)}, nil), 2, ""},
		{"PEM with a key", append(armour("PRIVATE KEY", key), armour("CERTIFICATE", a)...), 1, ""},
		{"PKCS#7", p7, 2, ""},
		{"PKCS#7 in PEM", armour("PKCS7", p7), 2, ""},
		{"nothing", nil, 0, fault.InputEmpty},
		{"blanks", []byte(" \n"), 0, fault.InputEmpty},
		{"too big", bytes.Repeat([]byte{0x30}, bundleSizeMax+1), 0, fault.InputTooBig},
		{"a key alone", armour("PRIVATE KEY", key), 0, fault.CertificateUnreadable},
		{"one broken of two", append(armour("CERTIFICATE", a), armour("CERTIFICATE", b[1:])...), 0, fault.CertificateUnreadable},
		{"text", []byte("hello"), 0, fault.CertificateUnreadable},
		{"deep BER", bytes.Repeat([]byte{0x30, 0x80}, 1000), 0, fault.CertificateUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			certs, err := ParseBundle(tt.in)
			if fault.CodeOf(err) != tt.want || len(certs) != tt.count {
				t.Errorf("%d certificates, %v", len(certs), err)
			}
		})
	}
}

func FuzzParseBundle(f *testing.F) {
	a := issue(f, signerTemplate())
	p7, err := pkcs7.DegenerateCertificate(a)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p7)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a}))
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := ParseBundle(data)
		if (err == nil) != (len(certs) > 0) {
			t.Errorf("%d certificates, %v", len(certs), err)
		}
	})
}

// Comparing names one by one gives what comparing their keys does.
func TestEqualIsEqualityOfKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]string{"a", "A", "b", " ", "  ", "\t", "\x01", "\x7f", "é", "É", "\u00ad", "ß", "ss"})
		text := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(alphabet, 0, 6).Draw(t, "parts"), "") })
		draw := func(label string) Name {
			var n Name
			for range rapid.IntRange(0, 2).Draw(t, label) {
				var rdn []Attribute
				for range rapid.IntRange(1, 2).Draw(t, "attributes") {
					a := Attribute{Type: rapid.SampledFrom([]asn1.ObjectIdentifier{oidCommonName, oidSurname}).Draw(t, "type"), Value: text.Draw(t, "text")}
					a.Raw = append([]byte{12, byte(len(a.Value))}, a.Value...)
					rdn = append(rdn, a)
				}
				n.RDNs = append(n.RDNs, rdn)
			}
			return n
		}
		if a, b := draw("a"), draw("b"); a.Equal(b) != (a.Key() == b.Key()) {
			t.Fatalf("%q %q: %v", a, b, a.Equal(b))
		}
	})
}

// FuzzParseName reads names as they come: what is read prints, and is itself.
func FuzzParseName(f *testing.F) {
	f.Add([]byte{0x30, 0})
	f.Add([]byte{0x30, 11, 0x31, 9, 0x30, 7, 6, 3, 0x55, 4, 3, 12, 0})
	f.Add([]byte{0x30, 13, 0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 30, 2, 4, 0x10})
	f.Fuzz(func(t *testing.T, der []byte) {
		n, err := ParseName(der)
		if err != nil {
			return
		}
		again, err := ParseName(der)
		if err != nil || !n.Equal(again) || n.Key() != again.Key() || !n.Within(Name{}) || !n.Within(n) {
			t.Errorf("% x", der)
		}
		for _, r := range n.String() {
			if r < 0x20 || r == 0x7f {
				t.Errorf("it prints %q", n.String())
			}
		}
	})
}

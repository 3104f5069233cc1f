package gost

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost/streebog"
)

// parseOID reads the dotted form.
func parseOID(t *testing.T, dotted string) (oid asn1.ObjectIdentifier) {
	t.Helper()
	parsed, err := x509.ParseOID(dotted)
	if err != nil {
		t.Fatalf("%q: %v", dotted, err)
	}
	der, err := parsed.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(append([]byte{asn1.TagOID, byte(len(der))}, der...), &oid); err != nil {
		t.Fatal(err)
	}
	return oid
}

// curveFacts are the parameters of a curve, most significant byte first.
type curveFacts struct {
	Name     string
	OID      string
	KZOID    string `json:"kzOid"`
	SameAs   string `json:"sameAs"`
	Note     string
	Bytes    int
	Cofactor int
	P, A, B  hexBytes
	Q        hexBytes
	GX       hexBytes `json:"gx"`
	GY       hexBytes `json:"gy"`

	EdwardsE hexBytes `json:"edwards_e"`
	EdwardsD hexBytes `json:"edwards_d"`
}

// check finds the curve by every name and identifier given, and holds its order
// and base point against them; a wrong p, a or b would give no base point whose
// multiples are on the curve.
func (f curveFacts) check(t *testing.T) {
	t.Helper()
	var same *Curve
	found := func(c *Curve, err error) {
		t.Helper()
		if err != nil || same != nil && c != same {
			t.Errorf("%s: %v", f.Name, err)
			return
		}
		same = c
	}
	for _, dotted := range append([]string{f.OID, f.KZOID}, regexp.MustCompile(`[0-9]+(\.[0-9]+){5,}`).FindAllString(f.SameAs, -1)...) {
		if dotted != "" {
			found(CurveByOID(parseOID(t, dotted)))
		}
	}
	if strings.HasPrefix(f.Name, "id-") {
		found(CurveByName(f.Name))
	}
	if same == nil {
		t.Fatalf("%s: no curve", f.Name)
	}
	if !bytes.Equal(same.q.Bytes(), f.Q) || same.size != f.Bytes {
		t.Errorf("%s: another order", f.Name)
	}
	one := make([]byte, same.size)
	one[0] = 1
	slices.Reverse(f.GX)
	slices.Reverse(f.GY)
	if !bytes.Equal(same.baseMultiply(one), slices.Concat(f.GX, f.GY)) {
		t.Errorf("%s: another base point", f.Name)
	}
}

func TestCurveFacts(t *testing.T) {
	var russia struct {
		Note   string
		Curves []curveFacts
	}
	readShared(t, &russia, "gost", "curve-params.json")
	var kazakhstan struct {
		Curves []curveFacts
		Hash   struct {
			SBox     string `json:"kzSbox"`
			IV       hexBytes
			SBoxes   map[string][][]int
			Note     string
			SelfTest map[string]hexBytes
		} `json:"gost341194"`
	}
	readShared(t, &kazakhstan, "nuc-rk", "gost-params.json")
	if len(russia.Curves) == 0 || len(kazakhstan.Curves) == 0 || len(kazakhstan.Hash.SelfTest) == 0 {
		t.Error("no curves, or no digests")
	}
	for _, c := range append(russia.Curves, kazakhstan.Curves...) {
		c.check(t)
	}
	for message, want := range kazakhstan.Hash.SelfTest {
		h := GOST34311.New()
		h.Write([]byte(message))
		if got := h.Sum(nil); !bytes.Equal(got, want) {
			t.Errorf("GOST 34.311-95 of %q: %x, want %x", message, got, want)
		}
	}
}

// TestKalkanVectors runs what the state's closed library printed: digest, key and
// raw signature.
func TestKalkanVectors(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sharedFile(t, "nuc-rk"), "*", "*.vectors"))
	if len(files) == 0 {
		t.Error("no vectors")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]string{}
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				values[name] = value
			}
		}
		bytesOf := func(name string) []byte {
			b, err := hex.DecodeString(values[name])
			if err != nil || len(b) == 0 {
				t.Fatalf("%s: %s: %v", file, name, err)
			}
			return b
		}
		a, err := AlgorithmByOID(parseOID(t, values["sigalg_oid"]))
		if err != nil {
			t.Fatal(err)
		}
		key, err := ParsePublicKey(bytesOf("spki"))
		if err != nil {
			t.Fatal(err)
		}
		h := a.Digest.New()
		h.Write([]byte(values["msg"]))
		digest := h.Sum(nil)
		if !bytes.Equal(digest, bytesOf("digest")) {
			t.Errorf("%s: the digest is %x", file, digest)
		}
		if err := a.Verify(key, digest, bytesOf("sig")); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		x, y, d := bytesOf("qx"), bytesOf("qy"), bytesOf("d")
		slices.Reverse(x)
		slices.Reverse(y)
		slices.Reverse(d)
		own, err := NewPrivateKey(a.Key, key.curve, d)
		if err != nil || !bytes.Equal(own.public.xy, slices.Concat(x, y)) || !key.Equal(own.Public()) {
			t.Errorf("%s: another key: %v", file, err)
		}
		h.Reset()
		h.Write(bytesOf("cert_tbs"))
		digest = h.Sum(nil)
		if err := a.Verify(key, digest, bytesOf("cert_sig")); err != nil {
			t.Errorf("%s: the certificate: %v", file, err)
		}
		digest[0] ^= 1
		if err := a.Verify(key, digest, bytesOf("cert_sig")); !fault.Is(err, fault.SignatureInvalid) {
			t.Errorf("%s: another digest: %v", file, err)
		}
	}
}

// TestEtalonDigests runs gost-engine's own list of digests. M7, of 100 MB, is not
// among the files.
func TestEtalonDigests(t *testing.T) {
	folder := sharedFile(t, "gost", "gost-engine-etalon")
	list, err := os.ReadFile(filepath.Join(folder, "dgst.result"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(\w+)\((\w+)\)= ([0-9a-f]+)$`)
	run := 0
	for _, m := range line.FindAllStringSubmatch(string(list), -1) {
		message, err := os.ReadFile(filepath.Join(folder, m[2]))
		if m[2] == "M7" && os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		h := streebog.New512()
		if m[1] == "md_gost12_256" {
			h = streebog.New256()
		}
		h.Write(message)
		if got := hex.EncodeToString(h.Sum(nil)); got != m[3] {
			t.Errorf("%s of %s: %s, want %s", m[1], m[2], got, m[3])
		}
		run++
	}
	if run == 0 {
		t.Error("no digests")
	}
}

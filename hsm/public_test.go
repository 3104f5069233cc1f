package hsm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

func TestParseEC(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p256, p384 := curves[0].params, curves[1].params
	offCurve := bytes.Clone(point)
	offCurve[64] ^= 1
	wrapped := append([]byte{0x04, 65}, point...)
	for name, row := range map[string]struct {
		params, point []byte
		code          fault.Code
	}{
		"OCTET STRING":       {p256, wrapped, ""},
		"bare point":         {p256, point, ""},
		"trailing byte":      {p256, append(bytes.Clone(wrapped), 0), fault.HSMKeyUnsupported},
		"cut off":            {p256, wrapped[:50], fault.HSMKeyUnsupported},
		"empty":              {p256, nil, fault.HSMKeyUnsupported},
		"of another curve":   {p384, wrapped, fault.HSMKeyUnsupported},
		"off the curve":      {p256, offCurve, fault.HSMKeyUnsafe},
		"another form":       {p256, append([]byte{0x02}, point[1:]...), fault.HSMKeyUnsafe},
		"curve by no name":   {[]byte{0x30, 0}, wrapped, fault.HSMKeyUnsupported},
		"curve not signed":   {[]byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}, wrapped, fault.HSMKeyUnsupported},
		"no curve":           {nil, wrapped, fault.HSMKeyUnsupported},
		"explicit long form": {p256, append([]byte{0x04, 0x81, 65}, point...), fault.HSMKeyUnsupported},
	} {
		public, err := parseEC(row.params, row.point)
		if fault.CodeOf(err) != row.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !public.Equal(&key.PublicKey) {
			t.Errorf("%s: another key", name)
		}
	}
}

func TestParseRSA(t *testing.T) {
	good := bytes.Repeat([]byte{0xff}, 256)
	for name, row := range map[string]struct {
		modulus, exponent []byte
		code              fault.Code
	}{
		"2048 bits":       {good, []byte{1, 0, 1}, ""},
		"1024 bits":       {good[:128], []byte{1, 0, 1}, fault.HSMKeyUnsupported},
		"endless":         {bytes.Repeat(good, 5), []byte{1, 0, 1}, fault.HSMKeyUnsupported},
		"exponent 1":      {good, []byte{1}, fault.HSMKeyUnsupported},
		"even exponent":   {good, []byte{4}, fault.HSMKeyUnsupported},
		"exponent 33 bit": {good, []byte{1, 0, 0, 0, 1}, fault.HSMKeyUnsupported},
		"nothing":         {nil, nil, fault.HSMKeyUnsupported},
	} {
		if _, err := parseRSA(row.modulus, row.exponent); fault.CodeOf(err) != row.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignaturesThatATokenMustNotReturn(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	order := elliptic.P256().Params().N
	number := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }
	one := number(big.NewInt(1))
	for name, raw := range map[string][]byte{
		"empty":     nil,
		"cut off":   slices.Concat(one, one[:31]),
		"r is zero": slices.Concat(make([]byte, 32), one),
		"s is zero": slices.Concat(one, make([]byte, 32)),
		"r is n":    slices.Concat(number(order), one),
		"too long":  slices.Concat(one, one, one),
	} {
		if _, err := newECDSAScheme(&key.PublicKey).encode(raw); !fault.Is(err, fault.HSMFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if der, err := newECDSAScheme(&key.PublicKey).encode(slices.Concat(one, one)); err != nil || !bytes.Equal(der, []byte{0x30, 6, 2, 1, 1, 2, 1, 1}) {
		t.Errorf("%x %v", der, err)
	}
	if _, err := (rsaScheme{&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 3}}).encode(make([]byte, 255)); !fault.Is(err, fault.HSMFailed) {
		t.Errorf("short RSA signature: %v", err)
	}
}

// The signature is what encoding/asn1 makes of the two numbers, however long they
// are.
func TestECDSASignatureIsDER(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		order := curve.Params().N
		size := (order.BitLen() + 7) / 8
		rapid.Check(t, func(t *rapid.T) {
			number := func(name string) *big.Int {
				n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 1, size).Draw(t, name))
				return n.Add(n.Mod(n, new(big.Int).Sub(order, big.NewInt(1))), big.NewInt(1))
			}
			r, s := number("r"), number("s")
			want, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
			if err != nil {
				t.Fatal(err)
			}
			raw := slices.Concat(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size)))
			if got, err := newECDSAScheme(&ecdsa.PublicKey{Curve: curve}).encode(raw); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x became %x, want %x: %v", raw, got, want, err)
			}
		})
	}
}

func TestSoftwareTokensAreKnown(t *testing.T) {
	for _, row := range []struct {
		manufacturer, model string
		want                bool
	}{
		{"SoftHSM project", "SoftHSM v2", true},
		{"IBM", "Soft", true},
		{"IBM Corp.", "IBM SoftTok", true},
		{"IBM", "CCA", false},
		{"Mozilla Foundation", "NSS 3", true},
		{"Kaztoken", "Kaztoken", false},
		{"Yubico (www.yubico.com)", "YubiHSM", false},
		{"piv_II", "PKCS#15 emulated", false},
		{"", "", false},
	} {
		if got := isSoftware(row.manufacturer, row.model); got != row.want {
			t.Errorf("%q %q: %v", row.manufacturer, row.model, got)
		}
	}
}

func TestPoolSize(t *testing.T) {
	for sessionsMax, want := range map[uint]int{0: poolSessionsMax, 1: 1, 2: 1, 3: 2, 16: poolSessionsMax} {
		if got := newPool(0, sessionsMax).size; got != want {
			t.Errorf("a token with %d sessions: pool of %d", sessionsMax, got)
		}
	}
}

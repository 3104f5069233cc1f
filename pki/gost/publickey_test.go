package gost

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

func TestSPKIRoundTrip(t *testing.T) {
	for _, key := range pairs(t) {
		encoded := key.public.Marshal()
		back, err := ParsePublicKey(encoded)
		if err != nil {
			t.Errorf("%s: %v", key.public.algorithm.Name, err)
			continue
		}
		if !back.Equal(key.Public()) || !bytes.Equal(back.Marshal(), encoded) {
			t.Errorf("%s: another key comes back", key.public.algorithm.Name)
		}
		if digest, err := back.Digest(); err != nil || digest != key.public.algorithm.Algorithm().Digest {
			t.Errorf("%s: %v, %v", key.public.algorithm.Name, digest, err)
		}
	}
}

// spki builds a SubjectPublicKeyInfo of any parts.
func spki(key asn1.ObjectIdentifier, parameters []asn1.ObjectIdentifier, point []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(key)
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, oid := range parameters {
					b.AddASN1ObjectIdentifier(oid)
				}
			})
		})
		b.AddASN1(der.BIT_STRING, func(b *cryptobyte.Builder) {
			b.AddUint8(0)
			b.AddASN1OctetString(point)
		})
	})
	return b.BytesOrPanic()
}

func TestPublicKeyRefusals(t *testing.T) {
	key, err := GenerateKey(rand.Reader, KZ2015x512, tc26A512)
	if err != nil {
		t.Fatal(err)
	}
	good := key.public.xy
	curve := []asn1.ObjectIdentifier{kz2015A512}
	change := func(f func(xy []byte) []byte) []byte { return spki(KZ2015x512.OID, curve, f(slices.Clone(good))) }
	if _, err := ParsePublicKey(spki(KZ2015x512.OID, curve, good)); err != nil {
		t.Fatal(err)
	}
	other, three := asn1.ObjectIdentifier{1, 2, 3}, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 31, 1}
	if _, err := ParsePublicKey(spki(KZ2015x512.OID, []asn1.ObjectIdentifier{kz2015A512, other, three}, good)); err != nil {
		t.Errorf("with a cipher: %v", err)
	}
	for _, test := range []struct {
		name string
		in   []byte
		want fault.Code
	}{
		{"empty", nil, fault.EncodingInvalid},
		{"trailing", append(spki(KZ2015x512.OID, curve, good), 0), fault.EncodingInvalid},
		{"no curve", spki(KZ2015x512.OID, nil, good), fault.EncodingInvalid},
		{"too many parameters", spki(KZ2015x512.OID, []asn1.ObjectIdentifier{kz2015A512, other, other, other}, good), fault.EncodingInvalid},
		{"unknown key", spki(other, curve, good), fault.AlgorithmUnsupported},
		{"unknown curve", spki(KZ2015x512.OID, []asn1.ObjectIdentifier{other}, good), fault.AlgorithmUnsupported},
		{"Russian curve of a Kazakh key", spki(KZ2015x512.OID, []asn1.ObjectIdentifier{tc26(2, 1)}, good), fault.AlgorithmUnsupported},
		{"long curve of a short key", spki(RU2012x256.OID, []asn1.ObjectIdentifier{tc26(2, 1)}, good), fault.AlgorithmUnsupported},
		{"short point", change(func(xy []byte) []byte { return xy[1:] }), fault.PublicKeyInvalid},
		{"long point", change(func(xy []byte) []byte { return append(xy, 0) }), fault.PublicKeyInvalid},
		{"no point", change(func([]byte) []byte { return nil }), fault.PublicKeyInvalid},
		{"off the curve", change(func(xy []byte) []byte { xy[64] ^= 1; return xy }), fault.PublicKeyInvalid},
		{"(0, 0)", change(func(xy []byte) []byte { clear(xy); return xy }), fault.PublicKeyInvalid},
		{"x = p", change(func(xy []byte) []byte { return slices.Concat(p512(0), xy[64:]) }), fault.PublicKeyInvalid},
		{"y = 2^512-1", change(func(xy []byte) []byte { return slices.Concat(xy[:64], bytes.Repeat([]byte{0xff}, 64)) }), fault.PublicKeyInvalid},
		// G has x = 3, so x = p + 3 is the same point by another name.
		{"x + p", change(func([]byte) []byte { g := base(tc26A512); return slices.Concat(p512(3), g[64:]) }), fault.PublicKeyInvalid},
	} {
		if _, err := ParsePublicKey(test.in); !fault.Is(err, test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := NewPublicKey(KZ2004, tc26A512, good); !fault.Is(err, fault.AlgorithmUnsupported) {
		t.Errorf("a curve that the algorithm does not have: %v", err)
	}
}

// p512 is 2^512 − 569 + n.
func p512(n int64) []byte {
	p := new(big.Int).Lsh(big.NewInt(1), 512)
	p.Sub(p, big.NewInt(569-n))
	return little(p, 64)
}

// base is G.
func base(c *Curve) []byte { return c.baseMultiply(little(big.NewInt(1), c.size)) }

// TestSmallOrder tries the point of order two of the curves that have one, alone
// and added to a good key: both lie on the curve, and neither is a key.
func TestSmallOrder(t *testing.T) {
	for _, test := range []struct {
		curve, x string
		p        *big.Int
	}{
		// The one root of x³ + ax + b: the point (x, 0) of order two.
		{"id-tc26-gost-3410-2012-256-paramSetA", "0100fe73f595ff158e974b44d478d9588744fe5c192ac47ea63075dce7a14aaa", new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(617))},
		{"id-tc26-gost-3410-2012-512-paramSetC", "9a628f975594ecefd89ba28a2539ffb79c8ab238aeed0851fa5c1abb02b80b44c6734501b83a011dd625cd0b5145091a6d9acd4b1f5c5b1e21b2b249ddfd1271", new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 512), big.NewInt(569))},
	} {
		c, err := CurveByName(test.curve)
		if err != nil {
			t.Fatal(err)
		}
		x := unhex(t, test.x)
		slices.Reverse(x)
		xy := append(x, make([]byte, c.size)...)
		if _, err := NewPublicKey(keyAlgorithmOf(c), c, xy); !fault.Is(err, fault.PublicKeyInvalid) {
			t.Errorf("%s: a point of order two: %v", c.name, err)
		}
		if _, err := NewPublicKey(keyAlgorithmOf(c), c, plusOrderTwo(base(c), xy, test.p)); !fault.Is(err, fault.PublicKeyInvalid) {
			t.Errorf("%s: a point of twice the order: %v", c.name, err)
		}
	}
}

// plusOrderTwo adds the point (x, 0) to another.
func plusOrderTwo(point, two []byte, p *big.Int) []byte {
	size := len(point) / 2
	number := func(b []byte) *big.Int {
		b = slices.Clone(b)
		slices.Reverse(b)
		return new(big.Int).SetBytes(b)
	}
	x1, y1, x2 := number(point[:size]), number(point[size:]), number(two[:size])
	l := new(big.Int).Sub(x1, x2)
	l.Mul(y1, l.ModInverse(l.Mod(l, p), p))
	x := new(big.Int).Mul(l, l)
	x.Sub(x.Sub(x, x1), x2).Mod(x, p)
	y := new(big.Int).Sub(x2, x)
	y.Mul(y, l).Mod(y, p)
	return slices.Concat(little(x, size), little(y, size))
}

func FuzzParseKeys(f *testing.F) {
	for _, key := range pairs(f) {
		f.Add(key.public.Marshal())
		if encoded, err := key.Marshal(); err == nil {
			f.Add(encoded)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := ParsePublicKey(data); err == nil {
			if again, err := ParsePublicKey(key.Marshal()); err != nil || !again.Equal(key) {
				t.Errorf("%x is read and not written: %v", data, err)
			}
		} else if fault.Of(err) == nil {
			t.Errorf("an unclassified error: %v", err)
		}
		if key, err := ParsePrivateKey(data); err == nil {
			digest := make([]byte, key.public.curve.size)
			signature, err := key.Sign(nil, digest, nil)
			if err != nil || key.public.algorithm.Algorithm().Verify(&key.public, digest, signature) != nil {
				t.Errorf("a key that cannot sign: %v", err)
			}
		} else if fault.Of(err) == nil {
			t.Errorf("an unclassified error: %v", err)
		}
	})
}

func TestLookups(t *testing.T) {
	for _, a := range Algorithms() {
		for _, oid := range []asn1.ObjectIdentifier{a.OID, a.Key.OID} {
			if got, err := AlgorithmByOID(oid); err != nil || got != a {
				t.Errorf("%s: %v, %v", oid, got, err)
			}
		}
		if got, err := KeyAlgorithmByOID(a.Key.OID); err != nil || got != a.Key {
			t.Errorf("%s: %v, %v", a.Key.OID, got, err)
		}
		if a.Digest.Size != a.Key.Size || a.Digest.New().Size() != a.Digest.Size {
			t.Errorf("%s: sizes differ", a.Name)
		}
	}
	for _, c := range Curves() {
		for _, oid := range c.OIDs() {
			if got, err := CurveByOID(oid); err != nil || got != c {
				t.Errorf("%s: %v, %v", oid, got, err)
			}
		}
		if got, err := CurveByName(c.Name()); err != nil || got != c {
			t.Errorf("%s: %v, %v", c.Name(), got, err)
		}
	}
	unknown := asn1.ObjectIdentifier{1, 2, 3}
	for _, err := range []error{
		second(CurveByOID(unknown)), second(AlgorithmByOID(unknown)), second(KeyAlgorithmByOID(unknown)),
		second(DigestByOID(unknown)), second(CurveByName("P-256")),
	} {
		if !fault.Is(err, fault.AlgorithmUnsupported) {
			t.Error(err)
		}
	}
	if c, err := CurveByName("id-tc26-gost-3410-2012-256-paramSetB"); err != nil || c != cryptoProA {
		t.Errorf("tc26-256-B is not CryptoPro-A: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

package gost

import (
	"bytes"
	"hash"
	"slices"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost/gost341194"
	"github.com/senim-kz/senim/pki/gost/streebog"
)

// examples are those of RFC 7091 §7.1 and §7.2; numbers are most significant
// byte first, as printed there.
var examples = []struct {
	curve               string
	d, e, k, x, y, r, s string
}{
	{
		"id-GostR3410-2001-TestParamSet",
		"7a929ade789bb9be10ed359dd39a72c11b60961f49397eee1d19ce9891ec3b28",
		"2dfbc1b372d89a1188c09c52e0eec61fce52032ab1022e8e67ece6672b043ee5",
		"77105c9b20bcd3122823c8cf6fcc7b956de33814e95b7fe64fed924594dceab3",
		"7f2b49e270db6d90d8595bec458b50c58585ba1d4e9b788f6689dbd8e56fd80b",
		"26f1b489d6701dd185c8413a977b3cbbaf64d1c593d26627dffb101a87ff77da",
		"41aa28d2f1ab148280cd9ed56feda41974053554a42767b83ad043fd39dc0493",
		"01456c64ba4642a1653c235a98a60249bcd6d3f746b631df928014f6c5bf9c40",
	}, {
		"id-tc26-gost-3410-12-512-paramSetTest",
		"0ba6048aadae241ba40936d47756d7c93091a0e8514669700ee7508e508b102072e8123b2200a0563322dad2827e2714a2636b7bfd18aadfc62967821fa18dd4",
		"3754f3cfacc9e0615c4f4a7c4d8dab531b09b6f9c170c533a71d147035b0c5917184ee536593f4414339976c647c5d5a407adedb1d560c4fc6777d2972075b8c",
		"0359e7f4b1410feacc570456c6801496946312120b39d019d455986e364f365886748ed7a44b3e794434006011842286212273a6d14cf70ea3af71bb1ae679f1",
		"115dc5bc96760c7b48598d8ab9e740d4c4a85a65be33c1815b5c320c854621dd5a515856d13314af69bc5b924c8b4ddff75c45415c1d9dd9dd33612cd530efe1",
		"37c7c90cd40b0f5621dc3ac1b751cfa0e2634fa0503b3d52639f5d7fb72afd61ea199441d943ffe7f0c70a2759a3cdb84c114e1f9339fdf27f35eca93677beec",
		"2f86fa60a081091a23dd795e1e3c689ee512a3c82ee0dcc2643c78eea8fcacd35492558486b20f1c9ec197c90699850260c93bcbcd9c5c3317e19344e173ae36",
		"1081b394696ffe8e6585e7a9362d26b6325f56778aadbc081c0bfbe933d52ff5823ce288e8c4f362526080df7f70ce406a6eeb1f56919cb92a9853bde73e5b4a",
	},
}

func TestExamples(t *testing.T) {
	for _, x := range examples {
		t.Run(x.curve, func(t *testing.T) {
			c, err := CurveByName(x.curve)
			if err != nil {
				t.Fatal(err)
			}
			number := func(s string) []byte { // least significant byte first
				b := unhex(t, s)
				slices.Reverse(b)
				return b
			}
			key, err := NewPrivateKey(keyAlgorithmOf(c), c, number(x.d))
			if err != nil {
				t.Fatal(err)
			}
			if want := slices.Concat(number(x.x), number(x.y)); !bytes.Equal(key.public.xy, want) {
				t.Errorf("the public key is %x, want %x", key.public.xy, want)
			}
			if got := c.baseMultiply(number(x.k))[:c.size]; !bytes.Equal(got, number(x.r)) {
				t.Errorf("x(k·G) is %x, want r = %s", got, x.r)
			}
			if got := c.mulAdd(number(x.r), number(x.d), number(x.k), number(x.e)); !bytes.Equal(got, number(x.s)) {
				t.Errorf("s is %x, want %s", got, x.s)
			}
			for _, layout := range []Layout{LayoutKZ, LayoutRU} {
				signature := join(layout, number(x.r), number(x.s))
				if err := key.public.Verify(layout, number(x.e), signature); err != nil {
					t.Error(err)
				}
				other := LayoutKZ + LayoutRU - layout
				if err := key.public.Verify(other, number(x.e), signature); !fault.Is(err, fault.SignatureInvalid) {
					t.Errorf("in the other layout: %v", err)
				}
			}
			ru := slices.Concat(unhex(t, x.s), unhex(t, x.r))
			if err := key.public.Verify(LayoutRU, number(x.e), ru); err != nil {
				t.Errorf("s‖r: %v", err)
			}
		})
	}
}

// TestEdgeVectors runs the project's own edge cases: ranges, lengths, additions
// that are doublings, coordinates above q, keys that are none.
func TestEdgeVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			Curve, Comment, Result string
			Pub                    hexBytes `json:"pub_le"`
			X                      hexBytes `json:"pub_x"`
			Y                      hexBytes `json:"pub_y"`
			Digest                 hexBytes
			RU                     hexBytes `json:"sig_rfc4491"`
			KZ                     hexBytes `json:"sig_kz"`
			Flags                  []string
		}
		Algorithm, Note, Generator string
	}
	readShared(t, &file, "gost", "gost3410-verify-edge-vectors.json")
	if len(file.Vectors) == 0 {
		t.Error("no vectors")
	}
	for i, v := range file.Vectors {
		t.Run(v.Curve+"/"+v.Comment, func(t *testing.T) {
			c, err := CurveByName(v.Curve)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains([]string{"valid", "invalid", "acceptable"}, v.Result) || v.KZ == nil && v.RU == nil {
				t.Fatalf("a vector of an unknown shape: result %q", v.Result)
			}
			if len(v.X) == c.size { // longer and shorter ones are no coordinates, but wrong keys
				slices.Reverse(v.X)
				slices.Reverse(v.Y)
				if len(v.Pub) == 2*c.size && !bytes.Equal(v.Pub, slices.Concat(v.X, v.Y)) {
					t.Fatal("the vector has two keys")
				}
			}
			key, err := NewPublicKey(keyAlgorithmOf(c), c, v.Pub)
			if err != nil {
				if !fault.Is(err, fault.PublicKeyInvalid) || v.Result == "valid" {
					t.Errorf("the key: %v", err)
				}
				return
			}
			// "acceptable" depends on the check of the key's order: we refuse.
			valid := v.Result == "valid"
			ways := []verifier{key.point}
			if !testing.Short() || i%16 == 0 { // under the race detector a table takes a tenth of a second
				ways = append(ways, key.point.Precompute())
			}
			for layout, signature := range map[Layout][]byte{LayoutKZ: v.KZ, LayoutRU: v.RU} {
				for _, with := range ways {
					err := key.verify(with, layout, v.Digest, signature)
					if valid && err != nil || !valid && !fault.Is(err, fault.SignatureInvalid) {
						t.Errorf("layout %d: %v, want %s", layout, err, v.Result)
					}
				}
			}
		})
	}
}

// TestKazakhVectors runs signatures taken from certificates of the national
// authority.
func TestKazakhVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			Certificate, SigAlg string
			IssuerFile, Curve   string
			TBSSHA256           hexBytes `json:"tbsSha256"`
			R                   hexBytes `json:"r_be"`
			S                   hexBytes `json:"s_be"`
			Digest, Signature   hexBytes
			X                   hexBytes `json:"Qx_be"`
			Y                   hexBytes `json:"Qy_be"`
			Valid               bool
		}
		Note string
	}
	readShared(t, &file, "nuc-rk", "gost-verify-vectors.json")
	if len(file.Vectors) == 0 {
		t.Error("no vectors")
	}
	for _, v := range file.Vectors {
		a, err := AlgorithmByOID(parseOID(t, v.SigAlg))
		if err != nil {
			t.Fatalf("%s: %v", v.Certificate, err)
		}
		c, err := CurveByOID(a.Key.curves[0])
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(v.X)
		slices.Reverse(v.Y)
		key, err := NewPublicKey(a.Key, c, slices.Concat(v.X, v.Y))
		if err != nil {
			t.Errorf("%s: %v", v.Certificate, err)
			continue
		}
		if err := a.Verify(key, v.Digest, v.Signature); (err == nil) != v.Valid {
			t.Errorf("%s: %v, want valid = %v", v.Certificate, err, v.Valid)
		}
		v.Digest[0] ^= 1
		if err := a.Verify(key, v.Digest, v.Signature); !fault.Is(err, fault.SignatureInvalid) {
			t.Errorf("%s over another digest: %v", v.Certificate, err)
		}
	}
}

func TestHashVectors(t *testing.T) {
	var file struct {
		Note    string
		Vectors []struct {
			Alg, Comment string
			CheckedWith  any `json:"checked_with"`
			Msg          hexBytes
			MsgGen       string `json:"msg_gen"`
			Len          int
			Digest       hexBytes
		}
	}
	readShared(t, &file, "gost", "hash-vectors.json")
	hashes := map[string]func() hash.Hash{
		"streebog256":      streebog.New256,
		"streebog512":      streebog.New512,
		"gost94-cryptopro": func() hash.Hash { return gost341194.New(gost341194.CryptoPro) },
		"gost94-test":      func() hash.Hash { return gost341194.New(gost341194.TestParam) },
	}
	if len(file.Vectors) == 0 {
		t.Error("no vectors")
	}
	for _, v := range file.Vectors {
		if v.MsgGen == "byte i = (i*131 + (i>>8)) mod 256" {
			for i := range v.Len {
				v.Msg = append(v.Msg, byte(i*131+i>>8))
			}
		}
		if len(v.Msg) != v.Len || hashes[v.Alg] == nil {
			t.Errorf("%s of %s: cannot be run", v.Alg, v.Comment)
			continue
		}
		h := hashes[v.Alg]()
		for piece := range slices.Chunk(v.Msg, 37) {
			h.Write(piece)
		}
		if got := h.Sum(nil); !bytes.Equal(got, v.Digest) {
			t.Errorf("%s of %s: %x, want %x", v.Alg, v.Comment, got, v.Digest)
		}
	}
}

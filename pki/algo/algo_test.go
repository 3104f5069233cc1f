package algo

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

type keys struct {
	rsa                    *rsa.PrivateKey
	p224, p256, p384, p521 *ecdsa.PrivateKey
	ed25519                ed25519.PrivateKey
	gost                   []*gost.PrivateKey // one for each algorithm of gost.Algorithms
}

var testKeys = sync.OnceValue(func() keys {
	must := func(k *ecdsa.PrivateKey, err error) *ecdsa.PrivateKey {
		if err != nil {
			panic(err)
		}
		return k
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	k := keys{
		rsa:  r,
		p224: must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)),
		p256: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		p384: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		p521: must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
	}
	if _, k.ed25519, err = ed25519.GenerateKey(rand.Reader); err != nil {
		panic(err)
	}
	for i, a := range gost.Algorithms() {
		key, err := gost.GenerateKey(rand.Reader, a.Key, gostCurves[i])
		if err != nil {
			panic(err)
		}
		k.gost = append(k.gost, key)
	}
	return k
})

// gostCurves are curves that the keys of gost.Algorithms may be of.
var gostCurves = func() (curves []*gost.Curve) {
	for _, oid := range []asn1.ObjectIdentifier{
		{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}, {1, 2, 398, 3, 10, 1, 1, 2, 1, 1}, {1, 2, 398, 3, 10, 1, 1, 2, 2, 1},
		{1, 2, 643, 2, 2, 35, 2}, {1, 2, 643, 7, 1, 2, 1, 1, 1}, {1, 2, 643, 7, 1, 2, 1, 2, 3},
	} {
		c, err := gost.CurveByOID(oid)
		if err != nil {
			panic(err)
		}
		curves = append(curves, c)
	}
	return curves
}()

// named finds an algorithm of the table.
func named(t *testing.T, name string) *Signature {
	t.Helper()
	for _, s := range append(append([]*Signature(nil), signatures...), pssSignatures...) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// allSignatures is every algorithm of the table that a key in memory signs with,
// with each key that fits it.
func allSignatures(t *testing.T, each func(t *testing.T, s *Signature, key crypto.Signer)) {
	k := testKeys()
	for _, s := range append(append([]*Signature(nil), signatures...), pssSignatures...) {
		var signers []crypto.Signer
		switch s.scheme {
		case rsaPKCS1, rsaPSS:
			signers = []crypto.Signer{k.rsa}
		case ecdsaScheme:
			signers = []crypto.Signer{k.p224, k.p256, k.p384, k.p521}
		case ed25519Scheme:
			signers = []crypto.Signer{k.ed25519}
		case gostScheme:
			signers = []crypto.Signer{k.gost[slices.Index(gost.Algorithms(), s.gost)]}
		}
		for _, key := range signers {
			d, _ := KeyOf(key.Public())
			t.Run(s.Name+" "+d.Name+d.Curve, func(t *testing.T) { each(t, s, key) })
		}
	}
}

func TestEveryAlgorithmVerifiesWhatItSigned(t *testing.T) {
	message := []byte("declaration 55302/21112026/0000001")
	allSignatures(t, func(t *testing.T, s *Signature, key crypto.Signer) {
		sig, err := key.Sign(rand.Reader, s.Input(message), s.SignerOpts())
		if err != nil {
			t.Fatal(err)
		}
		// The identifier we write leads back to the same algorithm.
		var b cryptobyte.Builder
		s.Identifier().AddTo(&b)
		id, err := ParseIdentifier(b.BytesOrPanic())
		if err != nil || !id.Same(s.Identifier()) {
			t.Fatalf("identifier: %v", err)
		}
		back, err := SignatureByIdentifier(id, s.Digest)
		if err != nil || back != s {
			t.Fatalf("SignatureByIdentifier = %v, %v", back, err)
		}
		if byURI, err := SignatureByURI(s.URI); s.URI != "" && (err != nil || byURI != s) {
			t.Errorf("SignatureByURI = %v, %v", byURI, err)
		}
		if byJWA, err := SignatureByJWA(s.JWA); s.JWA != "" && (err != nil || byJWA != s) {
			t.Errorf("SignatureByJWA = %v, %v", byJWA, err)
		}
		if err := VerifySigned(key.Public(), id, message, sig); err != nil {
			t.Fatalf("VerifySigned: %v", err)
		}
		for _, wrong := range [][]byte{nil, {}, sig[:len(sig)-1], append(bytes.Clone(sig), 0), flip(sig, len(sig)/2), make([]byte, len(sig))} {
			if err := s.VerifyMessage(key.Public(), message, wrong); !fault.Is(err, fault.SignatureInvalid) {
				t.Errorf("wrong signature: %v", err)
			}
		}
		if err := s.VerifyMessage(key.Public(), append(message, '!'), sig); !fault.Is(err, fault.SignatureInvalid) {
			t.Errorf("changed message: %v", err)
		}
		if err := s.Verify(key.Public(), s.Digest.Sum(message)[1:], sig); !fault.Is(err, fault.AlgorithmMismatch) {
			t.Errorf("short digest: %v", err)
		}
	})
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

func TestRawECDSA(t *testing.T) {
	allSignatures(t, func(t *testing.T, s *Signature, key crypto.Signer) {
		digest := s.Digest.Sum([]byte("x"))
		sig, err := key.Sign(rand.Reader, s.Input([]byte("x")), s.SignerOpts())
		if err != nil {
			t.Fatal(err)
		}
		pub, isEC := key.Public().(*ecdsa.PublicKey)
		if !isEC {
			if err := s.VerifyRawMessage(key.Public(), []byte("x"), sig); err != nil {
				t.Errorf("one encoding: %v", err)
			}
			return
		}
		raw, err := RawECDSA(pub, sig)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.VerifyRaw(pub, digest, raw); err != nil {
			t.Errorf("VerifyRaw: %v", err)
		}
		for _, wrong := range [][]byte{sig, nil, raw[1:], flip(raw, 3), make([]byte, len(raw))} {
			if err := s.VerifyRaw(pub, digest, wrong); !fault.Is(err, fault.SignatureInvalid) {
				t.Errorf("wrong raw signature of %d bytes: %v", len(wrong), err)
			}
		}
		if err := s.Verify(pub, digest, raw); err == nil {
			t.Error("raw accepted as ASN.1")
		}
	})
	for _, bad := range []string{"", "\x30\x00", "\x30\x06\x02\x01\x00\x02\x01\x01", "\x30\x06\x02\x01\xff\x02\x01\x01"} {
		if _, err := RawECDSA(&testKeys().p256.PublicKey, []byte(bad)); !fault.Is(err, fault.SignatureInvalid) {
			t.Errorf("RawECDSA(%x) = %v", bad, err)
		}
	}
}

func TestKeyOIDAsSignatureAlgorithm(t *testing.T) {
	for _, d := range digests {
		s, err := SignatureByIdentifier(Identifier{OID: oidRSA, Parameters: null}, d)
		if _, exists := row(rsaPKCS1, d); exists == nil && (err != nil || s.scheme != rsaPKCS1 || s.Digest != d) {
			t.Errorf("rsaEncryption with %s: %v, %v", d.Name, s, err)
		}
		s, err = SignatureByIdentifier(Identifier{OID: oidECPublicKey}, d)
		if _, exists := row(ecdsaScheme, d); exists == nil && (err != nil || s.scheme != ecdsaScheme || s.Digest != d) {
			t.Errorf("id-ecPublicKey with %s: %v, %v", d.Name, s, err)
		}
	}
	if s, err := SignatureByIdentifier(Identifier{OID: oidDSA, Parameters: null}, SHA1); err != nil || s != named(t, "SHA-1 with DSA") {
		t.Errorf("id-dsa: %v, %v", s, err)
	}
	for _, a := range gost.Algorithms() {
		for _, parameters := range [][]byte{nil, null} {
			s, err := SignatureByIdentifier(Identifier{OID: a.Key.OID, Parameters: parameters}, signatureByOID(a.OID).Digest)
			if err != nil || s.gost != a {
				t.Errorf("the key of %s: %v, %v", a.Name, s, err)
			}
		}
	}
	if s, err := SignatureByIdentifier(Identifier{OID: asn1.ObjectIdentifier{1, 3, 14, 3, 2, 29}}, SHA1); err != nil || s != named(t, "SHA-1 with RSA") {
		t.Errorf("OIW's sha1WithRSASignature: %v, %v", s, err)
	}
}

func TestRefusals(t *testing.T) {
	k := testKeys()
	oid := func(dotted string) asn1.ObjectIdentifier {
		o, err := x509.ParseOID(dotted)
		if err != nil {
			t.Fatal(err)
		}
		var out asn1.ObjectIdentifier
		der, _ := o.MarshalBinary()
		if _, err := asn1.Unmarshal(append([]byte{6, byte(len(der))}, der...), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	sig := func(id Identifier, d *Digest) error { _, err := SignatureByIdentifier(id, d); return err }
	rs256, es256, ps256 := named(t, "SHA-256 with RSA"), named(t, "SHA-256 with ECDSA"), named(t, "SHA-256 with RSA-PSS")
	digest := SHA256.Sum(nil)
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	kz2004, kz512 := signatureByOID(gost.SignatureKZ2004.OID), signatureByOID(gost.SignatureKZ2015x512.OID)
	stranger := struct{ crypto.PublicKey }{ed}

	tests := []struct {
		name string
		got  error
		want fault.Code
	}{
		{"GOST digest with unknown parameters", second(DigestByOID(oid("1.2.398.3.10.1.3.1.1.1"))), fault.AlgorithmUnsupported},
		{"GOST digest with another's parameters", second(DigestByIdentifier(Identifier{GOST34311.OID, []byte("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01")})), fault.AlgorithmParametersInvalid},
		{"GOST signature with parameters", sig(Identifier{OID: kz512.OID, Parameters: []byte{2, 1, 0}}, nil), fault.AlgorithmParametersInvalid},
		{"GOST key beside SHA-256", sig(Identifier{OID: gost.KZ2004.OID}, SHA256), fault.AlgorithmMismatch},
		{"GOST before 2016", sig(Identifier{OID: oid("1.3.6.1.4.1.6801.1.2.2")}, nil), fault.AlgorithmUnsupported},
		{"GOST with a key of the other series", kz2004.Verify(k.gost[1].Public(), digest, nil), fault.AlgorithmKeyMismatch},
		{"GOST with a key of the other country", kz512.Verify(k.gost[5].Public(), make([]byte, 64), nil), fault.AlgorithmKeyMismatch},
		{"GOST with an RSA key", kz2004.Verify(k.rsa.Public(), digest, nil), fault.AlgorithmKeyMismatch},
		{"signing with GOST and SHA-256", second(SignatureFor(k.gost[0].Public(), SHA256)), fault.AlgorithmMismatch},
		{"a digest for Ed25519", named(t, "Ed25519").Verify(ed, make([]byte, 64), nil), fault.AlgorithmMismatch},
		{"Ed25519 with an RSA key", named(t, "Ed25519").VerifyMessage(k.rsa.Public(), nil, nil), fault.AlgorithmKeyMismatch},
		{"Ed25519 without a key", named(t, "Ed25519").VerifyMessage(nil, nil, nil), fault.AlgorithmUnsupported},
		{"parameters of Ed25519", sig(Identifier{OID: oidEd25519, Parameters: null}, nil), fault.AlgorithmParametersInvalid},
		{"PKCS#1 with a key for PSS", rs256.Verify(&PSSPublicKey{RSA: &k.rsa.PublicKey}, digest, nil), fault.AlgorithmKeyMismatch},
		{"PSS with a key for another digest", ps256.Verify(&PSSPublicKey{&k.rsa.PublicKey, named(t, "SHA-512 with RSA-PSS")}, digest, nil), fault.AlgorithmKeyMismatch},
		{"unknown JWS algorithm", second(SignatureByJWA("none")), fault.AlgorithmUnsupported},
		{"no JWS algorithm", second(SignatureByJWA("")), fault.AlgorithmUnsupported},
		{"no URI", second(SignatureByURI("")), fault.AlgorithmUnsupported},
		{"unknown signature", sig(Identifier{OID: oid("1.2.3.4")}, nil), fault.AlgorithmUnsupported},
		{"unknown URI", second(SignatureByURI(strings.Repeat("x", 100000))), fault.AlgorithmUnsupported},
		{"unknown digest name", second(DigestByName("whirlpool")), fault.AlgorithmUnsupported},
		{"two digests", sig(rs256.Identifier(), SHA512), fault.AlgorithmMismatch},
		{"two digests of PSS", sig(ps256.Identifier(), SHA1), fault.AlgorithmMismatch},
		{"rsaEncryption without a digest", sig(Identifier{OID: oidRSA, Parameters: null}, nil), fault.AlgorithmUnsupported},
		{"parameters of RSA", sig(Identifier{OID: rs256.OID, Parameters: []byte{2, 1, 0}}, nil), fault.AlgorithmParametersInvalid},
		{"parameters of rsaEncryption", sig(Identifier{OID: oidRSA, Parameters: []byte{2, 1, 0}}, SHA256), fault.AlgorithmParametersInvalid},
		{"parameters of ECDSA", sig(Identifier{OID: es256.OID, Parameters: null}, nil), fault.AlgorithmParametersInvalid},
		{"parameters of a digest", second(DigestByIdentifier(Identifier{SHA256.OID, []byte{2, 1, 0}})), fault.AlgorithmParametersInvalid},
		{"PSS without parameters", sig(Identifier{OID: oidPSS}, nil), fault.AlgorithmParametersInvalid},
		{"PSS with a giant salt", second(newPSS(SHA256, SHA256, 1<<20, 1)), fault.AlgorithmParametersInvalid},
		{"PSS with another trailer", second(newPSS(SHA256, SHA256, 32, 2)), fault.AlgorithmParametersInvalid},
		{"RSA with an EC key", rs256.Verify(k.p256.Public(), digest, nil), fault.AlgorithmKeyMismatch},
		{"ECDSA with an RSA key", es256.Verify(k.rsa.Public(), digest, nil), fault.AlgorithmKeyMismatch},
		{"no key", rs256.Verify(nil, digest, nil), fault.AlgorithmUnsupported},
		{"a stranger's key", rs256.Verify(stranger, digest, nil), fault.AlgorithmUnsupported},
		{"signing with Ed25519 and SHA-256", second(SignatureFor(ed, SHA256)), fault.AlgorithmMismatch},
		{"a short RSA key", rs256.Verify(&rsa.PublicKey{N: big.NewInt(15), E: 3}, digest, nil), fault.AlgorithmUnsupported},
		{"no identifier", second(ParseIdentifier([]byte("x"))), fault.EncodingInvalid},
	}
	for _, tt := range tests {
		if !fault.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, tt.got, tt.want)
		}
		if tt.got != nil && len(tt.got.Error()) > 400 {
			t.Errorf("%s: the error is %d bytes long", tt.name, len(tt.got.Error()))
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestPSSParametersOfTheirOwn(t *testing.T) {
	k := testKeys().rsa
	digest := SHA256.Sum([]byte("x"))
	for _, salt := range []int{1, 20, 32, 100, 222} { // 222 is all that fits beside SHA-256 into 2048 bits
		id := Identifier{OID: oidPSS, Parameters: pssParameters{SHA256, salt}.encode(SHA256)}
		s, err := SignatureByIdentifier(id, nil)
		if err != nil || s.pss.saltLength != salt || (s.JWA != "") != (salt == 32) {
			t.Fatalf("%+v, %v", s, err)
		}
		sig, err := rsa.SignPSS(rand.Reader, k, crypto.SHA256, digest, &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(k.Public(), digest, sig); err != nil {
			t.Errorf("a salt of %d bytes: %v", salt, err)
		}
		other, _ := newPSS(SHA256, SHA256, salt+1, 1)
		if err := other.Verify(k.Public(), digest, sig); !fault.Is(err, fault.SignatureInvalid) {
			t.Errorf("a salt of another length: %v", err)
		}
		key := &PSSPublicKey{&k.PublicKey, other}
		if err := s.Verify(key, digest, sig); !fault.Is(err, fault.AlgorithmKeyMismatch) {
			t.Errorf("a salt shorter than the key's: %v", err)
		}
		key.parameters = s
		if err := s.Verify(key, digest, sig); err != nil {
			t.Errorf("a key of the same parameters: %v", err)
		}
	}
	// An empty SEQUENCE is all defaults: SHA-1, 20 bytes.
	if s, err := SignatureByIdentifier(Identifier{OID: oidPSS, Parameters: []byte{0x30, 0}}, nil); err != nil || s != pssSignatures[0] {
		t.Errorf("defaults: %v, %v", s, err)
	}
	mixed, err := newPSS(SHA256, SHA1, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := SignatureByIdentifier(mixed.Identifier(), SHA256); err != nil || back.pss != mixed.pss {
		t.Errorf("another mask and no salt: %v, %v", back, err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range append(append([]*Signature(nil), signatures...), pssSignatures...) {
		for _, name := range []string{s.Name, s.URI, s.JWA} {
			if name != "" && seen[name] {
				t.Errorf("%s twice", name)
			}
			seen[name] = true
		}
	}
	if Name(named(t, "SHA-256 with RSA").OID) != "SHA-256 with RSA" || Name(asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 3, 3}) != "Streebog-512" ||
		Name(asn1.ObjectIdentifier{1, 2, 3}) != "1.2.3" {
		t.Error("Name")
	}
	for _, in := range []string{"SHA-256", "sha256", "Sha-256"} {
		if d, err := DigestByName(in); err != nil || d != SHA256 {
			t.Errorf("DigestByName(%q) = %v, %v", in, d, err)
		}
	}
	if d, err := DigestByURI(oldSHA1URI); err != nil || d != SHA1 {
		t.Errorf("NUC RK's old SHA-1: %v", err)
	}
}

func FuzzSignatureByIdentifier(f *testing.F) {
	for _, s := range []*Signature{signatures[0], pssSignatures[2], gostSignatures[0], ed25519Signatures[0]} {
		var b cryptobyte.Builder
		s.Identifier().AddTo(&b)
		f.Add(b.BytesOrPanic())
	}
	f.Add([]byte("\x30\x10\x06\x09*\x86H\x86\xf7\r\x01\x01\n\x30\x03\xa2\x01\x05"))
	f.Fuzz(func(t *testing.T, der []byte) {
		id, err := ParseIdentifier(der)
		if err != nil {
			return
		}
		var p pkix.AlgorithmIdentifier
		if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) > 0 || !p.Algorithm.Equal(id.OID) {
			t.Errorf("encoding/asn1 reads %v, %v", p.Algorithm, err)
		}
		s, err := SignatureByIdentifier(id, nil)
		if (s == nil) == (err == nil) {
			t.Fatalf("signature %v, error %v", s, err)
		}
	})
}

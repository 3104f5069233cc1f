package pkcs12

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/gost"
)

var shared = filepath.Join("..", "..", "..", "shared", "data")

// RFC 2268 §5.
func TestRC2Vectors(t *testing.T) {
	for _, v := range []struct {
		key       string
		bits      int
		plain, ct string
	}{
		{"0000000000000000", 63, "0000000000000000", "ebb773f993278eff"},
		{"ffffffffffffffff", 64, "ffffffffffffffff", "278b27e42e2f0d49"},
		{"3000000000000000", 64, "1000000000000001", "30649edf9be7d2c2"},
		{"88", 64, "0000000000000000", "61a8a244adacccf0"},
		{"88bca90e90875a", 64, "0000000000000000", "6ccf4308974c267f"},
		{"88bca90e90875a7f0f79c384627bafb2", 64, "0000000000000000", "1a807d272bbe5db1"},
		{"88bca90e90875a7f0f79c384627bafb2", 128, "0000000000000000", "2269552ab0f85ca6"},
		{"88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e", 129, "0000000000000000", "5b78d3a43dfff1f1"},
	} {
		key, _ := hex.DecodeString(v.key)
		ct, _ := hex.DecodeString(v.ct)
		plain := make([]byte, 8)
		newRC2(key, v.bits).Decrypt(plain, ct)
		if hex.EncodeToString(plain) != v.plain {
			t.Errorf("key %s of %d bits: %x, want %s", v.key, v.bits, plain, v.plain)
		}
	}
}

// openssl writes files with every cipher, and they open with their password only.
func TestAgainstOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ТЕСТОВ ТЕСТ"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})...)
	input := filepath.Join(dir, "both.pem")
	if err := os.WriteFile(input, both, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string][]string{
		"AES-256, SHA-256": nil,
		"AES-128, SHA-512": {"-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC", "-macalg", "sha512"},
		"3DES in PBES2":    {"-certpbe", "DES-EDE3-CBC", "-keypbe", "DES-EDE3-CBC"},
		"3DES":             {"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
		"two-key 3DES":     {"-certpbe", "PBE-SHA1-2DES", "-keypbe", "PBE-SHA1-2DES"},
		"RC2-40 as NUC RK": {"-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-iter", "1024"},
		"RC2-128":          {"-legacy", "-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-RC2-128"},
		"no encryption":    {"-certpbe", "NONE", "-keypbe", "NONE"},
		"one iteration":    {"-noiter", "-nomaciter"},
		"no MAC":           {"-nomac"},
		"RC4":              {"-legacy", "-certpbe", "PBE-SHA1-RC4-128", "-keypbe", "PBE-SHA1-3DES"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, password := range []string{"Qwerty12", "пароль 𝄞", ""} {
				arguments := append([]string{"pkcs12", "-export", "-in", input, "-name", "имя", "-passout", "pass:" + password}, options...)
				file, err := exec.Command(openssl, arguments...).Output()
				if err != nil {
					t.Skipf("this openssl cannot: %v", err)
				}
				if !Recognise(file) {
					t.Error("not recognised")
				}
				got, err := Decode(file, password)
				switch name {
				case "no MAC", "RC4":
					if !fault.Is(err, fault.AlgorithmUnsupported) {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatalf("password %q: %v", password, err)
				}
				if len(got.Keys) != 1 || !key.Equal(got.Keys[0].Signer) || got.Keys[0].FriendlyName != "имя" || len(got.Keys[0].LocalKeyID) != 20 {
					t.Errorf("keys %+v", got.Keys)
				}
				if c := got.CertificateOf(got.Keys[0]); c == nil || !bytes.Equal(c.Raw, certificate) {
					t.Errorf("certificate %v", c)
				}
				for _, wrong := range []string{password + "1", "qwerty12", strings.ToUpper(password) + " "} {
					if _, err := Decode(file, wrong); !fault.Is(err, fault.PKCS12PasswordWrong) {
						t.Errorf("password %q for %q: %v", wrong, password, err)
					}
				}
			}
		})
	}
}

// Files of NUC RK, with the keys that an independent reader found in them.
func TestSharedFilesOfNUC(t *testing.T) {
	folder := filepath.Join(shared, "nuc-rk")
	raw, err := os.ReadFile(filepath.Join(folder, "p12-keys.json"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	var all []struct{ File, Password, Alias, KeyAlg, Serial, D, Qx, Qy string }
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, want := range all {
		data, err := os.ReadFile(filepath.Join(folder, want.File))
		if err != nil {
			t.Fatal(err)
		}
		files++
		got, err := Decode(data, want.Password)
		if err != nil || len(got.Keys) != 1 {
			t.Errorf("%s: %v", want.File, err)
			continue
		}
		key := got.Keys[0]
		c := got.CertificateOf(key)
		if c == nil || c.SerialHex() != want.Serial && "0"+c.SerialHex() != want.Serial || c.KeyAlgorithm.OID.String() != want.KeyAlg || key.FriendlyName != want.Alias {
			t.Errorf("%s: %+v", want.File, key)
			continue
		}
		switch private := key.Signer.(type) {
		case *rsa.PrivateKey:
			if want.KeyAlg != "1.2.840.113549.1.1.1" {
				t.Errorf("%s: an RSA key", want.File)
			}
		case *gost.PrivateKey:
			xy := private.Public().(*gost.PublicKey).Bytes()
			half := len(xy) / 2
			x, y := slices.Clone(xy[:half]), slices.Clone(xy[half:])
			slices.Reverse(x)
			slices.Reverse(y)
			if number(hex.EncodeToString(x)).Cmp(number(want.Qx)) != 0 || number(hex.EncodeToString(y)).Cmp(number(want.Qy)) != 0 {
				t.Errorf("%s: another key", want.File)
			}
		default:
			t.Errorf("%s: a key of type %T", want.File, private)
		}
		s, err := algo.SignatureFor(key.Signer.Public(), algo.DigestFor(key.Signer.Public()))
		if err != nil {
			t.Fatal(err)
		}
		digest := s.Digest.Sum([]byte("x"))
		sig, err := key.Signer.Sign(rand.Reader, digest, s.SignerOpts())
		if err != nil || s.Verify(c.PublicKey, digest, sig) != nil {
			t.Errorf("%s: the key does not sign for its certificate: %v", want.File, err)
		}
		// CMS takes the digest that goes with the key.
		message, err := cms.Sign(cms.Template{Content: []byte("declaration"), Certificate: c.Raw}, key.Signer)
		if err != nil {
			t.Fatalf("%s: %v", want.File, err)
		}
		if m, err := cms.Parse(message); err != nil {
			t.Errorf("%s: %v", want.File, err)
		} else if _, err := m.Verify(m.Signers[0], c.PublicKey, m.Content); err != nil {
			t.Errorf("%s: %v", want.File, err)
		}
		if _, err := Decode(data, want.Password+"x"); !fault.Is(err, fault.PKCS12PasswordWrong) {
			t.Errorf("%s: wrong password: %v", want.File, err)
		}
	}
	if files < 15 {
		t.Errorf("only %d files", files)
	}
}

func number(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 16)
	return n
}

// The container of R 50.1.112-2016 is encrypted with GOST.
func TestSharedGOSTContainer(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(shared, "gost", "pfx-r50.1.112", "container.pfx"))
	if err != nil {
		t.Skip("no ../shared/data here")
	}
	if _, err := Decode(data, "Пароль для PFX"); !fault.Is(err, fault.PKCS12GOST) {
		t.Errorf("%v", err)
	}
}

// container is a file as NUC RK writes one, made here.
type container struct {
	password   string
	iterations int64
	cipher     asn1.ObjectIdentifier
	macDigest  *algo.Digest
	key        []byte // PrivateKeyInfo
	pieces     bool   // the framing is BER, the content in pieces
}

func (c container) build(t testing.TB) []byte {
	t.Helper()
	salt := []byte("salt salt")
	bmp := bmpPassword(c.password)
	block, err := des.NewTripleDESCipher(derive(algo.SHA1, bmp, salt, int(min(c.iterations, 100)), forKey, 24))
	if err != nil {
		t.Fatal(err)
	}
	padded := append(slices.Clone(c.key), bytes.Repeat([]byte{byte(8 - len(c.key)%8)}, 8-len(c.key)%8)...)
	cipher.NewCBCEncrypter(block, derive(algo.SHA1, bmp, salt, int(min(c.iterations, 100)), forIV, 8)).CryptBlocks(padded, padded)
	sequence := func(b *cryptobyte.Builder, content func(*cryptobyte.Builder)) { b.AddASN1(cbasn1.SEQUENCE, content) }
	zero := cbasn1.Tag(0).ContextSpecific().Constructed()
	var bags, safe, file cryptobyte.Builder
	sequence(&bags, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidShroudedBag)
			b.AddASN1(zero, func(b *cryptobyte.Builder) {
				sequence(b, func(b *cryptobyte.Builder) {
					sequence(b, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(c.cipher)
						sequence(b, func(b *cryptobyte.Builder) { b.AddASN1OctetString(salt); b.AddASN1Int64(c.iterations) })
					})
					b.AddASN1OctetString(padded)
				})
			})
		})
	})
	info := func(b *cryptobyte.Builder, content []byte) {
		b.AddASN1ObjectIdentifier(oidData)
		b.AddASN1(zero, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
	}
	sequence(&safe, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) { info(b, bags.BytesOrPanic()) })
	})
	content := safe.BytesOrPanic()
	if c.pieces { // an indefinite length and its end
		content = slices.Concat([]byte{0x30, 0x80}, content[2+lengthBytes(content):], []byte{0, 0})
	}
	h := hmac.New(c.macDigest.New, derive(c.macDigest, bmp, salt, 10, forMAC, c.macDigest.Size()))
	h.Write(content)
	sequence(&file, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		sequence(b, func(b *cryptobyte.Builder) { info(b, content) })
		sequence(b, func(b *cryptobyte.Builder) {
			sequence(b, func(b *cryptobyte.Builder) {
				c.macDigest.Identifier().AddTo(b)
				b.AddASN1OctetString(h.Sum(nil))
			})
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(10)
		})
	})
	return file.BytesOrPanic()
}

// lengthBytes is how many bytes a DER length has beyond its first.
func lengthBytes(der []byte) int {
	if der[1] < 0x80 {
		return 0
	}
	return int(der[1] & 0x7f)
}

var triple = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}

// good is a file with a GOST key.
func good(t testing.TB, oid asn1.ObjectIdentifier, a *gost.KeyAlgorithm) (container, *gost.PrivateKey) {
	t.Helper()
	curve, err := gost.CurveByOID(oid)
	if err != nil {
		t.Fatal(err)
	}
	key, err := gost.GenerateKey(rand.Reader, a, curve)
	if err != nil {
		t.Fatal(err)
	}
	der, err := key.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return container{"Qwerty12", 100, triple, algo.SHA1, der, true}, key
}

func TestGOSTKeys(t *testing.T) {
	for _, tt := range []struct {
		algorithm *gost.KeyAlgorithm
		curve     asn1.ObjectIdentifier
	}{
		{gost.KZ2004, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}},
		{gost.KZ2015x256, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1, 1}},
		{gost.KZ2015x512, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2, 1}},
	} {
		c, key := good(t, tt.curve, tt.algorithm)
		got, err := Decode(c.build(t), c.password)
		if err != nil || len(got.Keys) != 1 || !key.Equal(got.Keys[0].Signer) {
			t.Errorf("%s: %v", tt.algorithm.Name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	c, _ := good(t, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2, 1}, gost.KZ2015x512)
	file := c.build(t)
	change := func(f func(*container)) []byte {
		changed := c
		f(&changed)
		return changed.build(t)
	}
	tests := []struct {
		name string
		file []byte
		want fault.Code
	}{
		{"empty", nil, fault.InputEmpty},
		{"giant", make([]byte, sizeMax+1), fault.InputTooBig},
		{"not BER", []byte("PFX"), fault.EncodingInvalid},
		{"cut off", file[:len(file)-1], fault.EncodingInvalid},
		{"another version", bytes.Replace(file, []byte{2, 1, 3}, []byte{2, 1, 4}, 1), fault.PKCS12Unreadable},
		{"a changed byte", append(append(slices.Clone(file[:200]), file[200]^1), file[201:]...), fault.PKCS12PasswordWrong},
		{"a GOST MAC", change(func(c *container) { c.macDigest = algo.Streebog512 }), fault.PKCS12GOST},
		{"a GOST cipher", change(func(c *container) { c.cipher = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 21} }), fault.PKCS12GOST},
		{"a cipher of Kazakhstan", change(func(c *container) { c.cipher = asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 2, 1} }), fault.PKCS12GOST},
		{"an unknown cipher", change(func(c *container) { c.cipher = asn1.ObjectIdentifier{1, 2, 3} }), fault.AlgorithmUnsupported},
		{"many iterations", change(func(c *container) { c.iterations = iterationsMax }), fault.InputTooBig},
		{"iterations beyond any", change(func(c *container) { c.iterations = 1<<62 + 1 }), fault.InputTooBig},
		{"a broken key", change(func(c *container) { c.key = c.key[:len(c.key)-3] }), fault.EncodingInvalid},
		{"a giant key", change(func(c *container) { c.key = make([]byte, keyMax+1) }), fault.InputTooBig},
		{"a key of an unknown kind", change(func(c *container) { c.key = []byte("\x30\x0b\x02\x01\x00\x30\x04\x06\x02\x2a\x03\x04\x00") }), fault.PKCS12Unreadable},
	}
	for _, tt := range tests {
		got, err := Decode(tt.file, c.password)
		if !fault.Is(err, tt.want) || got != nil {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := Decode(file, c.password); err != nil {
		t.Errorf("the file itself: %v", err)
	}
	for _, data := range []string{"", "\x30", "\x30\x03\x02\x01\x03", "\x30\x82\x01\x00\x02\x01\x03", "\x30\x80\x02\x01\x03", "\x30\x82\x01\x00\x30\x01\x03"} {
		if got, want := Recognise([]byte(data)), strings.Contains(data, "\x02\x01\x03"); got != want {
			t.Errorf("Recognise(%x) = %v", data, got)
		}
	}
}

// No file makes Decode panic, or hold more than its limits.
func FuzzDecode(f *testing.F) {
	c, _ := good(f, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}, gost.KZ2004)
	c.iterations = 2
	f.Add(c.build(f))
	c.pieces = false
	f.Add(c.build(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Decode(data, "Qwerty12")
		if (got == nil) == (err == nil) {
			t.Fatalf("%v, %v", got, err)
		}
		if err == nil && (len(got.Keys) > bagsMax || len(got.Certificates) > bagsMax) {
			t.Errorf("%d keys, %d certificates", len(got.Keys), len(got.Certificates))
		}
	})
}

// What lies behind the MAC, which fuzzing does not get past.
func FuzzReadSafe(f *testing.F) {
	c, _ := good(f, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}, gost.KZ2004)
	c.iterations = 2
	s := cryptobyte.String(c.build(f))
	var pfx, content cryptobyte.String
	var version int
	if !s.ReadASN1(&pfx, cbasn1.SEQUENCE) || !pfx.ReadASN1Integer(&version) {
		f.Fatal("the file")
	}
	_, content, _ = readContentInfo(&pfx)
	var safe []byte
	content.ReadASN1Bytes(&safe, cbasn1.OCTET_STRING)
	f.Add(safe)
	f.Fuzz(func(t *testing.T, safe []byte) {
		r := &reader{password: "Qwerty12", bmp: bmpPassword("Qwerty12"), spent: iterationsMax - 1000}
		if err := r.readSafe(safe); err != nil && fault.Of(err) == nil {
			t.Errorf("an unclassified error: %v", err)
		}
	})
}

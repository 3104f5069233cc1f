package tsp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/trust"
)

const shared = "../../../shared/data"

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var data = []byte("signature value")

type entity struct {
	key  crypto.Signer
	x509 *x509.Certificate
	*cert.Certificate
}

// world is a CA with time-stamping authorities of every kind.
type world struct {
	ca, other                           *entity
	tsa, rsa                            *entity
	expired, soft, wide, none, encipher *entity // soft: usage not critical; wide: a second usage; none: no usage
	namesake                            *entity // another certificate for the same key, name and serial number
	stranger                            *entity
}

var testWorld = sync.OnceValue(func() *world {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	serial := int64(0x200)
	issueWith := func(key crypto.Signer, issuer *entity, name string, change func(*x509.Certificate)) *entity {
		serial++
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-1000 * time.Hour), NotAfter: now.AddDate(20, 0, 0)}
		change(template)
		parent, parentKey := template, key
		if issuer != nil {
			parent, parentKey = issuer.x509, issuer.key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		must(err)
		x, err := x509.ParseCertificate(der)
		must(err)
		c, err := cert.Parse(der)
		must(err)
		return &entity{key, x, c}
	}
	issue := func(issuer *entity, name string, change func(*x509.Certificate)) *entity {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		return issueWith(key, issuer, name, change)
	}
	ca := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	usages := func(critical bool, oids ...asn1.ObjectIdentifier) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			value, err := asn1.Marshal(oids)
			must(err)
			c.KeyUsage = x509.KeyUsageDigitalSignature
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: cert.OIDExtKeyUsage, Critical: critical, Value: value})
		}
	}
	stamping := usages(true, cert.OIDUsageTimeStamping)
	w := &world{ca: issue(nil, "CA", ca), other: issue(nil, "CA", ca)}
	w.tsa = issue(w.ca, "TSA", stamping)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	w.rsa = issueWith(rsaKey, w.ca, "RSA TSA", stamping)
	w.expired = issue(w.ca, "old TSA", func(c *x509.Certificate) { stamping(c); c.NotAfter = now.Add(-time.Hour) })
	w.soft = issue(w.ca, "TSA", usages(false, cert.OIDUsageTimeStamping))
	w.wide = issue(w.ca, "TSA", usages(true, cert.OIDUsageTimeStamping, cert.OIDUsageEmailProtection))
	w.none = issue(w.ca, "TSA", func(*x509.Certificate) {})
	w.encipher = issue(w.ca, "TSA", func(c *x509.Certificate) { stamping(c); c.KeyUsage = x509.KeyUsageKeyEncipherment })
	w.namesake = issueWith(w.tsa.key, w.ca, "TSA", func(c *x509.Certificate) { stamping(c); c.SerialNumber = w.tsa.Serial })
	w.stranger = issue(w.other, "TSA", stamping)
	return w
})

// stamp describes a token to be made.
type stamp struct {
	tsa        *entity
	info       []byte // nil: of the fields below
	version    int64
	digest     *algo.Digest
	imprint    []byte
	policy     asn1.ObjectIdentifier
	at         string // GeneralizedTime
	tail       func(*cryptobyte.Builder)
	template   func(*cms.Template)
	omitSigner bool
}

var policy = asn1.ObjectIdentifier{1, 2, 398, 3, 3, 2, 6, 2}

func goodStamp() *stamp {
	return &stamp{tsa: testWorld().tsa, version: 1, digest: algo.SHA256, imprint: algo.SHA256.Sum(data), policy: policy, at: "20261121120000Z"}
}

func (s *stamp) tstInfo() []byte {
	if s.info != nil {
		return s.info
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(s.version)
		b.AddASN1ObjectIdentifier(s.policy)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			s.digest.Identifier().AddTo(b)
			b.AddASN1OctetString(s.imprint)
		})
		b.AddASN1Int64(7)
		b.AddASN1(cbasn1.GeneralizedTime, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s.at)) })
		if s.tail != nil {
			s.tail(b)
		}
	})
	return b.BytesOrPanic()
}

func (s *stamp) der(t testing.TB) []byte {
	t.Helper()
	template := cms.Template{Content: s.tstInfo(), ContentType: cms.OIDTSTInfo, Certificate: s.tsa.Raw, OmitCertificates: s.omitSigner}
	if s.template != nil {
		s.template(&template)
	}
	der, err := cms.Sign(template, s.tsa.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func anchors(t testing.TB, e *entity) *trust.Store {
	t.Helper()
	s, err := trust.New(e.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerify(t *testing.T) {
	w := testWorld()
	change := func(f func(*stamp)) *stamp {
		s := goodStamp()
		f(s)
		return s
	}
	by := func(e *entity) *stamp { return change(func(s *stamp) { s.tsa = e }) }
	name := func(e *entity) *stamp {
		return change(func(s *stamp) {
			s.tail = func(b *cryptobyte.Builder) {
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
					b.AddASN1(explicit(4), func(b *cryptobyte.Builder) { b.AddBytes(e.RawSubject) })
				})
			}
		})
	}
	tests := []struct {
		name  string
		stamp *stamp
		want  fault.Code
	}{
		{"ECDSA", goodStamp(), ""},
		{"RSA", by(w.rsa), ""},
		{"SHA-512 imprint", change(func(s *stamp) { s.digest, s.imprint = algo.SHA512, algo.SHA512.Sum(data) }), ""},
		{"authority named", name(w.tsa), ""},
		{"other data", change(func(s *stamp) { s.imprint = algo.SHA256.Sum([]byte("x")) }), fault.TimestampImprintMismatch},
		{"imprint of another length", change(func(s *stamp) { s.imprint = s.imprint[1:] }), fault.TimestampImprintMismatch},
		{"another authority named", name(w.rsa), fault.TimestampSignerMismatch},
		{"usage not critical", by(w.soft), fault.TimestampSignerForbidden},
		{"more than one usage", by(w.wide), fault.TimestampSignerForbidden},
		{"no usage", by(w.none), fault.TimestampSignerForbidden},
		{"a key for encryption", by(w.encipher), fault.TimestampSignerForbidden},
		{"expired authority", by(w.expired), fault.CertificateExpired},
		{"before the authority's time", change(func(s *stamp) { s.at = "20200101000000Z" }), fault.CertificateNotYetValid},
		{"authority of an unknown CA", by(w.stranger), fault.SignatureInvalid}, // its CA has the anchor's name
		{"no certificate", change(func(s *stamp) { s.omitSigner = true }), fault.SignerCertificateMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token, err := ParseToken(tt.stamp.der(t))
			if err != nil {
				t.Fatal(err)
			}
			p, err := token.Verify(data, anchors(t, w.ca))
			if fault.CodeOf(err) != tt.want {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if err == nil && (len(p.Certificates) != 2 || !p.Certificates[0].Equal(tt.stamp.tsa.Certificate)) {
				t.Errorf("path of %d", len(p.Certificates))
			}
		})
	}
}

// The certificate that counts is the one that the signed attribute names:
// neither one put beside it nor one of the same name and serial number.
func TestSignerIsTheOneReferenced(t *testing.T) {
	w := testWorld()
	s := goodStamp()
	s.omitSigner = true
	bare, err := ParseToken(s.der(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bare.VerifySignature(w.namesake.Certificate); !fault.Is(err, fault.TimestampSignerMismatch) {
		t.Errorf("a namesake: %v", err)
	}
	signer, err := bare.VerifySignature(w.namesake.Certificate, w.rsa.Certificate, w.tsa.Certificate)
	if err != nil || !signer.Equal(w.tsa.Certificate) {
		t.Errorf("among others: %v", err)
	}
	if _, err := bare.Verify(data, anchors(t, w.ca), w.tsa.Certificate); err != nil {
		t.Errorf("given: %v", err)
	}
}

func TestInfo(t *testing.T) {
	s := goodStamp()
	s.at = "20261121120000.25Z"
	s.tail = func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1Int64WithTag(500, cbasn1.Tag(0).ContextSpecific())
			b.AddASN1Int64WithTag(100, cbasn1.Tag(1).ContextSpecific())
		})
		b.AddASN1Boolean(true)
		b.AddASN1Int64(42)
		b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 3})
				b.AddASN1OctetString([]byte{5, 0})
			})
		})
	}
	token, err := ParseToken(s.der(t))
	if err != nil {
		t.Fatal(err)
	}
	if !token.Time.Equal(now.Add(250*time.Millisecond)) || *token.Accuracy != 1500100*time.Microsecond || !token.Ordering ||
		token.Nonce.Int64() != 42 || !token.Policy.Equal(policy) || token.Serial.Int64() != 7 || len(token.Extensions) != 1 {
		t.Errorf("%+v", token.Info)
	}
	plain, err := ParseToken(goodStamp().der(t))
	if err != nil || plain.Accuracy != nil || plain.Nonce != nil || plain.Ordering || plain.Authority != nil {
		t.Errorf("%+v, %v", plain.Info, err)
	}
}

func TestParseTokenRefusals(t *testing.T) {
	w := testWorld()
	tail := func(f func(*cryptobyte.Builder)) []byte {
		s := goodStamp()
		s.tail = f
		return s.der(t)
	}
	with := func(f func(*stamp)) []byte {
		s := goodStamp()
		f(s)
		return s.der(t)
	}
	good := goodStamp().der(t)
	detached, err := cms.Sign(cms.Template{Content: goodStamp().tstInfo(), ContentType: cms.OIDTSTInfo, Detached: true, Certificate: w.tsa.Raw}, w.tsa.key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := cms.Sign(cms.Template{Content: data, Certificate: w.tsa.Raw}, w.tsa.key)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		der  []byte
		want fault.Code
	}{
		{"nothing", nil, fault.InputEmpty},
		{"too big", make([]byte, tokenLimits.Bytes+1), fault.InputTooBig},
		{"text", []byte("<html>"), fault.TimestampUnreadable},
		{"truncated", good[:len(good)-1], fault.TimestampUnreadable},
		{"trailing byte", append(bytes.Clone(good), 0), fault.TimestampUnreadable},
		{"another content", plain, fault.TimestampUnreadable},
		{"detached", detached, fault.TimestampUnreadable},
		{"rubbish inside", with(func(s *stamp) { s.info = []byte{0x30, 0} }), fault.TimestampUnreadable},
		{"version 2", with(func(s *stamp) { s.version = 2 }), fault.TimestampUnreadable},
		{"local time", with(func(s *stamp) { s.at = "20261121170000+0500" }), fault.TimestampUnreadable},
		{"fraction that ends in 0", with(func(s *stamp) { s.at = "20261121120000.50Z" }), fault.TimestampUnreadable},
		{"accuracy of 1000 ms", tail(func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64WithTag(1000, cbasn1.Tag(0).ContextSpecific()) })
		}), fault.TimestampUnreadable},
		{"negative accuracy", tail(func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(-1) })
		}), fault.TimestampUnreadable},
		{"giant nonce", tail(func(b *cryptobyte.Builder) { b.AddASN1BigInt(new(big.Int).Lsh(big.NewInt(1), 8*nonceMax+1)) }), fault.TimestampUnreadable},
		{"unknown field", tail(func(b *cryptobyte.Builder) { b.AddASN1OctetString(nil) }), fault.TimestampUnreadable},
		{"critical extension", tail(func(b *cryptobyte.Builder) {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 3})
					b.AddASN1Boolean(true)
					b.AddASN1OctetString([]byte{5, 0})
				})
			})
		}), fault.TimestampExtensionUnknown},
	}
	for _, tt := range tests {
		if token, err := ParseToken(tt.der); !fault.Is(err, tt.want) || token != nil {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	for i := range good {
		if _, err := ParseToken(good[:i]); err == nil {
			t.Fatalf("the first %d bytes parse", i)
		}
	}
}

// granted wraps a token into a reply; refused writes one without.
func granted(token []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
		b.AddBytes(token)
	})
	return b.BytesOrPanic()
}

func refused(status int64, text string, bit int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(status)
			if text != "" {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
				})
			}
			if bit >= 0 {
				bits := make([]byte, bit/8+1)
				bits[bit/8] = 0x80 >> (bit % 8)
				b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
					b.AddUint8(uint8(7 - bit%8))
					b.AddBytes(bits)
				})
			}
		})
	})
	return b.BytesOrPanic()
}

func TestRequestAndReply(t *testing.T) {
	request, err := NewRequest(data, algo.SHA256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request.Policy = policy
	answer := func(f func(*stamp)) []byte {
		s := goodStamp()
		s.tail = func(b *cryptobyte.Builder) { b.AddASN1BigInt(request.Nonce) }
		f(s)
		return granted(s.der(t))
	}
	tests := []struct {
		name  string
		reply []byte
		want  fault.Code
		says  string
	}{
		{"granted", answer(func(*stamp) {}), "", ""},
		{"another imprint", answer(func(s *stamp) { s.imprint = algo.SHA256.Sum([]byte("x")) }), fault.TimestampImprintMismatch, ""},
		{"another digest", answer(func(s *stamp) { s.digest, s.imprint = algo.SHA512, algo.SHA512.Sum(data) }), fault.TimestampImprintMismatch, ""},
		{"another nonce", answer(func(s *stamp) { s.tail = func(b *cryptobyte.Builder) { b.AddASN1Int64(1) } }), fault.TimestampNonceMismatch, ""},
		{"no nonce", answer(func(s *stamp) { s.tail = nil }), fault.TimestampNonceMismatch, ""},
		{"another policy", answer(func(s *stamp) { s.policy = asn1.ObjectIdentifier{1, 2, 3} }), fault.TimestampPolicyMismatch, ""},
		{"rejection", refused(2, "болмайды\x1b[0m", 0), fault.TSARefused, `rejection, "болмайды\x1b[0m", badAlg`},
		{"long words", refused(2, strings.Repeat("я", 1000), -1), fault.TSARefused, "rejection"},
		{"time not available", refused(2, "", 14), fault.PeerDown, "timeNotAvailable"},
		{"system failure", refused(2, "", 25), fault.PeerDown, "systemFailure"},
		{"waiting", refused(3, "", -1), fault.PeerDown, "waiting"},
		{"no such status", refused(9, "", -1), fault.TimestampUnreadable, ""},
		{"granted without a token", refused(0, "", -1), fault.TimestampUnreadable, ""},
		{"nothing", nil, fault.InputEmpty, ""},
		{"text", []byte("Try again"), fault.TimestampUnreadable, ""},
		{"too big", make([]byte, replySizeMax+1), fault.InputTooBig, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token, err := request.Accept(tt.reply)
			if fault.CodeOf(err) != tt.want {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if err != nil {
				if !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 500 || strings.ContainsRune(err.Error(), 0x1b) {
					t.Errorf("says %v", err)
				}
				return
			}
			if _, err := token.Verify(data, anchors(t, testWorld().ca)); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := NewRequest(data, algo.SHA256, bytes.NewReader(nil)); !fault.Is(err, fault.Internal) {
		t.Errorf("no randomness: %v", err)
	}
	if _, err := (&Request{Digest: algo.SHA256, Imprint: []byte{1}}).Marshal(); !fault.Is(err, fault.BadArgument) {
		t.Errorf("short imprint: %v", err)
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add(granted(goodStamp().der(f)))
	f.Add(refused(2, "no", 14))
	store := anchors(f, testWorld().ca)
	f.Fuzz(func(t *testing.T, der []byte) {
		token, err := ParseReply(der)
		if (token == nil) == (err == nil) {
			t.Fatalf("%v, %v", token, err)
		}
		if err == nil {
			_, _ = token.Verify(data, store)
		}
	})
}

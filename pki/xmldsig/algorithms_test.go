package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
)

var (
	p384Key = sync.OnceValue(func() Key { return newKey(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key = sync.OnceValue(func() Key { return newKey(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey   = sync.OnceValue(func() Key {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return newKey(key, err)
	})
)

// gostKeys are Kazakhstan's: the 2004 series, 512 bits and 256 bits.
var gostKeys = sync.OnceValue(func() (keys []Key) {
	for _, k := range []struct {
		algorithm *gost.KeyAlgorithm
		curve     asn1.ObjectIdentifier
	}{
		{gost.KZ2004, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}},
		{gost.KZ2015x512, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2, 1}},
		{gost.KZ2015x256, asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1, 1}},
	} {
		curve, err := gost.CurveByOID(k.curve)
		if err != nil {
			panic(err)
		}
		key, err := gost.GenerateKey(rand.Reader, k.algorithm, curve)
		if err != nil {
			panic(err)
		}
		keys = append(keys, Key{Signer: key, Certificate: regraft(ecKey().Certificate, key.Public().(*gost.PublicKey))})
	}
	return keys
})

func gostKey(i int) Key { return gostKeys()[i] }

// regraft puts a key of GOST, which crypto/x509 cannot write, into a certificate.
// Its signature is wrong then; trust is not this package's matter.
func regraft(c *cert.Certificate, public *gost.PublicKey) *cert.Certificate {
	var outer struct {
		TBS struct {
			Version              int `asn1:"explicit,tag:0"`
			Serial               int
			Algorithm            pkix.AlgorithmIdentifier
			Issuer, Time, Holder asn1.RawValue
			Key                  asn1.RawValue
		}
		Algorithm pkix.AlgorithmIdentifier
		Value     asn1.BitString
	}
	if rest, err := asn1.Unmarshal(c.Raw, &outer); err != nil || len(rest) > 0 {
		panic(err)
	}
	outer.TBS.Key = asn1.RawValue{FullBytes: public.Marshal()}
	der, err := asn1.Marshal(outer)
	if err != nil {
		panic(err)
	}
	grafted, err := cert.Parse(der)
	if err != nil {
		panic(err)
	}
	return grafted
}

type signingMethod struct {
	key Key
	uri string
}

// signingMethods are the algorithms of RFC 9231 and of pkigovkz that a key in
// memory signs with.
func signingMethods() []signingMethod {
	return []signingMethod{
		{rsaKey(), moreURI + "rsa-sha224"}, {rsaKey(), moreURI + "rsa-sha256"}, {rsaKey(), moreURI + "rsa-sha384"}, {rsaKey(), moreURI + "rsa-sha512"},
		{rsaKey(), more2007URI + "sha256-rsa-MGF1"}, {rsaKey(), more2007URI + "sha384-rsa-MGF1"}, {rsaKey(), more2007URI + "sha512-rsa-MGF1"},
		{rsaKey(), more2007URI + "sha3-256-rsa-MGF1"},
		{ecKey(), moreURI + "ecdsa-sha256"}, {ecKey(), moreURI + "ecdsa-sha512"}, {p384Key(), moreURI + "ecdsa-sha384"}, {p521Key(), moreURI + "ecdsa-sha512"},
		{p384Key(), more2021URI + "ecdsa-sha3-384"},
		{edKey(), more2021URI + "eddsa-ed25519"},
		{gostKey(0), moreURI + "gost34310-gost34311"},
		{gostKey(1), "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-512"},
		{gostKey(2), "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-256"},
	}
}

const (
	moreURI     = "http://www.w3.org/2001/04/xmldsig-more#"
	more2007URI = "http://www.w3.org/2007/05/xmldsig-more#"
	more2021URI = "http://www.w3.org/2021/04/xmldsig-more#"
)

func signedWith(t *testing.T, k Key, uri string) (string, *algo.Signature) {
	t.Helper()
	algorithm, err := algo.SignatureByURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	form := Enveloped()
	form.Algorithm = algorithm
	d := mustParse(t, order)
	if err := Sign(d, form, k, d.Root, nil); err != nil {
		t.Fatal(err)
	}
	return written(t, d), algorithm
}

func TestSignsWithEveryAlgorithm(t *testing.T) {
	for _, m := range signingMethods() {
		t.Run(m.uri[strings.LastIndexAny(m.uri, "#:")+1:], func(t *testing.T) {
			text, algorithm := signedWith(t, m.key, m.uri)
			if !strings.Contains(text, `SignatureMethod Algorithm="`+m.uri+`"`) || !strings.Contains(text, `DigestMethod Algorithm="`+algorithm.Digest.URI+`"`) {
				t.Errorf("other identifiers: %s", text)
			}
			v, err := verifyPayload(t, text)
			if err != nil || v.Algorithm != algorithm {
				t.Fatalf("%v, %v", v, err)
			}
			if _, err := verifyPayload(t, strings.Replace(text, "KZT", "USD", 1)); !fault.Is(err, fault.XMLDigestMismatch) {
				t.Errorf("changed content: %v", err)
			}
			if _, err := verifyPayload(t, strings.Replace(text, `<ds:Reference URI="">`, `<ds:Reference Id="x" URI="">`, 1)); !fault.Is(err, fault.SignatureInvalid) {
				t.Errorf("changed SignedInfo: %v", err)
			}
		})
	}
}

// xmlsec1 1.2 knows those of RFC 4051 alone.
func TestXmlsec1AcceptsEveryAlgorithm(t *testing.T) {
	for _, m := range signingMethods() {
		if !strings.HasPrefix(m.uri, moreURI) || strings.Contains(m.uri, "gost") {
			continue
		}
		text, algorithm := signedWith(t, m.key, m.uri)
		certificate := tempFile(t, "cert.pem", encodePEM("CERTIFICATE", m.key.Certificate.Raw))
		out, err := xmlsec1(t, "--verify", "--pubkey-cert-pem", certificate, "--enabled-key-data", "key-name", tempFile(t, "signed.xml", []byte(text)))
		if err != nil {
			t.Errorf("%s: %v\n%s", algorithm.Name, err, out)
		}
	}
}

// rubbish is a key that answers nonsense, as a broken token would.
type rubbish struct{ crypto.Signer }

func (r rubbish) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 256), nil
}

func TestSignRefusesAlgorithms(t *testing.T) {
	method := func(uri string) *algo.Signature {
		a, err := algo.SignatureByURI(uri)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	unnamed, err := algo.PSSWith(algo.SHA256, algo.SHA1, 20)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key       Key
		algorithm *algo.Signature
		want      fault.Code
	}{
		"SHA-1":                       {rsaKey(), method(Space + "rsa-sha1"), fault.XMLAlgorithmWeak},
		"no identifier":               {rsaKey(), unnamed, fault.AlgorithmUnsupported},
		"ECDSA with an RSA key":       {rsaKey(), method(moreURI + "ecdsa-sha256"), fault.AlgorithmKeyMismatch},
		"GOST 2004 with the 2015 key": {gostKey(1), method(moreURI + "gost34310-gost34311"), fault.AlgorithmKeyMismatch},
		"a key that answers rubbish":  {Key{rubbish{rsaKey().Signer}, rsaKey().Certificate}, nil, fault.SignatureInvalid},
	} {
		form := Enveloped()
		form.Algorithm = c.algorithm
		d := mustParse(t, order)
		if err := Sign(d, form, c.key, d.Root, nil); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

package cms_test

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
	"io"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
)

// identity is a key with a self-signed certificate.
type identity struct {
	key  crypto.Signer
	cert []byte
}

var signingTime = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// identities are made once per test binary.
var identities = sync.OnceValue(func() map[string]identity {
	made := map[string]identity{}
	for name, generate := range map[string]func() (crypto.Signer, error){
		"RSA-2048": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"P-256":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"P-384":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"Ed25519": func() (crypto.Signer, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		},
	} {
		key, err := generate()
		if err != nil {
			panic(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1000 + int64(len(name))),
			Subject:      pkix.Name{CommonName: "Signer " + name},
			NotBefore:    signingTime.Add(-time.Hour), NotAfter: signingTime.Add(time.Hour),
			KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
			SubjectKeyId: []byte("key of " + name),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			panic(err)
		}
		made[name] = identity{key, der}
	}
	return made
})

func signed(t testing.TB, name string, change func(*cms.Template)) []byte {
	t.Helper()
	who := identities()[name]
	template := cms.Template{Content: []byte("goods declaration"), Certificate: who.cert, SigningTime: signingTime}
	if change != nil {
		change(&template)
	}
	der, err := cms.Sign(template, who.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parsed(t testing.TB, der []byte) *cms.Message {
	t.Helper()
	m, err := cms.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func certificate(t testing.TB, name string) *cert.Certificate {
	t.Helper()
	c, err := cert.Parse(identities()[name].cert)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func TestSignedMessageReadsBack(t *testing.T) {
	for _, tt := range []struct {
		name     string
		key      string
		change   func(*cms.Template)
		version  int
		detached bool
		certs    int
	}{
		{"RSA attached", "RSA-2048", nil, 1, false, 1},
		{"RSA detached", "RSA-2048", func(t *cms.Template) { t.Detached = true }, 1, true, 1},
		{"P-256", "P-256", nil, 1, false, 1},
		{"Ed25519", "Ed25519", nil, 1, false, 1},
		{"a digest of the content", "RSA-2048", func(t *cms.Template) { t.ContentDigest, t.Content = algo.SHA256.Sum(t.Content), nil }, 1, true, 1},
		{"P-384 with SHA-384", "P-384", func(t *cms.Template) { t.Digest = algo.SHA384 }, 1, false, 1},
		{"time-stamp content", "RSA-2048", func(t *cms.Template) { t.ContentType = cms.OIDTSTInfo }, 3, false, 1},
		{"no certificates", "RSA-2048", func(t *cms.Template) { t.OmitCertificates = true }, 1, false, 0},
		{"a chain", "RSA-2048", func(t *cms.Template) { t.Chain = [][]byte{identities()["P-256"].cert} }, 1, false, 2},
		{"no claimed time", "RSA-2048", func(t *cms.Template) { t.SigningTime = time.Time{} }, 1, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			template := cms.Template{SigningTime: signingTime}
			if tt.change != nil {
				tt.change(&template)
			}
			m := parsed(t, signed(t, tt.key, tt.change))
			if m.Version != tt.version || m.Detached != tt.detached || len(m.Certificates) != tt.certs || m.BER || len(m.Signers) != 1 {
				t.Fatalf("version %d, detached %v, %d certificates, BER %v, %d signers", m.Version, m.Detached, len(m.Certificates), m.BER, len(m.Signers))
			}
			s, c := m.Signers[0], certificate(t, tt.key)
			if !s.Identifier.Names(c) {
				t.Error("the signer identifier does not name the certificate")
			}
			form, err := m.Verify(s, c.PublicKey, []byte("goods declaration"))
			if err != nil || form != cms.OverAsSent {
				t.Errorf("Verify = %s, %v", form, err)
			}
			if at, err := s.SigningTime(); err != nil || !at.Equal(template.SigningTime) {
				t.Errorf("signing time %v, %v", at, err)
			}
			lists, err := s.CertificateReferences()
			if err != nil || len(lists) != 1 || len(lists[0]) != 1 {
				t.Fatalf("references %v, %v", lists, err)
			}
			if ok, err := lists[0][0].MatchesDigest(c); !ok || err != nil {
				t.Errorf("the reference does not match: %v", err)
			}
		})
	}
}

// A detached message with its content put in is the attached one.
func TestWriteAttached(t *testing.T) {
	content := bytes.Repeat([]byte("goods declaration"), 50)
	put := func(tm *cms.Template) { tm.Content, tm.Detached = content, true }
	detached := signed(t, "RSA-2048", put)
	want := signed(t, "RSA-2048", func(tm *cms.Template) { tm.Content = content }) // RSA signs the same way each time
	var got bytes.Buffer
	if err := cms.WriteAttached(&got, detached, bytes.NewReader(content), int64(len(content))); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%v\n%x\n%x", err, got.Bytes(), want)
	}
	err := cms.WriteAttached(io.Discard, want, bytes.NewReader(content), int64(len(content)))
	wantCode(t, err, fault.BadArgument)
	err = cms.WriteAttached(io.Discard, detached, bytes.NewReader(content), int64(len(content))+1)
	wantCode(t, err, fault.Unreadable)
}

func TestVerifyRefuses(t *testing.T) {
	m := parsed(t, signed(t, "RSA-2048", nil))
	s := m.Signers[0]
	rsaKey, ecKey := certificate(t, "RSA-2048").PublicKey, certificate(t, "P-256").PublicKey

	_, err := m.Verify(s, rsaKey, []byte("goods declaratiom"))
	wantCode(t, err, fault.DigestMismatch)
	_, err = m.Verify(s, ecKey, m.Content)
	wantCode(t, err, fault.AlgorithmKeyMismatch)

	broken := *s
	broken.Signature = bytes.Clone(s.Signature)
	broken.Signature[7] ^= 1
	_, err = m.Verify(&broken, rsaKey, m.Content)
	wantCode(t, err, fault.SignatureInvalid)

	other := *m
	other.ContentType = cms.OIDTSTInfo
	_, err = other.Verify(s, rsaKey, m.Content)
	wantCode(t, err, fault.ContentTypeMismatch)
}

// refuser is a key that answers with rubbish, or not at all.
type refuser struct {
	crypto.Signer
	answer []byte
}

func (r refuser) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	if r.answer == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return r.answer, nil
}

func TestSignRefuses(t *testing.T) {
	who, other := identities()["RSA-2048"], identities()["P-256"]
	template := cms.Template{Content: []byte("x"), Certificate: who.cert}
	for name, tt := range map[string]struct {
		template cms.Template
		key      crypto.Signer
		code     fault.Code
	}{
		"another's key":         {template, other.key, fault.KeyCertificateMismatch},
		"a digest, and content": {cms.Template{Content: []byte("x"), ContentDigest: make([]byte, 32), Certificate: who.cert}, who.key, fault.BadArgument},
		"a digest of SHA-1":     {cms.Template{ContentDigest: make([]byte, 20), Certificate: who.cert}, who.key, fault.BadArgument},
		"a key that fails":      {template, refuser{who.key, nil}, fault.SigningFailed},
		"a key that misleads":   {template, refuser{who.key, make([]byte, 256)}, fault.SigningFailed},
		"not a certificate":     {cms.Template{Certificate: []byte("x")}, who.key, fault.CertificateUnreadable},
		"an attribute given twice": {cms.Template{Certificate: who.cert, SignedAttributes: []cms.Attribute{
			{Type: cms.OIDContentType, Values: [][]byte{{5, 0}}},
		}}, who.key, fault.AttributeDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			der, err := cms.Sign(tt.template, tt.key)
			wantCode(t, err, tt.code)
			if der != nil {
				t.Error("a message came with the refusal")
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good := signed(t, "P-256", nil)
	enveloped := element(t, cbasn1.SEQUENCE, mustOID(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 3}))
	deep := bytes.Repeat([]byte{0x30, 0x80}, 100_000)
	for name, tt := range map[string]struct {
		in   []byte
		code fault.Code
	}{
		"empty":              {nil, fault.InputEmpty},
		"text":               {[]byte("not a signature"), fault.CMSMalformed},
		"one byte":           {[]byte{0x30}, fault.CMSMalformed},
		"truncated":          {good[:len(good)-1], fault.CMSMalformed},
		"trailing bytes":     {append(bytes.Clone(good), 0), fault.CMSMalformed},
		"enveloped data":     {enveloped, fault.CMSNotSigned},
		"nested BER":         {deep, fault.EncodingTooDeep},
		"an enormous length": {[]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x06}, fault.CMSMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cms.Parse(tt.in)
			wantCode(t, err, tt.code)
		})
	}
}

func TestParseKeepsWithinLimits(t *testing.T) {
	good := signed(t, "P-256", func(t *cms.Template) { t.Chain = [][]byte{identities()["RSA-2048"].cert} })
	stamped, err := cms.AddUnsignedAttribute(good, 0, cms.Attribute{Type: cms.OIDSignatureTimestamp, Values: [][]byte{{5, 0}, {5, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*cms.Limits)
		code   fault.Code
	}{
		"bytes":             {func(l *cms.Limits) { l.Bytes = 100 }, fault.InputTooBig},
		"signers":           {func(l *cms.Limits) { l.Signers = 0 }, fault.CMSLimit},
		"certificates":      {func(l *cms.Limits) { l.Certificates = 1 }, fault.CMSLimit},
		"digest algorithms": {func(l *cms.Limits) { l.DigestAlgorithms = 0 }, fault.CMSLimit},
		"attributes":        {func(l *cms.Limits) { l.Attributes = 3 }, fault.CMSLimit},
		"attribute values":  {func(l *cms.Limits) { l.AttributeValues = 1 }, fault.CMSLimit},
	} {
		t.Run(name, func(t *testing.T) {
			limits := cms.DefaultLimits
			tt.change(&limits)
			_, err := cms.ParseWithin(stamped, limits)
			wantCode(t, err, tt.code)
		})
	}
	if _, err := cms.Parse(stamped); err != nil {
		t.Errorf("within the limits: %v", err)
	}
}

// Floods are refused by the limit that bounds them, and quickly; one certificate
// that is huge is none of the message's business.
func TestFloods(t *testing.T) {
	good := signed(t, "P-256", nil)
	signer := parsed(t, good).Signers[0].Raw
	many := bytes.Repeat(signer, 10_000)
	huge := element(t, cbasn1.SEQUENCE, element(t, cbasn1.OCTET_STRING, make([]byte, 1<<20)))
	for name, tt := range map[string]struct {
		in   []byte
		code fault.Code
	}{
		"10,000 signers":          {signedData(t, nil, many), fault.CMSLimit},
		"10,000 certificates":     {signedData(t, bytes.Repeat(element(t, cbasn1.SEQUENCE), 10_000), signer), fault.CMSLimit},
		"a certificate of 1 MiB":  {signedData(t, huge, signer), ""},
		"a signer 100,000 deep":   {signedData(t, nil, bytes.Repeat([]byte{0x30, 0x80}, 100_000)), fault.EncodingTooDeep},
		"no signer, as a bundle":  {signedData(t, huge, nil), ""},
		"a signer without fields": {signedData(t, nil, element(t, cbasn1.SEQUENCE)), fault.CMSMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cms.Parse(tt.in)
			if tt.code == "" && err != nil {
				t.Error(err)
			}
			if tt.code != "" {
				wantCode(t, err, tt.code)
			}
		})
	}
}

// signedData is a detached message with these certificates and signers.
func signedData(t testing.TB, certificates, signers []byte) []byte {
	t.Helper()
	explicit := cbasn1.Tag(0).ContextSpecific().Constructed()
	return element(t, cbasn1.SEQUENCE, mustOID(t, cms.OIDSignedData), element(t, explicit, element(t, cbasn1.SEQUENCE,
		[]byte{2, 1, 1}, element(t, cbasn1.SET), element(t, cbasn1.SEQUENCE, mustOID(t, cms.OIDData)),
		element(t, explicit, certificates), element(t, cbasn1.SET, signers))))
}

// A signer that sends its attributes in another order than it signed them in.
func TestAttributesOutOfOrderHoldOverDER(t *testing.T) {
	good := signed(t, "P-256", nil)
	attributes := parsed(t, good).Signers[0].SignedAttributes
	sent := make([][]byte, len(attributes))
	for i, a := range attributes {
		sent[len(attributes)-1-i] = a.Raw
	}
	asSent := bytes.Join(sent, nil)
	slices.Reverse(sent)
	reordered := bytes.Replace(good, bytes.Join(sent, nil), asSent, 1)
	if bytes.Equal(reordered, good) {
		t.Fatal("nothing was reordered")
	}
	m := parsed(t, reordered)
	key := certificate(t, "P-256").PublicKey
	if form, err := m.Verify(m.Signers[0], key, m.Content); err != nil || form != cms.OverDER {
		t.Errorf("Verify = %s, %v; want it to hold over DER", form, err)
	}
}

func TestAddUnsignedAttributeKeepsEverything(t *testing.T) {
	original := signed(t, "RSA-2048", nil)
	attribute := cms.Attribute{Type: cms.OIDSignatureTimestamp, Values: [][]byte{{4, 3, 'o', 'n', 'e'}}}
	once, err := cms.AddUnsignedAttribute(original, 0, attribute)
	if err != nil {
		t.Fatal(err)
	}
	attribute.Values = [][]byte{{4, 3, 't', 'w', 'o'}}
	twice, err := cms.AddUnsignedAttribute(once, 0, attribute)
	if err != nil {
		t.Fatal(err)
	}
	before, after := parsed(t, original), parsed(t, twice)
	if !bytes.Contains(twice, original[len(original)-500:]) && !bytes.Equal(before.Signers[0].SignedAttributesAsSet(), after.Signers[0].SignedAttributesAsSet()) {
		t.Error("the signed attributes changed")
	}
	for name, pair := range map[string][2][]byte{
		"content":     {before.Content, after.Content},
		"certificate": {before.Certificates[0], after.Certificates[0]},
		"value":       {before.Signers[0].Signature, after.Signers[0].Signature},
		"attributes":  {before.Signers[0].SignedAttributesAsSet(), after.Signers[0].SignedAttributesAsSet()},
	} {
		if !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("%s changed", name)
		}
	}
	found := after.Signers[0].Unsigned(cms.OIDSignatureTimestamp)
	if len(found) != 2 || string(found[0].Values[0]) != "\x04\x03one" || string(found[1].Values[0]) != "\x04\x03two" {
		t.Errorf("unsigned attributes %q", found)
	}
	_, err = cms.AddUnsignedAttribute(original, 1, attribute)
	wantCode(t, err, fault.BadArgument)
	_, err = cms.AddUnsignedAttribute(inBER(t, original), 0, attribute)
	wantCode(t, err, fault.NotAvailable)
}

func TestBERMessageIsConverted(t *testing.T) {
	m := parsed(t, inBER(t, signed(t, "P-256", nil)))
	if !m.BER {
		t.Error("BER was not noticed")
	}
	if form, err := m.Verify(m.Signers[0], certificate(t, "P-256").PublicKey, m.Content); err != nil || form != cms.OverAsSent {
		t.Errorf("Verify = %s, %v", form, err)
	}
}

// Attributes that RFC 5652 §11 forbids.
func TestSignedAttributesMustBeSingle(t *testing.T) {
	null := []byte{5, 0}
	for name, tt := range map[string]struct {
		attributes []cms.Attribute
		code       fault.Code
	}{
		"twice": {[]cms.Attribute{
			{Type: cms.OIDMessageDigest, Values: [][]byte{{4, 1, 1}}},
			{Type: cms.OIDMessageDigest, Values: [][]byte{{4, 1, 2}}},
		}, fault.AttributeDuplicate},
		"two values": {[]cms.Attribute{{Type: cms.OIDMessageDigest, Values: [][]byte{{4, 1, 1}, {4, 1, 2}}}}, fault.AttributeMalformed},
		"no value":   {[]cms.Attribute{{Type: cms.OIDMessageDigest}}, fault.AttributeMalformed},
		"wrong type": {[]cms.Attribute{{Type: cms.OIDMessageDigest, Values: [][]byte{null}}}, fault.AttributeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			s := &cms.Signer{SignedAttributes: tt.attributes}
			_, err := s.MessageDigest()
			wantCode(t, err, tt.code)
		})
	}
	s := &cms.Signer{SignedAttributes: []cms.Attribute{
		{Type: cms.OIDContentType, Values: [][]byte{null}},
		{Type: cms.OIDSigningTime, Values: [][]byte{null}},
		{Type: cms.OIDSigningCertificateV2, Values: [][]byte{null}},
	}}
	_, err := s.ContentType()
	wantCode(t, err, fault.AttributeMalformed)
	_, err = s.SigningTime()
	wantCode(t, err, fault.AttributeMalformed)
	_, err = s.CertificateReferences()
	wantCode(t, err, fault.AttributeMalformed)
}

// Revocation information travels beside the certificates: CRLs, OCSP answers
// (RFC 5940), and what nobody here knows.
func TestRevocationInformationIsKeptRaw(t *testing.T) {
	good := signed(t, "P-256", nil)
	crl, answer := element(t, cbasn1.SEQUENCE, []byte{5, 0}), element(t, cbasn1.SEQUENCE, []byte{2, 1, 7})
	other := func(format asn1.ObjectIdentifier) []byte {
		return element(t, cbasn1.Tag(1).ContextSpecific().Constructed(), slices.Concat(mustOID(t, format), answer))
	}
	set := element(t, cbasn1.Tag(1).ContextSpecific().Constructed(), slices.Concat(
		crl, other(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 16, 2}), other(asn1.ObjectIdentifier{1, 2, 3}),
	))
	info := parsed(t, good).Signers[0].Raw
	body := slices.Concat(headOf(t, good), set, element(t, cbasn1.SET, info))
	message := element(t, cbasn1.SEQUENCE, slices.Concat(mustOID(t, cms.OIDSignedData),
		element(t, cbasn1.Tag(0).ContextSpecific().Constructed(), element(t, cbasn1.SEQUENCE, body))))
	m := parsed(t, message)
	if len(m.CRLs) != 1 || !bytes.Equal(m.CRLs[0], crl) || len(m.OCSPs) != 1 || !bytes.Equal(m.OCSPs[0], answer) || m.OtherRevocation != 1 {
		t.Errorf("CRLs %x, OCSP %x, %d others", m.CRLs, m.OCSPs, m.OtherRevocation)
	}
}

// headOf gives the fields of a SignedData before crls, of a message that has
// none.
func headOf(t testing.TB, der []byte) []byte {
	t.Helper()
	s := cryptobyte.String(der)
	var info, body cryptobyte.String
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.OBJECT_IDENTIFIER) ||
		!info.ReadASN1(&body, cbasn1.Tag(0).ContextSpecific().Constructed()) || !body.ReadASN1(&body, cbasn1.SEQUENCE) {
		t.Fatal("not a SignedData")
	}
	signers := element(t, cbasn1.SET, parsed(t, der).Signers[0].Raw)
	return body[:len(body)-len(signers)]
}

// inBER wraps the outermost elements of a message in indefinite lengths, as
// Java tools write them.
func inBER(t testing.TB, der []byte) []byte {
	t.Helper()
	s := cryptobyte.String(der)
	var info, oid, wrapped, body cryptobyte.String
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Element(&oid, cbasn1.OBJECT_IDENTIFIER) ||
		!info.ReadASN1(&wrapped, cbasn1.Tag(0).ContextSpecific().Constructed()) || !wrapped.ReadASN1(&body, cbasn1.SEQUENCE) {
		t.Fatal("not a SignedData")
	}
	return slices.Concat([]byte{0x30, 0x80}, oid, []byte{0xa0, 0x80, 0x30, 0x80}, body, make([]byte, 6))
}

func element(t testing.TB, tag cbasn1.Tag, parts ...[]byte) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(parts, nil)) })
	der, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func mustOID(t testing.TB, oid asn1.ObjectIdentifier) []byte {
	t.Helper()
	der, err := asn1.Marshal(oid)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// FuzzParse looks for panics, and for a message that reads differently once it
// is written again.
func FuzzParse(f *testing.F) {
	good := signed(f, "P-256", nil)
	f.Add(good)
	f.Add(signed(f, "RSA-2048", func(t *cms.Template) { t.Detached = true }))
	f.Add(inBER(f, good))
	f.Add([]byte{0x30, 0x80, 0x30, 0x80})
	key := certificate(f, "P-256").PublicKey
	content := parsed(f, good).Content
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := cms.Parse(in)
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		for i, s := range m.Signers {
			_, _ = s.SigningTime()
			_, _ = s.CertificateReferences()
			if _, err := m.Verify(s, key, m.Content); err == nil && !bytes.Equal(m.Content, content) {
				t.Error("a signature holds over content that nobody signed")
			}
			if m.BER {
				continue
			}
			again, err := cms.AddUnsignedAttribute(in, i, cms.Attribute{Type: cms.OIDSignatureTimestamp, Values: [][]byte{{5, 0}}})
			if err != nil {
				continue // one more may exceed a limit
			}
			if changed := parsed(t, again); !bytes.Equal(changed.Signers[i].SignedAttributesAsSet(), s.SignedAttributesAsSet()) {
				t.Error("the signed attributes changed")
			}
		}
	})
}

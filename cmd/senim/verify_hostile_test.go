package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

// hostileFile is a document as somebody hostile would send it, with what both
// entries must say of it.
type hostileFile struct {
	document   []byte
	indication verifier.Indication
	sub        verifier.SubIndication
	code       fault.Code // among the errors or warnings; of the refusal if there is no indication
}

// forge is a message that cms.Sign would never make, with a signature of a key
// that is good: what is wrong is only what it says.
type forge struct {
	key         crypto.Signer // of P-256
	certificate []byte
	name        []byte // its issuer and serial number
	more        [][]byte
}

var (
	explicitTag = cbasn1.Tag(0).ContextSpecific().Constructed()
	sha256ID    = der(cbasn1.SEQUENCE, oid(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}))
	ecdsaID     = der(cbasn1.SEQUENCE, oid(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}))
)

func der(tag cbasn1.Tag, parts ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(parts...)) })
	return b.BytesOrPanic()
}

func oid(id asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(id)
	return b.BytesOrPanic()
}

func attributeOf(id asn1.ObjectIdentifier, value []byte) []byte {
	return der(cbasn1.SEQUENCE, oid(id), der(cbasn1.SET, value))
}

// signer signs attributes.
func (f forge) signer(t *testing.T, attributes, unsigned [][]byte) []byte {
	t.Helper()
	sum := sha256.Sum256(der(cbasn1.SET, attributes...))
	value, err := f.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	check(t, err)
	info := [][]byte{{2, 1, 1}, f.name, sha256ID, der(explicitTag, attributes...), ecdsaID, der(cbasn1.OCTET_STRING, value)}
	if unsigned != nil {
		info = append(info, der(cbasn1.Tag(1).ContextSpecific().Constructed(), unsigned...))
	}
	return der(cbasn1.SEQUENCE, info...)
}

// message puts signers into a message over a content of a type.
func (f forge) message(contentType asn1.ObjectIdentifier, content []byte, certificates [][]byte, signers ...[]byte) []byte {
	return der(cbasn1.SEQUENCE, oid(cms.OIDSignedData), der(explicitTag, der(cbasn1.SEQUENCE,
		[]byte{2, 1, 1}, der(cbasn1.SET, sha256ID),
		der(cbasn1.SEQUENCE, oid(contentType), der(explicitTag, der(cbasn1.OCTET_STRING, content))),
		der(explicitTag, certificates...),
		der(cbasn1.SET, signers...))))
}

// hostileFiles are what a good key can be made to sign, or nobody.
func (tr trader) hostileFiles(t *testing.T) map[string]hostileFile {
	t.Helper()
	read := func(path string) []byte {
		raw, err := os.ReadFile(path)
		check(t, err)
		block, _ := pem.Decode(raw)
		return block.Bytes
	}
	key, err := x509.ParsePKCS8PrivateKey(read(tr.key))
	check(t, err)
	raw := read(tr.cert)
	certificate, err := x509.ParseCertificate(raw)
	check(t, err)
	serial, err := asn1.Marshal(certificate.SerialNumber)
	check(t, err)
	f := forge{key: key.(crypto.Signer), certificate: raw, name: der(cbasn1.SEQUENCE, certificate.RawIssuer, serial)}

	content := []byte("declaration")
	sum, sumOfCertificate := sha256.Sum256(content), sha256.Sum256(raw)
	contentType, digest := attributeOf(cms.OIDContentType, oid(cms.OIDData)), attributeOf(cms.OIDMessageDigest, der(cbasn1.OCTET_STRING, sum[:]))
	reference := attributeOf(cms.OIDSigningCertificateV2, der(cbasn1.SEQUENCE, der(cbasn1.SEQUENCE, der(cbasn1.SEQUENCE, der(cbasn1.OCTET_STRING, sumOfCertificate[:])))))
	claimed := attributeOf(cms.OIDSigningTime, append([]byte{0x17, 13}, "200101000000Z"...))
	good := [][]byte{contentType, digest, reference}
	own := [][]byte{raw}
	signer := f.signer(t, good, nil)
	message := func(attributes, unsigned [][]byte) []byte {
		return f.message(cms.OIDData, content, own, f.signer(t, attributes, unsigned))
	}
	sound := message(good, nil)
	huge := largeCertificate(t, f.key)
	const passed, failed, open = verifier.TotalPassed, verifier.TotalFailed, verifier.Indeterminate
	return map[string]hostileFile{
		"nothing wrong":                      {sound, passed, "", ""},
		"a digest, and another content type": {f.message(asn1.ObjectIdentifier{1, 2, 3}, content, own, signer), failed, verifier.FormatFailure, fault.ContentTypeMismatch},
		"two references":                     {message([][]byte{contentType, digest, reference, reference}, nil), open, verifier.SigConstraintsFailure, fault.AttributeDuplicate},
		"unsigned, and as if signed":         {message(good, [][]byte{claimed}), passed, "", fault.AttributeNotSigned},
		"no certificate":                     {f.message(cms.OIDData, content, nil, signer), open, verifier.NoSigningCertificate, fault.SignerCertificateMissing},
		"a duplicated attribute":             {message([][]byte{contentType, digest, digest, reference}, nil), failed, verifier.FormatFailure, fault.AttributeDuplicate},
		"trailing bytes":                     {append(bytes.Clone(sound), 0), "", "", fault.CMSMalformed},
		"two messages":                       {append(bytes.Clone(sound), sound...), "", "", fault.CMSMalformed},
		"a certificate of 1 MiB":             {f.message(cms.OIDData, content, [][]byte{raw, huge}, signer), passed, "", ""},
		"10,000 signers":                     {f.message(cms.OIDData, content, own, slices.Repeat([][]byte{signer}, 10_000)...), "", "", fault.CMSLimit},
		"BER nested 100,000 deep":            {append([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"), bytes.Repeat([]byte{0x30, 0x80}, 100_000)...), "", "", fault.EncodingTooDeep},
		"no signature":                       {f.message(cms.OIDData, content, own), "", "", fault.NoSignature},
		"nothing":                            {nil, "", "", fault.InputEmpty},
	}
}

// largeCertificate is one of a megabyte, with the most of it in an extension
// that nobody knows.
func largeCertificate(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Large"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: der(cbasn1.OCTET_STRING, make([]byte, 1<<20))}},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	return raw
}

func (h hostileFile) judged(t *testing.T, r *verifier.Report) {
	t.Helper()
	s := r.Signatures[0]
	if r.Indication != h.indication || r.SubIndication != h.sub {
		t.Errorf("%s/%s, want %s/%s: %v", r.Indication, r.SubIndication, h.indication, h.sub, s.Errors)
	}
	named := func(m verifier.Message) bool { return m.Code == h.code }
	if h.code != "" && !slices.ContainsFunc(s.Errors, named) && !slices.ContainsFunc(s.Warnings, named) {
		t.Errorf("%s is not said: %v %v", h.code, s.Errors, s.Warnings)
	}
}

// Hostile files by the command line: each has its sub-indication, or no verdict
// and its code, and never success.
func TestVerifyHostileFiles(t *testing.T) {
	tr := newTrader(t)
	for name, h := range tr.hostileFiles(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hostile.p7m")
			check(t, os.WriteFile(path, h.document, 0o600))
			code, stdout, stderr := senimVerify(t, fault.English, "--json", "--anchors", tr.root, "--crls", tr.crl, path)
			if h.indication == "" {
				if code != exitBadInput || stdout != "" || !bytes.Contains([]byte(stderr), []byte(h.code)) {
					t.Errorf("exit %d, stdout %q, stderr %q; want %s", code, stdout, stderr, h.code)
				}
				return
			}
			var r verifier.Report
			check(t, json.Unmarshal([]byte(stdout), &r))
			h.judged(t, &r)
			if want := verdictExit(&r); code != want {
				t.Errorf("exit %d, want %d", code, want)
			}
		})
	}
}

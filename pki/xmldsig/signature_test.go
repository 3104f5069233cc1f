package xmldsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// key issues a self-signed certificate; trust is not this package's matter.
func newKey(signer crypto.Signer, err error) Key {
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "xmldsig test"},
		NotBefore: time.Unix(1.7e9, 0), NotAfter: time.Unix(2.1e9, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		panic(err)
	}
	c, err := cert.Parse(der)
	if err != nil {
		panic(err)
	}
	return Key{Signer: signer, Certificate: c}
}

var (
	rsaKey   = sync.OnceValue(func() Key { return newKey(rsa.GenerateKey(rand.Reader, 2048)) })
	otherKey = sync.OnceValue(func() Key { return newKey(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() Key { return newKey(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

const order = `<o:order xmlns:o="urn:order" xmlns:unused="urn:u" xml:lang="kk"><!-- note --><o:sum currency="KZT">12<!-- 0 -->5</o:sum>` +
	`<o:text a="&quot;x&#10;">Қ&amp;&#13;</o:text><?pi data?></o:order>`

const envelope = `<s:Envelope xmlns:s="urn:soap" xmlns:wsu="` + WSUSpace + `" xmlns="urn:default" xml:lang="kk"><s:Header/>` +
	`<s:Body wsu:Id="id-1"><m xmlns=""><a>1</a><!-- c --></m><n q="2"/></s:Body></s:Envelope>`

func signedPayload(t testing.TB, k Key) string {
	t.Helper()
	d := mustParse(t, order)
	if err := Sign(d, Enveloped(), k, d.Root, nil); err != nil {
		t.Fatal(err)
	}
	return written(t, d)
}

func signedEnvelope(t testing.TB, k Key) string {
	t.Helper()
	d := mustParse(t, envelope)
	if err := Sign(d, WSSecurity(), k, d.Root.Child("urn:soap", "Header"), d.Root.Child("urn:soap", "Body")); err != nil {
		t.Fatal(err)
	}
	return written(t, d)
}

func written(t testing.TB, d *Document) string {
	t.Helper()
	text, err := Method{Comments: true}.Canonical(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func verifyPayload(t testing.TB, text string) (*Verified, error) {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		return nil, err
	}
	return Verify(d, Policy{Parent: d.Root})
}

// verifyEnvelope finds Header and Body by place, as a SOAP reader does.
func verifyEnvelope(t testing.TB, text string) (*Verified, error) {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		return nil, err
	}
	children := d.Root.Elements()
	return Verify(d, Policy{Parent: children[0], Target: children[len(children)-1], KeyInfo: SecurityToken})
}

func TestSignedVerifies(t *testing.T) {
	for name, k := range map[string]Key{"RSA": rsaKey(), "ECDSA": ecKey(), "Ed25519": edKey(), "GOST 2004": gostKey(0), "GOST 2015": gostKey(1)} {
		v, err := verifyPayload(t, signedPayload(t, k))
		if err != nil {
			t.Fatalf("%s payload: %v", name, err)
		}
		if sum := v.Element.Child("urn:order", "sum").Text(); sum != "125" || len(v.Element.All(Space, "Signature")) != 0 {
			t.Errorf("%s: sum = %q, element %v", name, sum, v.Element)
		}
		if !v.Certificate.Equal(k.Certificate) || strings.Contains(string(v.Octets), "<!--") {
			t.Errorf("%s: certificate %v, octets %s", name, v.Certificate.Subject, v.Octets)
		}
		v, err = verifyEnvelope(t, signedEnvelope(t, k))
		if err != nil {
			t.Fatalf("%s envelope: %v", name, err)
		}
		if !v.Element.Is("urn:soap", "Body") || v.Element.Child("", "m").Child("", "a").Text() != "1" {
			t.Errorf("%s: body %s", name, v.Octets)
		}
	}
}

// A transport of the text that XML does not see must not break the signature.
func TestVerifyIgnoresWhatXMLIgnores(t *testing.T) {
	text := signedPayload(t, rsaKey())
	for name, changed := range map[string]string{
		"declaration":  "<?xml version='1.0' encoding='UTF-8'?>\r\n" + text,
		"comment":      strings.Replace(text, "<!-- note -->", "<!-- another --><!-- two -->", 1),
		"quotes":       strings.Replace(text, `currency="KZT"`, `currency = 'KZT'`, 1),
		"reference":    strings.Replace(text, "KZT", "K&#90;T", 1),
		"after":        text + "\n<!-- end -->",
		"CR in base64": strings.Replace(text, "<ds:SignatureValue>", "<ds:SignatureValue>&#13;\n ", 1),
	} {
		if _, err := verifyPayload(t, changed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	payload, message := signedPayload(t, rsaKey()), signedEnvelope(t, rsaKey())
	signatureOf := func(text string) string {
		return text[strings.Index(text, "<ds:Signature "):][:strings.Index(text, "</ds:Signature>")-strings.Index(text, "<ds:Signature ")+len("</ds:Signature>")]
	}
	body := message[strings.Index(message, "<s:Body"):strings.Index(message, "</s:Envelope>")]
	certificate := base64.StdEncoding.EncodeToString(rsaKey().Certificate.Raw)
	type row struct {
		text, old, new string
		code           fault.Code
	}
	for name, c := range map[string]row{
		"content changed":            {payload, `currency="KZT"`, `currency="USD"`, fault.XMLDigestMismatch},
		"content added":              {payload, "<o:text", "<o:more></o:more><o:text", fault.XMLDigestMismatch},
		"instruction added":          {payload, "</o:order>", "</o:order><?more?>", fault.XMLDigestMismatch},
		"no signature":               {payload, signatureOf(payload), "", fault.XMLSignatureMissing},
		"signature deeper":           {payload, signatureOf(payload), "<o:x>" + signatureOf(payload) + "</o:x>", fault.XMLSignatureMissing},
		"two signatures":             {payload, signatureOf(payload), signatureOf(payload) + signatureOf(payload), fault.XMLSignatureAmbiguous},
		"signature value changed":    {payload, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA", fault.SignatureInvalid},
		"signature value empty":      {payload, "<ds:SignatureValue>", "<ds:SignatureValue/><ds:SignatureValue>", fault.XMLSignatureStructure},
		"SignedInfo changed":         {payload, `<ds:Reference URI="">`, `<ds:Reference Id="x" URI="">`, fault.SignatureInvalid},
		"an Object":                  {payload, "</ds:Signature>", "<ds:Object></ds:Object></ds:Signature>", fault.XMLSignatureStructure},
		"text between":               {payload, "<ds:KeyInfo>", "x<ds:KeyInfo>", fault.XMLSignatureStructure},
		"no KeyInfo":                 {payload, "ds:KeyInfo", "ds:KeyInf", fault.XMLSignatureStructure},
		"another certificate":        {payload, certificate, base64.StdEncoding.EncodeToString(otherKey().Certificate.Raw), fault.SignatureInvalid},
		"a certificate of EC":        {payload, certificate, base64.StdEncoding.EncodeToString(ecKey().Certificate.Raw), fault.AlgorithmKeyMismatch},
		"a broken certificate":       {payload, certificate, "MAAA", fault.XMLKeyMissing},
		"not base64":                 {payload, certificate, "****", fault.XMLSignatureStructure},
		"no certificate":             {payload, "X509Certificate", "X509SubjectName", fault.XMLKeyMissing},
		"certificate in other form":  {message, "wsse:KeyIdentifier", "wsse:Embedded", fault.XMLKeyMissing},
		"another token type":         {message, "#X509v3", "#X509PKIPathv1", fault.XMLKeyMissing},
		"two References":             {payload, "</ds:Reference>", "</ds:Reference><ds:Reference></ds:Reference>", fault.XMLSignatureAmbiguous},
		"no Reference":               {payload, "ds:Reference", "ds:Referenc", fault.XMLSignatureStructure},
		"Reference without URI":      {payload, `<ds:Reference URI="">`, `<ds:Reference>`, fault.XMLSignatureReference},
		"Reference to a file":        {payload, `URI=""`, `URI="file:///etc/hostname"`, fault.XMLSignatureReference},
		"Reference by XPointer":      {payload, `URI=""`, `URI="#xpointer(/)"`, fault.XMLSignatureReference},
		"Reference to an Id":         {payload, `URI=""`, `URI="#a"`, fault.XMLSignatureReference},
		"Reference with a Type":      {payload, `URI=""`, `Type="x" URI=""`, fault.XMLSignatureStructure},
		"Reference to nothing":       {message, `URI="#id-1"`, `URI="#id-2"`, fault.XMLSignatureReference},
		"Reference to an empty Id":   {message, `URI="#id-1"`, `URI="#"`, fault.XMLSignatureReference},
		"whole message referenced":   {message, `URI="#id-1"`, `URI=""`, fault.XMLSignatureReference},
		"the Id is elsewhere":        {message, `<s:Body wsu:Id="id-1"`, `<s:Body wsu:id="id-1"`, fault.XMLSignatureReference},
		"the Id occurs twice":        {message, `<n q="2">`, `<n Id="id-1" q="2">`, fault.XMLDuplicateID},
		"an element with two Ids":    {message, `<n q="2">`, `<n Id="a" wsu:Id="b" q="2">`, fault.XMLDuplicateID},
		"Body moved, another parsed": {message, body, `<x>` + body + `</x><s:Body wsu:Id="id-2"><m/></s:Body>`, fault.XMLSignatureReference},
		"Body moved, Id taken":       {message, body, `<x>` + body + `</x><s:Body wsu:Id="id-1"><m/></s:Body>`, fault.XMLDuplicateID},
		"Body moved into an Object": {message, body + "</s:Envelope>", `<s:Body><m/></s:Body></s:Envelope>`,
			fault.XMLSignatureReference},
		"transform XPath": {payload, InclusiveWithCommentsURI, "http://www.w3.org/TR/1999/REC-xpath-19991116", fault.XMLTransform},
		"transform XSLT":  {payload, envelopedURI, "http://www.w3.org/TR/1999/REC-xslt-19991116", fault.XMLTransform},
		"transform base64": {payload, `<ds:Transform Algorithm="` + envelopedURI + `"></ds:Transform>`,
			`<ds:Transform Algorithm="` + Space + `base64"></ds:Transform>`, fault.XMLTransform},
		"no enveloped": {payload, `<ds:Transform Algorithm="` + envelopedURI + `"></ds:Transform>`, "", fault.XMLTransform},
		"enveloped where it is not": {message, `<ds:Transforms>`, `<ds:Transforms><ds:Transform Algorithm="` + envelopedURI + `"/>`,
			fault.XMLTransform},
		"enveloped twice": {payload, `<ds:Transforms>`, `<ds:Transforms><ds:Transform Algorithm="` + envelopedURI + `"/>`, fault.XMLTransform},
		"no canonicalisation": {payload, `<ds:Transform Algorithm="` + InclusiveWithCommentsURI + `"></ds:Transform>`, "",
			fault.XMLTransform},
		"Canonical XML 1.1":   {payload, `<ds:CanonicalizationMethod Algorithm="` + InclusiveURI, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11`, fault.XMLTransform},
		"a transform of ours": {payload, `<ds:Transforms>`, `<ds:Transforms><x/>`, fault.XMLSignatureStructure},
		"parameter of inclusive": {payload, `<ds:CanonicalizationMethod Algorithm="` + InclusiveURI + `">`,
			`<ds:CanonicalizationMethod Algorithm="` + InclusiveURI + `"><x/>`, fault.XMLSignatureStructure},
		"HMACOutputLength": {payload, `rsa-sha256">`, `rsa-sha256"><ds:HMACOutputLength>1</ds:HMACOutputLength>`, fault.XMLSignatureStructure},
		"HMAC":             {payload, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Space + "hmac-sha1", fault.AlgorithmUnsupported},
		"RSA with SHA-1":   {payload, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Space + "rsa-sha1", fault.XMLAlgorithmWeak},
		"digest SHA-1":     {payload, "http://www.w3.org/2001/04/xmlenc#sha256", Space + "sha1", fault.XMLAlgorithmWeak},
		"digests disagree": {payload, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmlenc#sha512", fault.AlgorithmMismatch},
		"GOST signature": {payload, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
			"urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-512", fault.AlgorithmMismatch},
		"GOST digest": {payload, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#gost34311", fault.AlgorithmMismatch},
		"DOCTYPE":     {payload, "<o:order", "<!DOCTYPE x><o:order", fault.XMLDoctype},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(c.text, c.old) {
				t.Fatalf("%q does not occur", c.old)
			}
			changed := strings.ReplaceAll(c.text, c.old, c.new)
			verify := verifyPayload
			if c.text == message {
				verify = verifyEnvelope
			}
			if v, err := verify(t, changed); !fault.Is(err, c.code) || v != nil {
				t.Errorf("err = %v, want %s; verified = %v", err, c.code, v)
			}
		})
	}
}

// An element may be named by Id and hold its own signature.
func TestSignedInsideItsTarget(t *testing.T) {
	d := mustParse(t, `<r xmlns:w="`+WSUSpace+`"><b Id="x"><c/></b></r>`)
	b := d.Root.Elements()[0]
	if err := Sign(d, Enveloped(), rsaKey(), b, b); err != nil {
		t.Fatal(err)
	}
	d = mustParse(t, written(t, d))
	b = d.Root.Elements()[0]
	v, err := Verify(d, Policy{Parent: b, Target: b})
	if err != nil || len(v.Element.Elements()) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := Verify(d, Policy{Target: b}); !fault.Is(err, fault.XMLSignatureMissing) {
		t.Errorf("no parent: %v", err)
	}
}

// Whatever one byte is changed to, the message is refused or means what was
// signed.
func TestNoMutationChangesWhatIsVerified(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		verify func(testing.TB, string) (*Verified, error)
	}{
		"payload": {signedPayload(t, rsaKey()), verifyPayload}, "envelope": {signedEnvelope(t, rsaKey()), verifyEnvelope},
	} {
		want, err := c.verify(t, c.text)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(r *rapid.T) {
			at := rapid.IntRange(0, len(c.text)-1).Draw(r, "at")
			cut := rapid.IntRange(0, 1).Draw(r, "cut")
			put := rapid.SampledFrom([]string{"", "a", "0", " ", "<", ">", "/", "\"", ":", "&#10;", "<!---->", "<x/>", " Id='id-1'", " xmlns='urn:e'"}).Draw(r, "put")
			changed := c.text[:at] + put + c.text[at+cut:]
			if v, err := c.verify(t, changed); err == nil && !bytes.Equal(v.Octets, want.Octets) {
				r.Fatalf("%s: %q was verified as %q", name, changed, v.Octets)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	d := mustParse(t, envelope)
	header, body := d.Root.Elements()[0], d.Root.Elements()[1]
	mixed := Key{Signer: rsaKey().Signer, Certificate: otherKey().Certificate}
	if err := Sign(d, WSSecurity(), mixed, header, body); !fault.Is(err, fault.AlgorithmKeyMismatch) {
		t.Errorf("another key's certificate: %v", err)
	}
	if err := Sign(d, WSSecurity(), rsaKey(), header, header); !fault.Is(err, fault.BadArgument) {
		t.Errorf("no Id: %v", err)
	}
}

func xmlsec1(t *testing.T, arguments ...string) ([]byte, error) {
	t.Helper()
	program, err := exec.LookPath("xmlsec1")
	if err != nil {
		t.Skip("xmlsec1 is not installed (apt-get install xmlsec1)")
	}
	return exec.Command(program, arguments...).CombinedOutput()
}

func tempFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestXmlsec1AcceptsOurs(t *testing.T) {
	for name, k := range map[string]Key{"RSA": rsaKey(), "ECDSA": ecKey()} {
		certificate := tempFile(t, "cert.pem", encodePEM("CERTIFICATE", k.Certificate.Raw))
		for form, text := range map[string]string{"payload": signedPayload(t, k), "envelope": signedEnvelope(t, k)} {
			out, err := xmlsec1(t, "--verify", "--pubkey-cert-pem", certificate, "--enabled-key-data", "key-name",
				"--id-attr:Id", "urn:soap:Body", tempFile(t, "signed.xml", []byte(text)))
			if err != nil {
				t.Errorf("%s %s: %v\n%s\n%s", name, form, err, out, text)
			}
		}
	}
}

// xmlsec1 fills in templates with methods and inputs that ours do not write.
func TestWeAcceptXmlsec1(t *testing.T) {
	private, err := x509.MarshalPKCS8PrivateKey(rsaKey().Signer)
	if err != nil {
		t.Fatal(err)
	}
	key := tempFile(t, "key.pem", encodePEM("PRIVATE KEY", private))
	certificate := tempFile(t, "cert.pem", encodePEM("CERTIFICATE", rsaKey().Certificate.Raw))
	for _, c := range []struct{ name, signedInfo, content string }{
		{"exclusive", ExclusiveURI + `">`, ExclusiveURI + `">`},
		{"inclusive", InclusiveURI + `">`, InclusiveURI + `">`},
		{"with comments", InclusiveWithCommentsURI + `">`, InclusiveWithCommentsURI + `">`},
		{"exclusive with comments", ExclusiveWithCommentsURI + `">`, ExclusiveWithCommentsURI + `">`},
		{"prefix list", ExclusiveURI + `">`, ExclusiveURI + `"><ec:InclusiveNamespaces xmlns:ec="` + ExclusiveURI + `" PrefixList="u p #default"/>`},
	} {
		for _, id := range []string{"", "#body"} {
			enveloped := `<ds:Transform Algorithm="` + envelopedURI + `"/>`
			if id != "" {
				enveloped = ""
			}
			signature := `<ds:Signature xmlns:ds="` + Space + `"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + c.signedInfo +
				`</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="` +
				id + `"><ds:Transforms>` + enveloped + `<ds:Transform Algorithm="` + c.content + `</ds:Transform></ds:Transforms>` +
				`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>` +
				`<ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature>`
			text := `<?xml version="1.0" encoding="UTF-8"?><!-- before --><?x y?>` + "\n" +
				`<r xmlns="urn:d" xmlns:p="urn:p" xmlns:q='urn:q' xmlns:u="urn:u" xml:lang="kk" xml:space="default">` + "\r\n" +
				`<p:h>` + signature + `</p:h><p:b Id="body" u:z='1' q:a="2	&#9;" b='"'><!-- c --><c xmlns=""/>` +
				`<q:d xmlns:q="urn:q"/><![CDATA[<&]]>&#13;&gt;</p:b></r><!-- after -->`
			out, err := xmlsec1(t, "--sign", "--privkey-pem", key+","+certificate, "--id-attr:Id", "urn:p:b",
				tempFile(t, "template.xml", []byte(text)))
			if err != nil {
				t.Fatalf("%s: %v\n%s", c.name, err, out)
			}
			d := mustParse(t, string(out))
			policy := Policy{Parent: d.Root.Child("urn:p", "h")}
			if id != "" {
				policy.Target = d.Root.Child("urn:p", "b")
			}
			if _, err := Verify(d, policy); err != nil {
				t.Errorf("%s %q: %v\n%s", c.name, id, err, out)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(signedPayload(f, rsaKey())))
	f.Add([]byte(signedEnvelope(f, rsaKey())))
	f.Fuzz(func(t *testing.T, input []byte) {
		d, err := Parse(input, Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		// What verifies must say who signed and what: never half a result.
		for _, p := range []Policy{{Parent: d.Root}, {Parent: d.Root, KeyInfo: SecurityToken, Target: d.Root}} {
			if v, err := Verify(d, p); err == nil && (v.Certificate == nil || v.Element == nil) {
				t.Fatalf("verified without signer or content: %q", input)
			}
		}
	})
}

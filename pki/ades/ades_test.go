package ades_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
)

// message is a signed message with two certificates and the given unsigned
// attributes.
func message(t testing.TB, attributes ...cms.Attribute) *cms.Message {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Signer"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := cms.Sign(cms.Template{Content: []byte("document"), Certificate: der, Chain: [][]byte{sequence("a certificate")}}, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attributes {
		if raw, err = cms.AddUnsignedAttribute(raw, 0, a); err != nil {
			t.Fatal(err)
		}
	}
	m, err := cms.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sequence is some DER that stands for an object.
func sequence(s string) []byte {
	der, _ := asn1.Marshal(struct{ S string }{s})
	return der
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestValuesReadBackAsWritten(t *testing.T) {
	certificates := [][]byte{sequence("one"), sequence("two")}
	raw, err := ades.MarshalCertificateValues(certificates)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ades.ReadCertificateValues(raw)
	if diff := cmp.Diff(certificates, got); diff != "" || err != nil {
		t.Error(err, diff)
	}

	want := ades.RevocationValues{CRLs: certificates, OCSPs: [][]byte{sequence("basic")}}
	if raw, err = want.Marshal(); err != nil {
		t.Fatal(err)
	}
	back, err := ades.ReadRevocationValues(raw)
	if diff := cmp.Diff(want, back); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// An OCSPResponse goes into the attribute as the BasicOCSPResponse inside.
func TestBasicOCSPResponse(t *testing.T) {
	basic := sequence("basic")
	whole := unhex(t, "301f0a0100a01a301806092b060105050730010104")
	whole = append(append(whole, byte(len(basic))), basic...)
	whole[1], whole[6], whole[8] = byte(len(whole)-2), byte(len(whole)-7), byte(len(whole)-9)
	for name, in := range map[string][]byte{"whole": whole, "basic": basic} {
		if got, err := ades.BasicOCSPResponse(in); err != nil || !bytes.Equal(got, basic) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for _, in := range []string{"", "30", "30030a0101", "30030a0100", "0500"} {
		if _, err := ades.BasicOCSPResponse(unhex(t, in)); !fault.Is(err, fault.OCSPUnreadable) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// sameDigest compares rows of the table, which are shared.
var sameDigest = cmp.Comparer(func(a, b *algo.Digest) bool { return a == b })

func TestHashIndexListsAll(t *testing.T) {
	attribute := cms.Attribute{Type: cms.OIDCertificateValues, Values: [][]byte{sequence("x")}}
	m := message(t, attribute)
	s := m.Signers[0]
	index, err := ades.NewHashIndex(algo.SHA256, m, s)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ades.ReadHashIndex(&cms.Signer{UnsignedAttributes: []cms.Attribute{index.Attribute()}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(index, read, sameDigest); diff != "" {
		t.Error(diff)
	}
	match := read.Match(m, s, ades.AttributeValue{Attribute: -1})
	want := ades.Matching{Certificates: m.CertificateChoices, Values: []ades.AttributeValue{{Attribute: 0, Value: 0}}}
	if diff := cmp.Diff(want, match); diff != "" {
		t.Error(diff)
	}

	// Something added later is not covered; something taken out is missed.
	later := message(t, attribute, cms.Attribute{Type: cms.OIDRevocationValues, Values: [][]byte{sequence("y")}})
	match = read.Match(later, later.Signers[0], ades.AttributeValue{Attribute: -1})
	if match.Complete() || match.UnknownCertificates != 1 || match.LaterCertificates != 1 || match.LaterAttributes != 1 || match.UnknownAttributes != 0 {
		t.Errorf("%+v", match)
	}
	if match = read.Match(later, later.Signers[0], ades.AttributeValue{Attribute: 1}); match.LaterAttributes != 0 {
		t.Errorf("the token's own attribute counts: %+v", match)
	}
}

// Version 1 lists whole attributes, and SHA-256 goes without saying.
func TestHashIndexOfVersionOne(t *testing.T) {
	m := message(t, cms.Attribute{Type: cms.OIDCertificateValues, Values: [][]byte{sequence("x")}})
	s := m.Signers[0]
	lists := struct{ Certificates, Revocations, Attributes [][]byte }{
		[][]byte{algo.SHA256.Sum(m.CertificateChoices[0])}, nil, [][]byte{algo.SHA256.Sum(s.UnsignedAttributes[0].Raw)},
	}
	raw, err := asn1.Marshal(lists)
	if err != nil {
		t.Fatal(err)
	}
	index, err := ades.ReadHashIndex(&cms.Signer{UnsignedAttributes: []cms.Attribute{{Type: ades.OIDHashIndexV1, Values: [][]byte{raw}}}})
	if err != nil {
		t.Fatal(err)
	}
	match := index.Match(m, s, ades.AttributeValue{Attribute: -1})
	if index.Digest != algo.SHA256 || !match.Complete() || len(match.Values) != 1 || match.LaterCertificates != 1 {
		t.Errorf("%+v", match)
	}
}

func TestHashIndexRefusals(t *testing.T) {
	m := message(t)
	good, err := ades.NewHashIndex(algo.SHA256, m, m.Signers[0])
	if err != nil {
		t.Fatal(err)
	}
	attribute := func(oid asn1.ObjectIdentifier, values ...[]byte) cms.Attribute {
		return cms.Attribute{Type: oid, Values: values}
	}
	v3 := ades.OIDHashIndexV3
	for name, tt := range map[string]struct {
		attributes []cms.Attribute
		code       fault.Code
	}{
		"absent":                {nil, fault.AttributeMissing},
		"twice":                 {[]cms.Attribute{good.Attribute(), good.Attribute()}, fault.AttributeDuplicate},
		"two versions":          {[]cms.Attribute{good.Attribute(), attribute(ades.OIDHashIndexV1, good.Raw)}, fault.AttributeDuplicate},
		"two values":            {[]cms.Attribute{attribute(v3, good.Raw, good.Raw)}, fault.AttributeMalformed},
		"no value":              {[]cms.Attribute{attribute(v3)}, fault.AttributeMalformed},
		"not a SEQUENCE":        {[]cms.Attribute{attribute(v3, unhex(t, "0500"))}, fault.AttributeMalformed},
		"no algorithm":          {[]cms.Attribute{attribute(v3, unhex(t, "3006300030003000"))}, fault.AttributeMalformed},
		"two lists":             {[]cms.Attribute{attribute(ades.OIDHashIndexV1, unhex(t, "300430003000"))}, fault.AttributeMalformed},
		"a digest of no length": {[]cms.Attribute{attribute(ades.OIDHashIndexV1, unhex(t, "30083002040030003000"))}, fault.AttributeMalformed},
		"a strange algorithm":   {[]cms.Attribute{attribute(v3, unhex(t, "300b300306012a300030003000"))}, fault.AlgorithmUnsupported},
		"more":                  {[]cms.Attribute{attribute(ades.OIDHashIndexV1, unhex(t, "30083000300030000500"))}, fault.AttributeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ades.ReadHashIndex(&cms.Signer{UnsignedAttributes: tt.attributes}); !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	object := sequence("object")
	sha1, sha256 := hex.EncodeToString(algo.SHA1.Sum(object)), hex.EncodeToString(algo.SHA256.Sum(object))
	// OtherCertID: OtherHash as a bare SHA-1, and as an algorithm with its value.
	refs, err := ades.ReadCertificateReferences(unhex(t, "304d"+"3016"+"0414"+sha1+"3033"+"3031"+"300d"+"0609"+"608648016503040201"+"0500"+"0420"+sha256))
	want := []ades.Reference{
		{Algorithm: algo.Identifier{OID: algo.SHA1.OID}, Hash: algo.SHA1.Sum(object)},
		{Algorithm: algo.Identifier{OID: algo.SHA256.OID, Parameters: []byte{5, 0}}, Hash: algo.SHA256.Sum(object)},
	}
	if diff := cmp.Diff(want, refs); err != nil || diff != "" {
		t.Errorf("%+v, %v", refs, err)
	}
	for _, in := range []string{"", "0500", "30020500", "30023000", "3003300105"} {
		if _, err := ades.ReadCertificateReferences(unhex(t, in)); !fault.Is(err, fault.AttributeMalformed) {
			t.Errorf("%s: %v", in, err)
		}
		if _, _, err := ades.ReadRevocationReferences(unhex(t, in)); in != "30023000" && !fault.Is(err, fault.AttributeMalformed) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestSignaturePolicy(t *testing.T) {
	sha := "300d06096086480165030402010500"
	for in, want := range map[string]ades.SignaturePolicy{
		"0500":       {Implied: true},
		"300306012a": {ID: asn1.ObjectIdentifier{1, 2}},
		"3017" + "06012a" + "3012" + sha + "0401ff": {
			ID: asn1.ObjectIdentifier{1, 2}, Algorithm: algo.Identifier{OID: algo.SHA256.OID, Parameters: []byte{5, 0}}, Hash: []byte{0xff},
		},
		"302b" + "06012a" + "3012" + sha + "0401ff" + "3012" + "3010" + "060b2a864886f70d0109100501" + "160161": {
			ID: asn1.ObjectIdentifier{1, 2}, Algorithm: algo.Identifier{OID: algo.SHA256.OID, Parameters: []byte{5, 0}}, Hash: []byte{0xff}, URI: "a",
		},
	} {
		got, err := ades.ReadSignaturePolicy(unhex(t, in))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", in, err, diff)
		}
	}
	for _, in := range []string{"", "0101ff", "05000500", "30050601 2a0500", "300506012a3000"} {
		b, _ := hex.DecodeString(in)
		if _, err := ades.ReadSignaturePolicy(b); !fault.Is(err, fault.AttributeMalformed) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// FuzzRead holds every reader to its bounds, and what is read to what is written.
func FuzzRead(f *testing.F) {
	f.Add(sequence("x"))
	f.Add(unhex(f, "3006300030003000"))
	f.Add(unhex(f, "3017300f06096086480165030402010500300030003000"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if list, err := ades.ReadCertificateValues(in); err == nil {
			if back, err := ades.MarshalCertificateValues(list); err != nil || !bytes.Equal(back, in) {
				t.Errorf("certificate-values %x written as %x, %v", in, back, err)
			}
		}
		if v, err := ades.ReadRevocationValues(in); err == nil {
			_, _ = v.Marshal()
		}
		_, _ = ades.ReadCertificateReferences(in)
		_, _, _ = ades.ReadRevocationReferences(in)
		_, _ = ades.ReadSignaturePolicy(in)
		_, _ = ades.BasicOCSPResponse(in)
		for _, oid := range []asn1.ObjectIdentifier{ades.OIDHashIndexV1, ades.OIDHashIndexV3} {
			index, err := ades.ReadHashIndex(&cms.Signer{UnsignedAttributes: []cms.Attribute{{Type: oid, Values: [][]byte{in}}}})
			if err == nil && !bytes.Equal(index.Raw, in) {
				t.Error("the index is not the value")
			}
		}
	})
}

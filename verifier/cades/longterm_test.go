package cades

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier/facts"
)

var genTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// stamp makes a token over an imprint, with unsigned attributes.
func (i identity) stamp(t testing.TB, imprint []byte, at time.Time, unsigned ...cms.Attribute) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 3})
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			algo.SHA256.Identifier().AddTo(b)
			b.AddASN1OctetString(imprint)
		})
		b.AddASN1Int64(at.Unix())
		b.AddASN1GeneralizedTime(at)
	})
	token, err := cms.Sign(cms.Template{Content: b.BytesOrPanic(), ContentType: cms.OIDTSTInfo, Certificate: i.cert.Raw}, i.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range unsigned {
		token = add(t, token, a.Type, a.Values...)
	}
	return token
}

func add(t testing.TB, message []byte, oid asn1.ObjectIdentifier, values ...[]byte) []byte {
	t.Helper()
	out, err := cms.AddUnsignedAttribute(message, 0, cms.Attribute{Type: oid, Values: values})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func parsed(t testing.TB, message []byte) (*cms.Message, *cms.Signer) {
	t.Helper()
	m, err := cms.Parse(message)
	if err != nil {
		t.Fatal(err)
	}
	return m, m.Signers[0]
}

// archive adds an archive-time-stamp-v3 over all that a message holds.
func archive(t testing.TB, message, content []byte, tsa identity, at time.Time) []byte {
	t.Helper()
	m, s := parsed(t, message)
	index, err := ades.NewHashIndex(algo.SHA256, m, s)
	if err != nil {
		t.Fatal(err)
	}
	input := ades.ArchiveInputV3(m, s, algo.SHA256.Sum(content), index)
	return add(t, message, cms.OIDArchiveTimestampV3, tsa.stamp(t, algo.SHA256.Sum(input), at, index.Attribute()))
}

// archiveV2 adds an archive-time-stamp-v2.
func archiveV2(t testing.TB, message, content []byte, tsa identity, at time.Time) []byte {
	t.Helper()
	m, s := parsed(t, message)
	before, after := ades.ArchiveInputV2(m, s, func(cms.Attribute) bool { return false })
	if !m.Detached {
		content = nil
	}
	return add(t, message, cms.OIDArchiveTimestampV2, tsa.stamp(t, algo.SHA256.Sum(slices.Concat(before, content, after)), at))
}

// sequence is some DER that stands for an object.
func sequence(s string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte(s)) })
	return b.BytesOrPanic()
}

// counter makes a counter-signature of the first signer: like any signature, but
// without a content type.
func (i identity) counter(t testing.TB, message []byte) []byte {
	t.Helper()
	_, over := parsed(t, message)
	_, s := parsed(t, i.sign(t, func(tm *cms.Template) { tm.Content = over.Signature }))
	attributes := cbasn1.Tag(0).ContextSpecific().Constructed()
	write := func(tag cbasn1.Tag) []byte {
		var b cryptobyte.Builder
		b.AddASN1(tag, func(b *cryptobyte.Builder) {
			for _, a := range s.SignedAttributes {
				if !a.Type.Equal(cms.OIDContentType) {
					b.AddBytes(a.Raw)
				}
			}
		})
		return b.BytesOrPanic()
	}
	value, err := i.key.Sign(rand.Reader, algo.SHA256.Sum(write(cbasn1.SET)), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(s.Identifier.RawIssuer)
			b.AddASN1BigInt(s.Identifier.Serial)
		})
		s.DigestAlgorithm.AddTo(b)
		b.AddBytes(write(attributes))
		s.SignatureAlgorithm.AddTo(b)
		b.AddASN1OctetString(value)
	})
	return b.BytesOrPanic()
}

// longTerm is a message with everything: a time-stamp of the content, one of the
// signature, a counter-signature, validation data, and two archive time-stamps.
type longTerm struct {
	message, content []byte
	signer, tsa, ca  identity
	clerk            identity
	crl, ocsp        []byte
}

func newLongTerm(t testing.TB, change func(*cms.Template)) longTerm {
	t.Helper()
	l := longTerm{
		content: []byte("import declaration"), crl: sequence("crl"), ocsp: sequence("ocsp"),
		signer: newIdentity(t, "Signer", 1), tsa: newIdentity(t, "TSA", 2), ca: newIdentity(t, "CA", 3), clerk: newIdentity(t, "Clerk", 5),
	}
	stampOfContent := l.tsa.stamp(t, algo.SHA256.Sum(l.content), genTime)
	l.message = l.signer.sign(t, func(tm *cms.Template) {
		tm.Content, tm.Chain = l.content, [][]byte{l.clerk.cert.Raw, sequence(string(make([]byte, 500)))}
		tm.SignedAttributes = []cms.Attribute{{Type: cms.OIDContentTimestamp, Values: [][]byte{stampOfContent}}}
		if change != nil {
			change(tm)
		}
	})
	_, s := parsed(t, l.message)
	l.message = add(t, l.message, cms.OIDSignatureTimestamp, l.tsa.stamp(t, algo.SHA256.Sum(s.Signature), genTime.Add(time.Hour)))
	l.message = add(t, l.message, cms.OIDCounterSignature, l.clerk.counter(t, l.message))
	certificates, err := ades.MarshalCertificateValues([][]byte{l.ca.cert.Raw})
	if err != nil {
		t.Fatal(err)
	}
	revocations, err := ades.RevocationValues{CRLs: [][]byte{l.crl}, OCSPs: [][]byte{l.ocsp}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	l.message = add(t, l.message, cms.OIDCertificateValues, certificates)
	l.message = add(t, l.message, cms.OIDRevocationValues, revocations)
	l.message = archive(t, l.message, l.content, l.tsa, genTime.Add(2*time.Hour))
	l.message = archive(t, l.message, l.content, l.tsa, genTime.Add(3*time.Hour))
	return l
}

func kindsOf(s facts.Signature) []facts.TimestampKind {
	var out []facts.TimestampKind
	for _, t := range s.Timestamps {
		out = append(out, t.Kind)
	}
	return out
}

func TestLongTermFacts(t *testing.T) {
	for name, detached := range map[string]bool{"attached": false, "detached": true} {
		t.Run(name, func(t *testing.T) {
			l := newLongTerm(t, func(tm *cms.Template) { tm.Detached = detached })
			src := Source{Data: l.message}
			if detached {
				src.Content = l.content
			}
			f := read(t, src)
			s := f.Signatures[0]
			want := []facts.TimestampKind{facts.ContentTimestamp, facts.SignatureTimestamp, facts.ArchiveTimestampV3, facts.ArchiveTimestampV3}
			if diff := cmp.Diff(want, kindsOf(s)); diff != "" {
				t.Fatal(diff)
			}
			if why := sound(f); why != "" {
				t.Error(why)
			}
			if len(s.CounterSignatures) != 1 || len(s.CertificateValues) != 1 || len(s.RevocationValues) != 2 {
				t.Errorf("%d counter-signatures, %v, %v", len(s.CounterSignatures), s.CertificateValues, s.RevocationValues)
			}
			l.checkCovers(t, f)
		})
	}
}

// checkCovers holds what each time-stamp covers: all that was there before it and
// nothing that came later.
func (l longTerm) checkCovers(t *testing.T, f *facts.Facts) {
	t.Helper()
	s := f.Signatures[0]
	object := func(kind facts.ObjectKind, id string) facts.Object { return facts.Object{Kind: kind, ID: id} }
	content, signature := object(facts.ContentObject, facts.ContentID), object(facts.SignatureObject, s.ID)
	signer := object(facts.CertificateObject, facts.Digest(l.signer.cert.Raw))
	all := []facts.Object{
		content, signature, signer,
		object(facts.CertificateObject, facts.Digest(l.tsa.cert.Raw)), object(facts.CertificateObject, facts.Digest(l.ca.cert.Raw)),
		object(facts.RevocationObject, facts.Digest(l.crl)), object(facts.RevocationObject, facts.Digest(l.ocsp)),
		object(facts.TimestampObject, s.Timestamps[1].ID), object(facts.SignatureObject, s.CounterSignatures[0].ID),
	}
	first := object(facts.TimestampObject, s.Timestamps[2].ID)
	for i, tt := range []struct{ has, hasNot []facts.Object }{
		{[]facts.Object{content}, []facts.Object{signature}},
		{[]facts.Object{content, signature, signer}, []facts.Object{all[4], all[5]}},
		{all, []facts.Object{first, object(facts.TimestampObject, s.Timestamps[3].ID)}},
		{append(slices.Clone(all), first), []facts.Object{object(facts.TimestampObject, s.Timestamps[3].ID)}},
	} {
		covers := s.Timestamps[i].Covers
		for _, o := range tt.has {
			if !slices.Contains(covers, o) {
				t.Errorf("time-stamp %d does not cover %v", i, o)
			}
		}
		for _, o := range tt.hasNot {
			if slices.Contains(covers, o) {
				t.Errorf("time-stamp %d covers %v", i, o)
			}
		}
	}
}

// sound says what is not intact in facts; "" if everything is.
func sound(f *facts.Facts) string {
	for _, s := range f.Signatures {
		if why := soundSignature(s); why != "" {
			return why
		}
	}
	return ""
}

func soundSignature(s facts.Signature) string {
	verified := func(c facts.Candidate) bool { return c.Verified && (c.Referenced || len(s.References) == 0) }
	switch {
	case !s.Covers[0].Intact:
		return s.At + ": not intact"
	case !slices.ContainsFunc(s.Candidates, verified):
		return s.At + ": no certificate verifies it"
	case len(s.Defects)+len(s.Findings) > 0 || s.ReferenceDefect != nil:
		return s.At + ": defects"
	}
	for _, t := range s.Timestamps {
		switch {
		case !t.ImprintIntact:
			return t.At + ": the imprint is of something else"
		case len(t.Defects) > 0 || t.Token == nil:
			return t.At + ": no token"
		case t.HashIndex != nil && (!t.HashIndex.Complete() || len(t.Covers) == 0):
			return t.At + ": something that was covered is missing"
		}
		if why := soundSignature(*t.Token); why != "" {
			return why
		}
	}
	for _, c := range s.CounterSignatures {
		if why := soundSignature(c); why != "" {
			return why
		}
	}
	return ""
}

// Whatever byte of a long-term message is changed between the content and the last
// archive time-stamp, it shows.
func TestNoMutantIsSound(t *testing.T) {
	l := newLongTerm(t, nil)
	if why := sound(read(t, Source{Data: l.message})); why != "" {
		t.Fatal(why)
	}
	m, s := parsed(t, l.message)
	from := bytes.Index(l.message, m.EncapsulatedContentInfo())
	last := s.UnsignedAttributes[len(s.UnsignedAttributes)-1]
	to := bytes.LastIndex(l.message, last.Raw)
	kinds := kindsOf(read(t, Source{Data: l.message}).Signatures[0])
	for at := from; at < to; at += 7 {
		mutant := bytes.Clone(l.message)
		mutant[at] ^= 1 << (at % 8)
		f, err := Read(t.Context(), Source{Data: mutant})
		if err != nil {
			continue
		}
		if sound(f) == "" && slices.Equal(kinds, kindsOf(f.Signatures[0])) {
			t.Errorf("byte %d of %d: no one notices", at-from, to-from)
		}
	}
}

// What comes after an archive time-stamp does not hurt it, and is not covered; what
// is taken out does.
func TestArchiveAfterChanges(t *testing.T) {
	l := newLongTerm(t, nil)
	grown := add(t, l.message, cms.OIDRevocationValues, sequence(""))
	f := read(t, Source{Data: grown})
	last := f.Signatures[0].Timestamps[3]
	if !last.ImprintIntact || last.HashIndex.UnsignedAttributes.Later != 1 || !last.HashIndex.Complete() {
		t.Errorf("%+v", last.HashIndex)
	}
	if findings := f.Signatures[0].Findings; !slices.ContainsFunc(findings, func(d facts.Finding) bool { return d.Code == fault.AttributeDuplicate }) {
		t.Errorf("two revocation-values go unnoticed: %v", findings)
	}

	exchanged := bytes.Replace(l.message, sequence(string(make([]byte, 500))), sequence(string(bytes.Repeat([]byte{1}, 500))), 1)
	if last := read(t, Source{Data: exchanged}).Signatures[0].Timestamps[3]; last.HashIndex.Complete() || len(last.Covers) > 0 {
		t.Errorf("%+v covers %d objects", last.HashIndex, len(last.Covers))
	}
}

// Version 2 is over the message as it was; only archive time-stamps may follow.
func TestArchiveV2(t *testing.T) {
	for name, detached := range map[string]bool{"attached": false, "detached": true} {
		t.Run(name, func(t *testing.T) {
			content := bytes.Repeat([]byte("import declaration "), 300000) // long enough to be streamed
			signer, tsa := newIdentity(t, "Signer", 1), newIdentity(t, "TSA", 2)
			message := signer.sign(t, func(tm *cms.Template) { tm.Content, tm.Detached = content, detached })
			_, s := parsed(t, message)
			message = add(t, message, cms.OIDSignatureTimestamp, tsa.stamp(t, algo.SHA256.Sum(s.Signature), genTime))
			message = archiveV2(t, message, content, tsa, genTime.Add(time.Hour))
			message = archiveV2(t, message, content, tsa, genTime.Add(2*time.Hour))
			want := read(t, given(message, content, detached))
			if why := sound(want); why != "" {
				t.Fatal(why)
			}
			stamps := want.Signatures[0].Timestamps
			if len(stamps[2].Covers) != len(stamps[1].Covers)+1 {
				t.Errorf("the second covers %d objects, the first %d", len(stamps[2].Covers), len(stamps[1].Covers))
			}
			streamed := Source{Document: io.MultiReader(bytes.NewReader(message)), Spool: cms.DefaultSpool}
			if detached {
				streamed.ContentFrom = io.MultiReader(bytes.NewReader(content))
			}
			if diff := cmp.Diff(want, read(t, streamed)); diff != "" {
				t.Error("read as a stream it differs:", diff)
			}
			streamed.Document, streamed.Spool = io.MultiReader(bytes.NewReader(message)), cms.Spool{}
			if detached {
				streamed.ContentFrom = io.MultiReader(bytes.NewReader(content))
			}
			f := read(t, streamed)
			if code := f.Signatures[0].Timestamps[1].ImprintCode; code != fault.ContentNotKept {
				t.Errorf("the stream was not kept, and the code is %q", code)
			}
			if !f.Signatures[0].Covers[0].Intact {
				t.Error("what needs no second reading is not intact")
			}
		})
	}
}

func given(message, content []byte, detached bool) Source {
	if !detached {
		content = nil
	}
	return Source{Data: message, Content: content}
}

// The CAdES-C kinds, in the standard's order and in the order sent.
func TestReferencesTimestamps(t *testing.T) {
	signer, tsa := newIdentity(t, "Signer", 1), newIdentity(t, "TSA", 2)
	message := signer.sign(t, nil)
	_, s := parsed(t, message)
	var refs cryptobyte.Builder
	refs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(algo.SHA1.Sum(signer.cert.Raw)) })
	})
	message = add(t, message, cms.OIDCertificateRefs, refs.BytesOrPanic())
	message = add(t, message, cms.OIDSignatureTimestamp, tsa.stamp(t, algo.SHA256.Sum(s.Signature), genTime))
	_, s = parsed(t, message)
	inputs := ades.CAdESCInputs(s)
	if len(inputs) != 2 {
		t.Fatalf("%d orders", len(inputs))
	}
	for i, input := range append(inputs, []byte("something else")) {
		stamped := add(t, message, cms.OIDCAdESCTimestamp, tsa.stamp(t, algo.SHA256.Sum(input), genTime))
		f := read(t, Source{Data: stamped}).Signatures[0]
		if stamp := f.Timestamps[1]; stamp.Kind != facts.CAdESCTimestamp || stamp.ImprintIntact != (i < 2) || (len(stamp.Covers) > 0) != (i < 2) {
			t.Errorf("order %d: %+v", i, stamp.ImprintIntact)
		}
	}
	stamped := add(t, message, cms.OIDReferencesTimestamp, tsa.stamp(t, algo.SHA256.Sum(ades.ReferencesInputs(s)[0]), genTime))
	f := read(t, Source{Data: stamped}).Signatures[0]
	want := []facts.Object{{Kind: facts.CertificateObject, ID: facts.Digest(signer.cert.Raw)}}
	if diff := cmp.Diff(want, f.Timestamps[1].Covers); diff != "" || !f.Timestamps[1].ImprintIntact {
		t.Error(diff)
	}
}

// Odd parts are findings and defects beside the facts, and the rest stands.
func TestOddPartsSpoilNothing(t *testing.T) {
	signer, tsa := newIdentity(t, "Signer", 1), newIdentity(t, "TSA", 2)
	plain := signer.sign(t, nil)
	_, s := parsed(t, plain)
	good := tsa.stamp(t, algo.SHA256.Sum(s.Signature), genTime)
	own := newIdentity(t, "Clerk", 5).counter(t, plain)
	nested := own
	for range nestingMax {
		message := signer.sign(t, nil)
		m, _ := parsed(t, add(t, message, cms.OIDCounterSignature, nested))
		nested = m.Signers[0].Raw
	}
	for name, tt := range map[string]struct {
		oid    asn1.ObjectIdentifier
		values [][]byte
		code   fault.Code
	}{
		"an unreadable token":               {cms.OIDSignatureTimestamp, [][]byte{sequence("x")}, fault.TimestampUnreadable},
		"an archive token without an index": {cms.OIDArchiveTimestampV3, [][]byte{good}, fault.AttributeMissing},
		"a token of another thing":          {cms.OIDSignatureTimestamp, [][]byte{tsa.stamp(t, make([]byte, 32), genTime)}, ""},
		"malformed certificate-values":      {cms.OIDCertificateValues, [][]byte{{5, 0}}, fault.AttributeMalformed},
		"malformed revocation-values":       {cms.OIDRevocationValues, [][]byte{{5, 0}}, fault.AttributeMalformed},
		"malformed references":              {cms.OIDCertificateRefs, [][]byte{{5, 0}}, fault.AttributeMalformed},
		"a counter-signature that is none":  {cms.OIDCounterSignature, [][]byte{sequence("x")}, fault.CMSMalformed},
		"counter-signatures in each other":  {cms.OIDCounterSignature, [][]byte{nested}, fault.CMSLimit},
		"counter-signature of another":      {cms.OIDCounterSignature, [][]byte{parsedSigner(t, signer.sign(t, nil)).Raw}, fault.ContentTypeMismatch},
		"a message-digest that is unsigned": {cms.OIDMessageDigest, [][]byte{{4, 0}}, fault.AttributeNotSigned},
		"a content-time-stamp, unsigned":    {cms.OIDContentTimestamp, [][]byte{good}, fault.AttributeNotSigned},
		"a flood of tokens":                 {cms.OIDSignatureTimestamp, flood(timestampsMax + 1), fault.CMSLimit},
		"a flood of certificates":           {cms.OIDCertificateValues, certificateFlood(t), fault.CMSLimit},
		"a flood of counter-signatures":     {cms.OIDCounterSignature, flood(counterSignaturesMax + 1), fault.CMSLimit},
	} {
		t.Run(name, func(t *testing.T) {
			f := read(t, Source{Data: add(t, plain, tt.oid, tt.values...)})
			s := f.Signatures[0]
			if !s.Covers[0].Intact || !s.Candidates[0].Verified || len(s.Defects) > 0 {
				t.Errorf("the signature suffers: %+v", s.Defects)
			}
			if sound(f) == "" {
				t.Error("nothing is noticed")
			}
			if codes := codesIn(s); tt.code != "" && !slices.Contains(codes, tt.code) {
				t.Errorf("codes %v, want %s", codes, tt.code)
			}
		})
	}
}

func parsedSigner(t testing.TB, message []byte) *cms.Signer {
	_, s := parsed(t, message)
	return s
}

// certificateFlood are more certificates than are taken, in attributes that each hold
// as many as they may.
func certificateFlood(t testing.TB) [][]byte {
	t.Helper()
	value, err := ades.MarshalCertificateValues(flood(1024))
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{value, value, value, value, value}
}

func flood(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = sequence(string(rune('a' + i)))
	}
	return out
}

func codesIn(s facts.Signature) []fault.Code {
	var out []fault.Code
	for _, d := range slices.Concat(s.Findings, s.Defects) {
		out = append(out, d.Code)
	}
	for _, t := range s.Timestamps {
		for _, d := range slices.Concat(t.Findings, t.Defects) {
			out = append(out, d.Code)
		}
	}
	for _, c := range s.CounterSignatures {
		out = append(out, codesIn(c)...)
	}
	return out
}

// Of content, a digest by the right algorithm is enough.
func TestContentDigests(t *testing.T) {
	message := newIdentity(t, "Signer", 1).sign(t, func(tm *cms.Template) { tm.Detached = true })
	for name, tt := range map[string]struct {
		digests       map[*algo.Digest][]byte
		found, intact bool
	}{
		"the right one":        {map[*algo.Digest][]byte{algo.SHA256: algo.SHA256.Sum([]byte("doc"))}, true, true},
		"of another":           {map[*algo.Digest][]byte{algo.SHA256: algo.SHA256.Sum([]byte("x"))}, true, false},
		"by another algorithm": {map[*algo.Digest][]byte{algo.SHA512: algo.SHA512.Sum([]byte("doc"))}, false, false},
	} {
		c := read(t, Source{Data: message, ContentDigests: tt.digests}).Signatures[0].Covers[0]
		if c.Found != tt.found || c.Intact != tt.intact {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// FuzzRead reads anything in both ways: what one reads, the other reads the same,
// and the facts can be kept.
func FuzzRead(f *testing.F) {
	l := newLongTerm(f, nil)
	f.Add(l.message)
	f.Add(l.signer.sign(f, func(tm *cms.Template) { tm.Detached = true }))
	f.Add(withoutSigners(f))
	f.Fuzz(func(t *testing.T, in []byte) {
		want, err := Read(t.Context(), Source{Data: in, ContentDigests: map[*algo.Digest][]byte{algo.SHA256: make([]byte, 32)}})
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Error(err)
			}
			return
		}
		var kept bytes.Buffer
		if err := want.Encode(&kept); err != nil {
			t.Fatal(err)
		}
		if _, err := facts.Decode(&kept); err != nil {
			t.Error(err)
		}
	})
}

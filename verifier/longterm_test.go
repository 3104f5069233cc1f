package verifier_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

// signing gives the party the methods of an entity.
func (p *party) signing() *entity {
	return &entity{key: p.key, cert: p.cert, issuer: &entity{cert: p.issuer.cert}}
}

// archived is a file at level LTA: signed on day0, time-stamped, its validation
// data added, and all of that time-stamped by the second authority a day later.
func (e *estate) archived(t testing.TB, content []byte) []byte {
	t.Helper()
	message := e.signer.signing().sign(t, string(content), func(tm *cms.Template) { tm.SigningTime = day0 })
	message = withTimestamp(t, message, e.tsa.signing(), day0.Add(30*time.Second))
	add := func(a cms.Attribute) {
		var err error
		if message, err = cms.AddUnsignedAttribute(message, 0, a); err != nil {
			t.Fatal(err)
		}
	}
	at := day0.Add(time.Minute)
	certificates, err := ades.MarshalCertificateValues([][]byte{e.ca.cert.Raw, e.stamps.cert.Raw, e.tsa.cert.Raw})
	must(err)
	add(cms.Attribute{Type: cms.OIDCertificateValues, Values: [][]byte{certificates}})
	values, err := ades.RevocationValues{
		OCSPs: [][]byte{e.responder.answerAbout(e.signer, at, at.AddDate(0, 0, 1), standing{}), e.stampsResponder.answerAbout(e.tsa, at, at.AddDate(0, 0, 1), standing{})},
		CRLs:  [][]byte{e.root.listOf(e.ca, day0.AddDate(0, 0, -3), day0.AddDate(0, 6, 0), standing{}, time.Time{})},
	}.Marshal()
	must(err)
	add(cms.Attribute{Type: cms.OIDRevocationValues, Values: [][]byte{values}})

	m, err := cms.Parse(message)
	must(err)
	index, err := ades.NewHashIndex(algo.SHA256, m, m.Signers[0])
	must(err)
	input := ades.ArchiveInputV3(m, m.Signers[0], algo.SHA256.Sum(content), index)
	token, err := cms.AddUnsignedAttribute(e.secondTSA.signing().stamp(t, input, day0.AddDate(0, 0, 1)), 0, index.Attribute())
	must(err)
	add(cms.Attribute{Type: cms.OIDArchiveTimestampV3, Values: [][]byte{token}})
	return message
}

// muchLater is what is given when the signer's, the CA's and the first
// authority's certificates have expired: the status of the second authority and
// of its CA.
func (e *estate) muchLater(data []byte) verifier.Input {
	at, next := whenAllOver.Add(-time.Hour), whenAllOver.AddDate(0, 0, 1)
	return verifier.Input{
		Data: data, Anchors: e.anchors,
		OCSPs: [][]byte{e.stampsResponder.answerAbout(e.secondTSA, at, next, standing{})},
		CRLs:  [][]byte{e.root.listOf(e.stamps, at, next, standing{}, time.Time{})},
	}
}

// A file at level LTA verifies when nothing but its last authority is still
// valid, and not without it.
func TestArchivedFileOutlivesItsCertificates(t *testing.T) {
	content := []byte("customs declaration of 2020")
	for _, algorithm := range []string{"RSA-2048", "P-256", "Ed25519", "GOST-512"} {
		t.Run(algorithm, func(t *testing.T) {
			e := estateOf(algorithm)
			in := e.muchLater(e.archived(t, content))
			policy, err := verifier.PolicyByName("kz-qualified")
			must(err)
			judge := func(in verifier.Input) verifier.SignatureReport {
				found, err := verifier.Collect(context.Background(), in)
				must(err)
				return verifier.Judge(found, policy, e.anchors, whenAllOver).Signatures[0]
			}
			s := judge(in)
			if s.Indication != verifier.TotalPassed || s.Level != "LTA" || s.BestSignatureTime != "2020-01-01T12:00:30Z" {
				t.Errorf("%s %s, level %s, best signature time %s: %v", s.Indication, s.SubIndication, s.Level, s.BestSignatureTime, s.Errors)
			}
			for _, stamp := range s.Timestamps {
				if stamp.Indication != verifier.Passed {
					t.Errorf("%s %s %s", stamp.Kind, stamp.Indication, stamp.SubIndication)
				}
			}
			in.OCSPs = nil
			if s := judge(in); s.Indication != verifier.Indeterminate || s.SubIndication != verifier.OutOfBoundsNoPOE {
				t.Errorf("without the status of the last authority: %s %s", s.Indication, s.SubIndication)
			}
		})
	}
}

// Where a file at level LTA must be whole to pass, no change of it passes, but in
// the parts that no signature protects.
func TestNoChangeOfAnArchivedFilePasses(t *testing.T) {
	e := estateOf("P-256")
	message := e.archived(t, []byte("doc"))
	in := e.muchLater(message)
	policy, err := verifier.PolicyByName("kz-qualified")
	must(err)
	var session verifier.Session
	judge := func(data []byte) verifier.Indication {
		in.Data = data
		found, err := session.Collect(context.Background(), in)
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Errorf("unclassified: %v", err)
			}
			return ""
		}
		return session.Judge(found, policy, e.anchors, whenAllOver).Indication
	}
	if judge(message) != verifier.TotalPassed {
		t.Fatal("the message itself does not pass")
	}
	free := e.unprotectedOfArchived(t, message)
	step := 7
	if testing.Short() {
		step = 29
	}
	for i := 0; i < len(message); i += step {
		changed := bytes.Clone(message)
		changed[i] ^= 1 << (i % 8)
		if judge(changed) == verifier.TotalPassed && !within(free, i) {
			t.Errorf("byte %d of %d changed passes", i, len(message))
		}
	}
}

// unprotectedOfArchived finds the parts of a file at level LTA that nothing
// protects: version numbers, announcements of algorithms, the token's copy of a
// certificate that certificate-values hold as well, and the version of the hash
// index, whose value alone the imprint is over (EN 319 122-1 §5.5.3): by version 2
// it says the same.
func (e *estate) unprotectedOfArchived(t testing.TB, message []byte) []span {
	t.Helper()
	free := unprotected(t, message)
	token := parsed(t, message).Signers[0].Unsigned(cms.OIDArchiveTimestampV3)[0].Values[0]
	tokenAt := bytes.Index(message, token)
	for _, s := range unprotected(t, token) {
		free = append(free, span{tokenAt + s.from, tokenAt + s.to})
	}
	copied := tokenAt + bytes.Index(token, e.stamps.cert.Raw)
	index, err := asn1.Marshal(ades.OIDHashIndexV3)
	must(err)
	version := tokenAt + bytes.LastIndex(token, index) + len(index) - 1
	return append(free, span{copied, copied + len(e.stamps.cert.Raw)}, span{version, version + 1})
}

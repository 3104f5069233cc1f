package cades_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/cades"
)

func extend(t testing.TB, w *world, m *cades.Message, to cades.Level) cades.Extension {
	t.Helper()
	added, err := w.extender(t, "tsa").Extend(context.Background(), m, nil, to)
	if err != nil {
		t.Fatalf("to %s: %v", to, err)
	}
	return added
}

// checkStamps verifies the time-stamps of a signature as a reader would.
func checkStamps(t testing.TB, w *world, m *cms.Message, signer int) (signatures, archives int) {
	t.Helper()
	s := m.Signers[signer]
	for _, a := range s.Unsigned(cms.OIDSignatureTimestamp) {
		token, err := tsp.ParseToken(a.Values[0])
		must(err)
		if _, err := token.Verify(s.Signature, w.anchors()); err != nil {
			t.Errorf("a signature time-stamp: %v", err)
		}
		signatures++
	}
	for n, a := range s.UnsignedAttributes {
		if !a.Type.Equal(cms.OIDArchiveTimestampV3) {
			continue
		}
		token, err := tsp.ParseToken(a.Values[0])
		must(err)
		index, err := ades.ReadHashIndex(token.Signer)
		must(err)
		if match := index.Match(m, s, ades.AttributeValue{Attribute: n}); index.Version != 3 || !match.Complete() {
			t.Errorf("index of version %d: %+v", index.Version, match)
		}
		if _, err := token.Verify(ades.ArchiveInputV3(m, s, algo.SHA256.Sum([]byte(text)), index), w.anchors()); err != nil {
			t.Errorf("an archive time-stamp: %v", err)
		}
		archives++
	}
	return signatures, archives
}

func TestExtendLevelByLevel(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	m := sign(t, w.person("RSA"), cades.Options{SigningTime: start})
	var got []cades.Extension
	for _, to := range []cades.Level{cades.T, cades.LT, cades.LTA} {
		w.now = w.now.Add(time.Hour)
		got = append(got, extend(t, w, m, to))
	}
	want := []cades.Extension{
		{SignatureTimestamps: 1},
		// The CA, the root, the time-stamping authority and the responder; the CA's
		// status is in the root's CRL, the other two's are each in an answer.
		{Certificates: 4, CRLs: 1, OCSPs: 2},
		// The status of the time-stamping authority and its CA anew, an hour later.
		{CRLs: 1, OCSPs: 1, ArchiveTimestamps: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	read := verifyAll(t, encode(t, m))
	if read.Version != 5 || len(read.CRLs) != 2 || len(read.OCSPs) != 3 {
		t.Errorf("version %d, %d CRLs, %d answers", read.Version, len(read.CRLs), len(read.OCSPs))
	}
	if s, a := checkStamps(t, w, read, 0); s != 1 || a != 1 {
		t.Errorf("%d signature and %d archive time-stamps", s, a)
	}
}

// TestExtendAgain renews an archive time-stamp by another authority before the
// first one's certificate ends, and once more long after the signer's did.
func TestExtendAgain(t *testing.T) {
	w := newWorld(start, 30*year, 3*year)
	m := sign(t, w.person("ECDSA"), cades.Options{SigningTime: start})
	extend(t, w, m, cades.LTA)
	for n := 2; n <= 4; n++ {
		w.now = w.now.Add(2*year + year/2)
		before := encode(t, m)
		name := fmt.Sprintf("tsa %d", n)
		w.addStamper(strings.ReplaceAll(name, " ", ""), "ca", 3*year)
		m = reopen(t, before)
		added, err := w.extender(t, strings.ReplaceAll(name, " ", "")).Extend(context.Background(), m, nil, cades.LTA)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if added.ArchiveTimestamps != 1 || added.OCSPs == 0 || added.SignatureTimestamps != 0 {
			t.Errorf("%s: %+v", name, added)
		}
		if _, archives := checkStamps(t, w, verifyAll(t, encode(t, m)), 0); archives != n {
			t.Errorf("%s: %d archive time-stamps", name, archives)
		}
	}
	// Now the last one lapses.
	w.now = w.now.Add(4 * year)
	w.addStamper("late", "ca", year)
	before := encode(t, m)
	if _, err := w.extender(t, "late").Extend(context.Background(), m, nil, cades.LTA); !fault.Is(err, fault.RevocationUnknown) || !strings.Contains(err.Error(), string(fault.RevocationStale)) {
		t.Errorf("after the last authority expired: %v", err)
	}
	if !bytes.Equal(before, encode(t, m)) {
		t.Error("a refusal changed the message")
	}
}

// TestExtendWhatWasRevokedLater: a stamp from before is worth keeping, with the
// news.
func TestExtendWhatWasRevokedLater(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	who := w.person("RSA")
	m := sign(t, who, cades.Options{SigningTime: start})
	extend(t, w, m, cades.T)
	w.now = w.now.Add(time.Hour)
	w.revoke(who.Certificate)
	w.now = w.now.Add(time.Hour)
	if added := extend(t, w, m, cades.LTA); added.ArchiveTimestamps != 1 || added.SignatureTimestamps != 0 {
		t.Errorf("%+v", added)
	}
}

// TestExtendBER: of a message in BER the frame is written anew, and nothing else.
func TestExtendBER(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	der := encode(t, sign(t, w.person("RSA"), cades.Options{SigningTime: start}))
	for _, piece := range []int{1, 4, 100} {
		m := reopen(t, inBER(der, piece))
		if again := encode(t, m); !m.Reframed || !bytes.Equal(again, der) {
			t.Errorf("pieces of %d: %x, want %x", piece, again, der)
		}
		extend(t, w, m, cades.LTA)
		if _, archives := checkStamps(t, w, verifyAll(t, encode(t, m)), 0); archives != 1 {
			t.Errorf("pieces of %d: %d archive time-stamps", piece, archives)
		}
	}
}

// TestOldArchivesStayWhole: what would break an archive time-stamp of version 2 is
// not done, on any signature of its message.
func TestOldArchivesStayWhole(t *testing.T) {
	w := newWorld(start, 10*year, 3*year)
	m := sign(t, w.person("RSA"), cades.Options{SigningTime: start})
	must(m.AddSigner(context.Background(), nil, w.person("ECDSA"), cades.Options{SigningTime: start}))
	der, err := cms.AddUnsignedAttribute(encode(t, m), 0, cms.Attribute{Type: cms.OIDArchiveTimestampV2, Values: [][]byte{{5, 0}}})
	must(err)
	for name, act := range map[string]func(*cades.Message) error{
		"LT of the other": func(m *cades.Message) error {
			_, err := w.extender(t, "tsa").Extend(context.Background(), m, nil, cades.LT, 1)
			return err
		},
		"a third signer": func(m *cades.Message) error {
			return m.AddSigner(context.Background(), nil, w.person("Ed25519"), cades.Options{})
		},
		"a counter-signature": func(m *cades.Message) error {
			return m.CounterSign(context.Background(), 1, w.person("Ed25519"), cades.Options{})
		},
	} {
		m := reopen(t, der)
		if err := act(m); !fault.Is(err, fault.NotAvailable) || !bytes.Equal(encode(t, m), der) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.extender(t, "tsa").Extend(context.Background(), reopen(t, der), nil, cades.T); err != nil {
		t.Errorf("T: %v", err)
	}
}

// scene is a message in a world.
type scene struct {
	w *world
	m *cades.Message
}

// change replaces bytes of the message.
func (s *scene) change(old, by []byte) {
	var b bytes.Buffer
	_, err := s.m.WriteTo(&b)
	must(err)
	changed := bytes.ReplaceAll(b.Bytes(), old, by)
	if bytes.Equal(changed, b.Bytes()) {
		panic("there was nothing to change")
	}
	s.m, err = cades.Open(bytes.NewReader(changed))
	must(err)
}

func (s *scene) signatures() (m *cms.Message) {
	var b bytes.Buffer
	_, err := s.m.WriteTo(&b)
	must(err)
	m, err = cms.Parse(b.Bytes())
	must(err)
	return m
}

// changeCertificate replaces a part of the signer's certificate.
func (s *scene) changeCertificate(old, by string) {
	raw := s.signatures().Certificates[0]
	s.change(raw, bytes.Replace(raw, []byte(old), []byte(by), 1))
}

func (s *scene) spoilValue() {
	value := s.signatures().Signers[0].Signature
	wrong := bytes.Clone(value)
	wrong[len(wrong)-1] ^= 1
	s.change(value, wrong)
}

func (s *scene) revoke() {
	s.w.revoke(parse(s.signatures().Certificates[0]))
}

// TestExtendRefuses holds every reason for which nothing is added.
func TestExtendRefuses(t *testing.T) {
	down := fault.New(fault.PeerDown, "", "status 503")
	for name, tt := range map[string]struct {
		to     cades.Level
		spoil  func(*scene)
		raised bool // the message is at LTA before it is spoiled
		code   fault.Code
	}{
		"to B":                        {to: cades.B, code: fault.BadArgument},
		"T twice":                     {to: cades.T, raised: true, code: fault.LevelReached},
		"LT twice":                    {to: cades.LT, raised: true, code: fault.LevelReached},
		"revoked, T":                  {to: cades.T, spoil: func(s *scene) { s.revoke() }, code: fault.CertificateRevoked},
		"revoked, LTA":                {to: cades.LTA, spoil: func(s *scene) { s.revoke() }, code: fault.CertificateRevoked},
		"expired":                     {to: cades.T, spoil: func(s *scene) { s.w.now = s.w.now.Add(2 * year) }, code: fault.CertificateExpired},
		"the responder is down":       {to: cades.LT, spoil: func(s *scene) { s.w.down["http://ca/ocsp"], s.w.down["http://ca/crl"] = down, down }, code: fault.RevocationUnknown},
		"the root's CRL is down":      {to: cades.LT, spoil: func(s *scene) { s.w.down["http://root/crl"] = down }, code: fault.RevocationUnknown},
		"no time-stamping authority":  {to: cades.T, spoil: func(s *scene) { s.w.down["http://tsa/"] = down }, code: fault.PeerDown},
		"none for the archive either": {to: cades.LTA, raised: true, spoil: func(s *scene) { s.w.down["http://tsa/"] = down }, code: fault.PeerDown},
		"another root":                {to: cades.LT, spoil: func(s *scene) { s.w = newWorld(start, 10*year, 3*year) }, code: fault.SignatureInvalid},
		"a changed content":           {to: cades.T, spoil: func(s *scene) { s.change([]byte(text), []byte("Declaration")) }, code: fault.DigestMismatch},
		"a changed value":             {to: cades.T, spoil: func(s *scene) { s.spoilValue() }, code: fault.SignatureInvalid},
		"a changed certificate":       {to: cades.T, spoil: func(s *scene) { s.changeCertificate("ECDSA", "EcDSA") }, code: fault.SignerReferenceMismatch},
		"a missing certificate":       {to: cades.T, spoil: func(s *scene) { s.changeCertificate("ca", "cb") }, code: fault.SignerCertificateMissing},
		"what the archive covers":     {to: cades.LTA, raised: true, spoil: func(s *scene) { s.change([]byte("ca responder"), []byte("cb responder")) }, code: fault.TimestampInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{w: newWorld(start, 10*year, 3*year)}
			s.m = sign(t, s.w.person("ECDSA"), cades.Options{SigningTime: start})
			if tt.raised {
				extend(t, s.w, s.m, cades.LTA)
			}
			if tt.spoil != nil {
				tt.spoil(s)
			}
			before := encode(t, s.m)
			_, err := s.w.extender(t, "tsa").Extend(context.Background(), s.m, nil, tt.to)
			if !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
			if !bytes.Equal(before, encode(t, s.m)) {
				t.Error("a refusal changed the message")
			}
		})
	}
}

package verifier_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// The times of the matrix. The signature is made on 1 January 2020; what it is
// judged at is injected.
var (
	day0        = time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC)
	before      = day0.AddDate(0, 0, -17)
	after       = day0.AddDate(0, 2, 0)
	whenValid   = time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)
	whenExpired = time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC) // the signer's certificate
	whenAllOver = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) // the CA's and the first authority's too
)

// estate is one PKI of one algorithm.
type estate struct {
	root, ca, signer, responder, lateResponder *party
	stamps, tsa, secondTSA, stranger           *party
	stampsResponder                            *party
	anchors                                    *trust.Store
}

var estates sync.Map

func estateOf(algorithm string) *estate {
	if e, ok := estates.Load(algorithm); ok {
		return e.(*estate)
	}
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	always := term{year(2010), year(2040)}
	e := &estate{}
	e.root = newParty(nil, "Root "+algorithm, algorithm, aCA, always)
	e.ca = newParty(e.root, "CA "+algorithm, algorithm, aCA, term{year(2015), year(2024)})
	e.signer = newParty(e.ca, "Signer", algorithm, aSigner, term{year(2019), year(2021)})
	e.responder = newParty(e.ca, "Responder", algorithm, aResponder, always)
	e.lateResponder = newParty(e.ca, "Short-lived responder", algorithm, aResponder, term{year(2019), year(2021)})
	e.stamps = newParty(e.root, "Time CA "+algorithm, algorithm, aCA, always)
	e.stampsResponder = newParty(e.stamps, "Responder of the time CA", algorithm, aResponder, always)
	e.tsa = newParty(e.stamps, "TSA", algorithm, anAuthority, term{year(2019), year(2023)})
	e.secondTSA = newParty(e.stamps, "Second TSA", algorithm, anAuthority, term{year(2019), year(2030)})
	other := newParty(nil, "Nobody's root", algorithm, aCA, always)
	e.stranger = newParty(other, "TSA of nobody", algorithm, anAuthority, always)
	anchors, err := trust.New(e.root.cert)
	must(err)
	e.anchors = anchors
	estates.Store(algorithm, e)
	return e
}

// event is what became of the signer's certificate.
type event string

const (
	nothing       event = "not revoked"
	revokedBefore event = "revoked before"
	revokedAfter  event = "revoked after"
	heldBefore    event = "on hold before"
	heldAfter     event = "on hold after"
)

func (e event) standing() standing {
	switch e {
	case revokedBefore:
		return standing{revoked: before}
	case revokedAfter:
		return standing{revoked: after}
	case heldBefore:
		return standing{revoked: before, hold: true}
	case heldAfter:
		return standing{revoked: after, hold: true}
	}
	return standing{}
}

// fault is what is wrong with the signature time-stamp.
type stampFault string

const (
	sound     stampFault = "sound"
	otherData stampFault = "over other data"
	broken    stampFault = "broken"
	untrusted stampFault = "by an untrusted authority"
	revoked   stampFault = "by a revoked authority"
	future    stampFault = "from the future"
)

// missing is what the archive time-stamp does not cover.
type missing string

const (
	complete    missing = "nothing"
	noStatus    missing = "the signer's status"
	noCAStatus  missing = "the CA's status"
	noCA        missing = "the CA's certificate"
	noSigner    missing = "the signer's certificate"
	noSignature missing = "the signature"
)

// trial is one cell of the matrix.
type trial struct {
	algorithm string
	level     string
	event     event
	stamp     stampFault
	missing   missing
	keeps     bool // the CA's list keeps what expired
	short     bool // the responder's certificate expired in 2021
	offline   bool // nothing could be fetched at the validation time
	at        time.Time
}

func (c trial) String() string {
	s := fmt.Sprintf("%s, %s, %s, %s, archive without %s, at %s", c.algorithm, c.level, c.event, c.stamp, c.missing, c.at.Format(time.DateOnly))
	for word, is := range map[string]bool{", kept": c.keeps, ", responder expired": c.short, ", offline": c.offline} {
		if is {
			s += word
		}
	}
	return s
}

func (c trial) has(level string) bool {
	order := map[string]int{"B": 0, "T": 1, "LT": 2, "LTA": 3}
	return order[c.level] >= order[level]
}

// made are objects that were made for other trials: the same question, the same
// answer.
var made sync.Map

func remembered(key string, make func() []byte) []byte {
	if raw, ok := made.Load(key); ok {
		return raw.([]byte)
	}
	raw := make()
	made.Store(key, raw)
	return raw
}

// facts are what a reader would have found.
func (c trial) facts() *facts.Facts {
	e := estateOf(c.algorithm)
	f := &facts.Facts{Version: facts.Version, Document: facts.Document{Format: "CAdES"}}
	for _, p := range []*party{e.ca, e.signer, e.stamps, e.tsa, e.secondTSA, e.stranger} {
		f.AddCertificate(p.cert.Raw, facts.FromMessage)
	}
	s := e.signer.signatureBy("S-1", true)
	s.ClaimedTime = &day0
	if c.has("T") {
		s.Timestamps = append(s.Timestamps, c.signatureStamp(e))
	}
	var stored []facts.Object
	if c.has("LT") {
		stored = c.store(e, f)
	}
	if c.has("LTA") {
		s.Timestamps = append(s.Timestamps, c.archiveStamp(e, stored))
	}
	if !c.offline {
		c.fetch(e, f)
	}
	f.Signatures = []facts.Signature{s}
	return f
}

func (c trial) signatureStamp(e *estate) facts.Timestamp {
	by, at := e.tsa, day0.Add(30*time.Second)
	if c.stamp == untrusted {
		by = e.stranger
	}
	if c.stamp == future {
		at = c.at.Add(time.Hour)
	}
	return by.tokenBy("T-1", facts.SignatureTimestamp, at, c.stamp != otherData, c.stamp != broken, facts.Object{Kind: facts.SignatureObject, ID: "S-1"})
}

// store puts what level LT holds into the facts: the status of the signer's and
// the authority's certificates after the time-stamp, and of both CAs by the lists
// of the day.
func (c trial) store(e *estate, f *facts.Facts) (stored []facts.Object) {
	by := e.responder
	if c.short {
		by = e.lateResponder
	}
	at := day0.Add(time.Minute)
	add := func(key string, kind facts.RevocationKind, made func() []byte) {
		raw := remembered(c.algorithm+key, made)
		f.AddRevocation(facts.Revocation{Kind: kind, Raw: raw}, facts.FromAttribute)
		stored = append(stored, object(facts.RevocationObject, raw))
	}
	add(fmt.Sprint("status", c.event, c.short), facts.OCSP, func() []byte { return by.answerAbout(e.signer, at, at.AddDate(0, 0, 1), c.event.standing()) })
	add("list", facts.CRL, func() []byte {
		return e.root.listOf(e.ca, day0.AddDate(0, 0, -3), day0.AddDate(0, 6, 0), standing{}, time.Time{})
	})
	add("tsa", facts.OCSP, func() []byte {
		return e.stampsResponder.answerAbout(e.tsa, at, at.AddDate(0, 0, 1), standing{})
	})
	return stored
}

func (c trial) archiveStamp(e *estate, stored []facts.Object) facts.Timestamp {
	covers := []facts.Object{
		object(facts.CertificateObject, e.tsa.cert.Raw),
		object(facts.CertificateObject, e.stamps.cert.Raw), {Kind: facts.TimestampObject, ID: "T-1"},
	}
	if c.missing != noSignature {
		covers = append(covers, facts.Object{Kind: facts.SignatureObject, ID: "S-1"})
	}
	if c.missing != noSigner {
		covers = append(covers, object(facts.CertificateObject, e.signer.cert.Raw))
	}
	if c.missing != noCA {
		covers = append(covers, object(facts.CertificateObject, e.ca.cert.Raw))
	}
	for i, o := range stored {
		if i == 0 && c.missing == noStatus || i == 1 && c.missing == noCAStatus {
			continue
		}
		covers = append(covers, o)
	}
	return e.secondTSA.tokenBy("T-2", facts.ArchiveTimestampV3, day0.AddDate(0, 0, 1), true, true, covers...)
}

// fetch puts what can be had at the validation time into the facts. Who has
// expired is no longer spoken of, unless the CA keeps it.
func (c trial) fetch(e *estate, f *facts.Facts) {
	at, next := c.at.Add(-time.Hour), c.at.AddDate(0, 0, 1)
	add := func(key string, kind facts.RevocationKind, made func() []byte) {
		raw := remembered(fmt.Sprint(c.algorithm, key, c.at), made)
		f.AddRevocation(facts.Revocation{Kind: kind, Raw: raw}, facts.FromFetched)
	}
	lives := func(p *party) bool { return c.at.Before(p.cert.NotAfter) }
	if lives(e.ca) && (lives(e.signer) || c.keeps) {
		var keeps time.Time
		if c.keeps {
			keeps = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		add(fmt.Sprint("online", c.event, c.keeps), facts.CRL, func() []byte { return e.ca.listOf(e.signer, at, next, c.event.standing(), keeps) })
	}
	if lives(e.ca) {
		add("online ca", facts.CRL, func() []byte { return e.root.listOf(e.ca, at, next, standing{}, time.Time{}) })
	} else {
		add("online root", facts.CRL, func() []byte { return e.root.listOf(e.stamps, at, next, standing{}, time.Time{}) })
	}
	if lives(e.tsa) {
		var s standing
		if c.stamp == revoked {
			s.revoked = before
		}
		add(fmt.Sprint("online tsa", c.stamp == revoked), facts.OCSP, func() []byte { return e.stampsResponder.answerAbout(e.tsa, at, next, s) })
	}
	add("online second tsa", facts.OCSP, func() []byte { return e.stampsResponder.answerAbout(e.secondTSA, at, next, standing{}) })
}

// expectation is what a clause of EN 319 102-1 (V1.3.1) says of a trial.
type expectation struct {
	indication verifier.Indication
	sub        verifier.SubIndication
	clause     string
}

// proven reports whether a token that is valid at the validation time, alone or
// by proofs, shows the signature to be of January 2020.
func (c trial) proven() bool {
	bySignature := c.has("T") && c.stamp == sound && !c.offline && c.at != whenAllOver
	byArchive := c.has("LTA") && (c.missing != noSignature || c.stamp == sound) && !c.offline // T-1 is covered, and lifted
	return bySignature || byArchive
}

// knownNow reports whether the CA still speaks of the signer.
func (c trial) knownNow() bool {
	return !c.offline && (c.at == whenValid || c.at == whenExpired && c.keeps)
}

// expected derives the verdict: the first row that is about the trial.
func (c trial) expected() expectation {
	expired := c.at != whenValid
	stored := c.has("LT")
	usable := stored && !(c.short && c.at.After(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC))) // its responder's certificate has not expired
	known := c.knownNow() || stored
	held := c.event == heldBefore || c.event == heldAfter
	gone := c.event == revokedBefore || c.event == revokedAfter
	early := c.event == revokedBefore || c.event == heldBefore
	heard := c.knownNow() || early && stored // of what became of the certificate
	const open, passed = verifier.Indeterminate, verifier.TotalPassed
	for _, row := range []struct {
		about bool
		expectation
	}{
		// What is known to be revoked is reported before what is out of bounds.
		{heard && gone && early, expectation{open, verifier.RevokedNoPOE, "5.3.4 step 4; 5.5.4 step 3 a: revoked before the best signature time"}},
		{heard && gone && !c.proven(), expectation{open, verifier.RevokedNoPOE, "5.3.4 step 4: no proof that the signature is older"}},
		{heard && gone, expectation{passed, "", "5.5.4 step 3 a: revoked after the best signature time"}},
		{heard && held && !expired && early, expectation{open, verifier.TryLater, "5.2.6.4 step 3: on hold before the best signature time"}},
		{heard && held && !expired && !c.proven(), expectation{open, verifier.TryLater, "5.2.6.4 step 3: on hold, nothing older"}},
		{heard && held && !expired, expectation{passed, "", "5.5.4 step 3: suspended after the best signature time"}},
		{c.offline && !expired, expectation{open, verifier.TryLater, "5.2.6.4 step 4: no fresh information about the path"}},
		{!expired, expectation{passed, "", "5.3.4"}},

		{c.at == whenExpired && !known, expectation{open, verifier.OutOfBoundsNoPOE, "5.2.6.4 step 3: expired, nothing known"}},
		{c.at == whenExpired && !c.proven() && c.knownNow(), expectation{open, verifier.OutOfBoundsNotRevoked, "5.2.6.4 step 3: expired, not revoked, no proof"}},
		{c.at == whenExpired && c.knownNow(), expectation{passed, "", "5.5.4 step 3 c: not revoked, best signature time within the validity"}},
		{!c.proven(), expectation{open, verifier.OutOfBoundsNoPOE, "5.6.2.4.4 step 2: no proof of existence of the signature"}},
		{c.at == whenExpired && usable, expectation{passed, "", "5.5.4 step 3 with 5.2.5: the status was fresh at the best signature time"}},
		{c.has("LTA") && c.missing == noStatus && (c.at == whenAllOver || c.short), expectation{open, verifier.OutOfBoundsNoPOE, "5.6.2.2.4 step 2 a: no proof of existence of the status"}},
		{c.has("LTA") && c.at == whenAllOver && c.missing == noSigner, expectation{open, verifier.OutOfBoundsNoPOE, "5.6.2.2.4 step 2 b: no proof of existence of the certificate"}},
		{c.has("LTA") && (c.missing == noCA || c.missing == noCAStatus), expectation{passed, "", "5.6.2.2.4 step 2: what the anchor issued need exist at the first control time alone, which is now"}},
		{c.has("LTA"), expectation{passed, "", "5.6.2.4.4 step 2: the proofs lie before the control time"}},
	} {
		if row.about {
			return row.expectation
		}
	}
	return expectation{open, verifier.OutOfBoundsNoPOE, "5.6.2.4.4 step 4: nothing lifts it"}
}

// trials lists the cells.
func trials() (list []trial) {
	events := []event{nothing, revokedBefore, revokedAfter, heldBefore, heldAfter}
	for _, algorithm := range []string{"RSA-2048", "P-256", "Ed25519", "GOST-512"} {
		for _, level := range []string{"B", "T", "LT", "LTA"} {
			faults := []stampFault{sound, otherData, broken, untrusted, revoked, future}
			if level == "B" {
				faults = faults[:1]
			}
			for _, fault := range faults {
				for _, e := range events {
					list = append(list, trial{algorithm: algorithm, level: level, event: e, stamp: fault, missing: complete, at: whenValid})
				}
			}
			list = append(list, trial{algorithm: algorithm, level: level, event: nothing, stamp: sound, missing: complete, at: whenValid, offline: true})
			for _, e := range []event{nothing, revokedBefore, revokedAfter} {
				for _, keeps := range []bool{false, true} {
					for _, fault := range faults[:min(len(faults), 4)] {
						list = append(list, trial{algorithm: algorithm, level: level, event: e, stamp: fault, missing: complete, keeps: keeps, at: whenExpired})
					}
				}
			}
		}
		for _, level := range []string{"LT", "LTA"} {
			for _, m := range []missing{complete, noStatus} {
				list = append(list, trial{algorithm: algorithm, level: level, event: nothing, stamp: sound, missing: m, short: true, at: whenExpired})
			}
		}
		for _, level := range []string{"B", "T", "LT", "LTA"} {
			for _, m := range []missing{complete, noStatus, noCAStatus, noCA, noSigner, noSignature} {
				for _, e := range []event{nothing, revokedBefore, revokedAfter} {
					if level != "LTA" && m != complete {
						continue
					}
					list = append(list, trial{algorithm: algorithm, level: level, event: e, stamp: sound, missing: m, at: whenAllOver})
				}
			}
		}
	}
	return list
}

// Every cell of the matrix gets the verdict of the clause that is about it.
func TestMatrix(t *testing.T) {
	policy, err := verifier.ParsePolicy([]byte(matrixPolicy))
	if err != nil {
		t.Fatal(err)
	}
	list := trials()
	if len(list) < 200 {
		t.Fatalf("%d cases", len(list))
	}
	wrong := 0
	var session verifier.Session
	for i, c := range list {
		want := c.expected()
		found := c.facts()
		anchors := estateOf(c.algorithm).anchors
		r := session.Judge(found, policy, anchors, c.at)
		got := r.Signatures[0]
		if got.Indication != want.indication || got.SubIndication != want.sub {
			if wrong++; wrong < 20 {
				t.Errorf("%s: %s/%s, want %s/%s by %s\n%v", c, got.Indication, got.SubIndication, want.indication, want.sub, want.clause, got.Errors)
			}
		}
		if wantLevel := c.recognised(); got.Level != wantLevel {
			t.Errorf("%s: level %s, want %s", c, got.Level, wantLevel)
		}
		if i%8 == 0 {
			sameReport(t, c.String(), r, verifier.Judge(found, policy, anchors, c.at))
		}
	}
	t.Logf("%d cases, %d wrong", len(list), wrong)
}

// sameReport compares two reports byte for byte.
func sameReport(t *testing.T, name string, a, b *verifier.Report) {
	t.Helper()
	var first, second bytes.Buffer
	must(a.WriteJSON(&first))
	must(b.WriteJSON(&second))
	if first.String() != second.String() {
		t.Errorf("%s: a session changes the report:\n%s\n%s", name, first.String(), second.String())
	}
}

// recognised is the level that the signature has by its content: a token that is
// over something else, or does not verify, makes no level T.
func (c trial) recognised() string {
	if c.has("T") && (c.stamp == otherData || c.stamp == broken) {
		return "B"
	}
	return c.level
}

// matrixPolicy is strict about everything but lets the algorithms be.
const matrixPolicy = `
name: matrix
extends: kz-qualified
cryptography:
  default:
    digests: [{name: SHA-256}, {name: SHA-512}, {name: Streebog-512}]
    keys: [{name: RSA, bits: 2048}, {name: ECDSA, bits: 256}, {name: Ed25519}, {name: ST RK GOST R 34.10-2015 (512)}]
`

package verifier

import (
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier/facts"
)

// countersMax bounds counter-signatures of counter-signatures.
const countersMax = 4

// signature validates one signature by the processes of §5.3, §5.5 and §5.6, each
// where the one before leaves something to lift.
func (j *judgement) signature(s *facts.Signature, depth int) SignatureReport {
	object := facts.Object{Kind: facts.SignatureObject, ID: s.ID}
	h := &hearing{judgement: j, Signature: s, object: object, stamps: j.stampsOf(s), best: j.at}
	h.leaf, h.level = h.levelOf()
	h.basic = j.basic(s, object, forSigning, j.present(), h.level)
	j.proveLate(h.basic, latestContentTime(h.stamps))
	h.extractProofs()
	h.validateWithTime()
	h.validateWithArchivalData()
	return h.report(depth)
}

// hearing is the validation of one signature.
type hearing struct {
	*judgement
	*facts.Signature
	object facts.Object
	stamps []*stamp
	level  string
	leaf   *cert.Certificate // that the level was found with; nil if none

	basic *outcome // §5.3, at the validation time
	// What holds so far, and where it was found.
	status Status
	sub    SubIndication
	last   *outcome // whose path and evidence are reported
	best   time.Time

	time, archival *block // §5.5, §5.6; the latter nil if it had nothing to do

	past   *block  // of §5.6, with the tokens' proofs; nil without tokens
	proven *proofs // by all tokens that passed
	lifts  bool    // past signature validation was tried on a token
}

// liftable are the outcomes that another time may change (§5.5.4, step 3: the
// process goes on only with these).
var liftable = map[SubIndication]bool{
	RevokedNoPOE: true, RevokedCANoPOE: true, OutOfBoundsNoPOE: true, OutOfBoundsNotRevoked: true,
	RevocationOutOfBounds: true, CryptoConstraintsNoPOE: true, TryLater: true, NoCertificateChainNoPOE: true,
}

// validateWithTime is the validation process for signatures with time (§5.5): the
// basic outcome is judged anew at the best signature time, the earliest that a
// token valid now proves.
//
// The standard names for each sub-indication what must hold then: revoked after
// it, expired after it, information fresh at it, algorithms good enough at it. All
// of that is X.509 validation and signature acceptance at that time, so these run
// again, whole: a certificate may be both revoked and expired.
func (h *hearing) validateWithTime() {
	b := h.arena.block(blockTime)
	h.time, h.last = b, h.basic
	h.status, h.sub = h.basic.status, h.basic.sub
	h.best = h.bestSignatureTime()
	b.pass("best_signature_time", h.timeText(h.best))
	if h.status != "" && !liftable[h.sub] {
		b.status, b.sub = h.status, h.sub
		return
	}
	if h.isTooOld(b, h.best) {
		h.status, h.sub = b.status, b.sub
		return
	}
	if h.status != "" && h.best.Before(h.at) && !h.needsProofs() {
		h.again(b)
	}
	if h.status == "" {
		h.checkTimes(b)
	}
	if b.passed() {
		b.status, b.sub = h.status, h.sub
	}
	h.status, h.sub = b.status, b.sub
}

// bestSignatureTime is the earliest time that a token which is valid now proves
// for the signature; the validation time if none does (§5.5.4, step 2).
func (h *hearing) bestSignatureTime() time.Time {
	if len(h.stamps) == 0 {
		return h.at
	}
	proven := newProofs(h.at)
	for _, s := range h.stamps {
		if s.now {
			proven.extract(s.Timestamp, h.object)
		}
	}
	return proven.lowest(h.object)
}

// needsProofs reports a path of which a CA has expired as well. Who signs with a
// CA's key after that nobody knows, so what it signed counts only with a proof of
// existence (§5.6).
func (h *hearing) needsProofs() bool {
	for i, c := range h.basic.path {
		if i > 0 && i < len(h.basic.path)-1 && !c.Covers(h.at) {
			return true
		}
	}
	return false
}

// isTooOld notes that the signature was there before its certificate was.
func (h *hearing) isTooOld(b *block, best time.Time) bool {
	signer := h.basic.signer
	if signer == nil || !best.Before(signer.NotBefore) {
		return false
	}
	b.fail("certificate_issued_before_signature", NotYetValid, finding(fault.CertificateNotYetValid, formatTime(signer.NotBefore)))
	return true
}

// again runs the basic process at the best signature time. What is still unknown
// then keeps the reason that it had.
func (h *hearing) again(b *block) {
	proven := newProofs(h.at)
	proven.add(h.object, h.best)
	o := h.judgement.basic(h.Signature, h.object, forSigning, moment{at: h.best, proofs: proven, now: h.at}, h.level)
	for _, done := range o.blocks {
		b.constraints = append(b.constraints, done.constraint())
	}
	if o.status == StatusIndeterminate && stillUnknown[o.sub] {
		b.errors = append(b.errors, errorsOf(o)...)
		return
	}
	h.status, h.sub, h.last = o.status, o.sub, o
	b.errors = append(b.errors, errorsOf(o)...)
}

// stillUnknown are outcomes at the best signature time that say less than the
// one at the validation time.
var stillUnknown = map[SubIndication]bool{
	TryLater: true, CertificateChainFailure: true, RevocationOutOfBounds: true, OutOfBoundsNoPOE: true, OutOfBoundsNotRevoked: true,
}

func errorsOf(o *outcome) (list []Message) {
	for _, b := range o.blocks {
		list = append(list, b.errors...)
	}
	return list
}

// checkTimes holds the tokens and the claimed time of a signature that is valid
// otherwise against the policy (§5.5.4, steps 5 and 6).
func (h *hearing) checkTimes(b *block) {
	r := &h.policy.Timestamps
	if f, ok := checkOrder(h.stamps); !ok {
		b.apply(r.Order, "time_stamp_order", TimestampOrderFailure, f)
	} else if len(h.stamps) > 1 {
		b.pass("time_stamp_order", "")
	}
	for _, required := range []struct {
		level Level
		kind  facts.TimestampKind
	}{{r.Required, facts.SignatureTimestamp}, {r.ContentRequired, facts.ContentTimestamp}} {
		if required.level != Ignore && !slices.ContainsFunc(h.stamps, func(s *stamp) bool { return s.passed && s.Kind == required.kind }) {
			b.apply(required.level, "time_stamp_present", SigConstraintsFailure, finding(fault.TimestampRequired, string(required.kind)))
		}
	}
	if r.Delay.Level != Ignore && h.ClaimedTime != nil && h.best.Sub(*h.ClaimedTime) > r.Delay.Max {
		b.apply(r.Delay.Level, "time_stamp_delay", SigConstraintsFailure, finding(fault.TimestampLate, h.best.Sub(*h.ClaimedTime).String()))
	}
}

// levelOrder lists the levels from the least.
var levelOrder = []string{"CMS", "B", "T", "LT", "LTA"}

// levelOf recognises the level of EN 319 122-1 from what the signature carries:
// CMS without a protected reference to its certificate, B with one, T with a
// signature time-stamp that belongs to it, LT with revocation information about
// the signing certificate inside, LTA with an archive time-stamp that belongs to
// it. Whether any of it is valid is another question.
func (h *hearing) levelOf() (leaf *cert.Certificate, level string) {
	if c := choose(h.Signature); c != nil {
		leaf = h.byID[c.Certificate]
	}
	switch {
	case len(h.References) == 0:
		return leaf, "CMS"
	case !h.carries(func(k facts.TimestampKind) bool { return k == facts.SignatureTimestamp }):
		return leaf, "B"
	case leaf == nil || !h.carriesStatus(leaf):
		return leaf, "T"
	case !h.carries(facts.TimestampKind.IsArchive):
		return leaf, "LT"
	}
	return leaf, "LTA"
}

// carries reports whether a token of some kind belongs to the signature: its
// imprint is of it, and its value holds.
func (h *hearing) carries(is func(facts.TimestampKind) bool) bool {
	for i := range h.Timestamps {
		t := &h.Timestamps[i]
		if is(t.Kind) && t.ImprintIntact && t.Token != nil && slices.ContainsFunc(t.Token.Candidates, func(c facts.Candidate) bool { return c.Verified }) {
			return true
		}
	}
	return false
}

// carriesStatus reports whether the document itself holds revocation information
// about a certificate.
func (h *hearing) carriesStatus(leaf *cert.Certificate) bool {
	for i := range h.facts.Revocations {
		r := &h.facts.Revocations[i]
		if !r.From(facts.FromMessage) && !r.From(facts.FromAttribute) {
			continue
		}
		for _, issuer := range h.pool {
			if issuer == leaf || !leaf.IssuedInNameOf(issuer) {
				continue
			}
			if h.session.answer(r, leaf, issuer).err == nil {
				return true
			}
		}
	}
	return false
}

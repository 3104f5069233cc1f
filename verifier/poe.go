package verifier

import (
	"time"

	"github.com/senim-kz/senim/verifier/facts"
)

// proofs is a set of proofs of existence (§5.6.2.3): for each object the
// earliest time at which something proves that it existed. Whatever is here
// existed at the validation time.
type proofs struct {
	now      time.Time
	earliest map[facts.Object]time.Time
}

func newProofs(now time.Time) *proofs { return &proofs{now: now} }

// lowest is the earliest time at which the object is proven to have existed.
func (p *proofs) lowest(o facts.Object) time.Time {
	if at, ok := p.earliest[o]; ok {
		return at
	}
	return p.now
}

// add notes that an object existed at a time.
func (p *proofs) add(o facts.Object, at time.Time) {
	if !at.Before(p.lowest(o)) {
		return
	}
	if p.earliest == nil {
		p.earliest = map[facts.Object]time.Time{}
	}
	p.earliest[o] = at
}

// extract is POE extraction from a time-stamp that passed: what its imprint is
// over existed when it was made. A signature time-stamp is over the value of the
// signature that carries it, by definition.
func (p *proofs) extract(t *facts.Timestamp, carrier facts.Object) {
	for _, o := range t.Covers {
		p.add(o, t.Time.UTC())
	}
	if t.Kind == facts.SignatureTimestamp {
		p.add(carrier, t.Time.UTC())
	}
}

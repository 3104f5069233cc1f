package verifier

import (
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier/facts"
)

// weakness is an algorithm that the policy does not hold good enough for the
// material that uses it, at the time that counts for it.
type weakness struct {
	material facts.Object
	until    time.Time // when it stopped being good enough; zero: it never was
}

// liftedBy reports whether the material is proven to be older than the
// weakness (§5.6.2.4.4, step 3).
func (w weakness) liftedBy(at time.Time) bool { return !w.until.IsZero() && at.Before(w.until) }

// distantFuture is a time at which only what has no end is good enough.
var distantFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// orNever writes the end that a policy gives for an algorithm, zero for none, as
// a time that compares.
func orNever(until time.Time) time.Time {
	if until.IsZero() {
		return distantFuture
	}
	return until
}

// algorithmUse is one use of algorithms: a digest, a key, or both, in some material.
type algorithmUse struct {
	purpose  purpose
	material facts.Object
	digest   *algo.Digest // nil: none
	key      algo.Key     // without a name: none
}

// unknownKey is in no policy.
var unknownKey = algo.Key{Name: "a key of an algorithm that is not known"}

// keyOf describes a certificate's key.
func keyOf(c *cert.Certificate) algo.Key {
	if k, ok := algo.KeyOf(c.PublicKey); ok {
		return k
	}
	return unknownKey
}

// until says when the first of the algorithms stops being good enough, and which
// it is.
func (j *judgement) until(u algorithmUse) (until time.Time, ever bool, name string) {
	suite := j.policy.Cryptography.suite(u.purpose)
	key := suiteUse{suite, u.digest, u.key}
	if known, ok := j.session.suites[key]; ok {
		return known.until, known.ever, known.name
	}
	until, ever, name = holds(suite, u)
	j.session.remember(256)
	if j.session.suites == nil {
		j.session.suites = map[suiteUse]held{}
	}
	j.session.suites[key] = held{until, ever, name}
	return until, ever, name
}

// suiteUse is a use of algorithms under a suite, held what becomes of it.
type suiteUse struct {
	suite  *trust.CryptoPolicy
	digest *algo.Digest
	key    algo.Key
}

type held struct {
	until time.Time
	ever  bool
	name  string
}

func holds(suite *trust.CryptoPolicy, u algorithmUse) (until time.Time, ever bool, name string) {
	if suite == nil {
		suite = &trust.CryptoPolicy{} // in which nothing is good enough
	}
	until, ever = distantFuture, true
	if u.digest != nil {
		until, ever = suite.DigestUntil(u.digest)
		if until = orNever(until); !ever || until != distantFuture {
			name = u.digest.Name
		}
	}
	if u.key.Name != "" && ever {
		t, ok := suite.KeyUntil(u.key)
		if t = orNever(t); !ok || t.Before(until) {
			until, ever, name = t, ok, fmt.Sprintf("%s of %d bits", u.key.Name, u.key.Bits)
		}
	}
	if !ever {
		until = time.Time{}
	}
	return until, ever, name
}

// checkUse holds one use of algorithms against the policy at the time that
// counts for the material.
func (j *judgement) checkUse(b *block, weak *[]weakness, constraint string, u algorithmUse, c moment) {
	if j.policy.Cryptography.Level == Ignore {
		return
	}
	until, ever, name := j.until(u)
	if at := c.of(u.material); ever && at.Before(until) {
		return
	}
	detail := name
	if ever {
		detail = fmt.Sprintf("%s: good enough until %s", name, until.Format(time.DateOnly))
	}
	b.apply(j.policy.Cryptography.Level, constraint, CryptoConstraintsNoPOE, finding(fault.AlgorithmForbidden, detail))
	if j.policy.Cryptography.Level == Fail && weak != nil {
		*weak = append(*weak, weakness{u.material, until})
	}
}

// allowsUse reports whether the algorithms are good enough at the time that
// counts for the material, or the policy does not insist.
func (j *judgement) allowsUse(u algorithmUse, c moment) bool {
	if j.policy.Cryptography.Level != Fail {
		return true
	}
	until, ever, _ := j.until(u)
	return ever && c.of(u.material).Before(until)
}

// moment says at which time things are judged: the certificate path at at, and
// algorithms at the earliest time at which the material that uses them is proven
// to have existed.
type moment struct {
	at     time.Time
	proofs *proofs // nil: nothing is proven to be older
	now    time.Time
}

// of gives the time that counts for a piece of material.
func (c moment) of(o facts.Object) time.Time {
	if c.proofs == nil {
		return c.now
	}
	return c.proofs.lowest(o)
}

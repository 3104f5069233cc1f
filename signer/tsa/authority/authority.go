package authority

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"io"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

const (
	// inFlightMax is how many requests are at work at once by default. At 5 000
	// tokens a second that is a fifth of a second of work; who comes on top is
	// told to come again.
	inFlightMax = 1024
	policiesMax = 32
)

// Resolution is that of the times in tokens: a time is cut to it, so that the clock
// must be better than the accuracy that is stated by as much.
const Resolution = time.Millisecond

// Config of an Authority.
type Config struct {
	// Policies, the default one first.
	Policies []Policy
	// Time is the time to stamp with, or why there is none: clock.Monitor.Time.
	Time    func() (time.Time, error)
	Journal *Journal
	// Now measures how long things take; it is never put into a token.
	Now      func() time.Time
	Random   io.Reader // of serial numbers; nil means the system's
	InFlight int       // requests at work at once; zero means 1024
	Metrics  *Metrics  // nil counts nothing
}

// Authority issues tokens. It is safe for concurrent use.
type Authority struct {
	c        Config
	policies []*policy
	slots    chan struct{}
}

// New checks the policies and prepares what is alike in all their tokens.
func New(c Config) (*Authority, error) {
	if c.Time == nil || c.Journal == nil || c.Now == nil || c.InFlight < 0 {
		return nil, fault.New(fault.BadArgument, "", "a time-stamping authority needs a time, a journal and a clock")
	}
	if len(c.Policies) == 0 || len(c.Policies) > policiesMax {
		return nil, fault.New(fault.BadArgument, "", "%d policies; 1 to %d are possible", len(c.Policies), policiesMax)
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.InFlight == 0 {
		c.InFlight = inFlightMax
	}
	a := &Authority{c: c, slots: make(chan struct{}, c.InFlight)}
	for _, p := range c.Policies {
		if a.find(p.OID) != nil {
			return nil, fault.New(fault.BadArgument, p.OID.String(), "the policy is there twice")
		}
		made, err := newPolicy(p)
		if err != nil {
			return nil, err
		}
		a.policies = append(a.policies, made)
	}
	return a, nil
}

func (a *Authority) find(oid asn1.ObjectIdentifier) *policy {
	for _, p := range a.policies {
		if p.OID.Equal(oid) {
			return p
		}
	}
	return nil
}

// Stamp is an issued token.
type Stamp struct {
	Reply    []byte // TimeStampResp
	Token    []byte // the ContentInfo inside
	Serial   [SerialBytes]byte
	Policy   asn1.ObjectIdentifier
	Time     time.Time
	Accuracy time.Duration
}

// Stamp issues a token. The refusals: tsa_policy_unaccepted,
// tsa_digest_unaccepted, time_not_available, overloaded, tsa_key_missing, and
// what the key or the database failed with.
func (a *Authority) Stamp(ctx context.Context, q *Query) (*Stamp, error) {
	s, err := a.stamp(ctx, q)
	outcome := ""
	if err != nil {
		outcome = failureOf(fault.CodeOf(err)).name
	}
	a.c.Metrics.replied(outcome)
	return s, err
}

func (a *Authority) stamp(ctx context.Context, q *Query) (*Stamp, error) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		return nil, fault.New(fault.Overloaded, "", "%d time-stamps are being made", a.c.InFlight)
	}
	a.c.Journal.begin()
	defer a.c.Journal.end()
	p := a.policies[0]
	if len(q.Policy) > 0 {
		if p = a.find(q.Policy); p == nil {
			return nil, fault.New(fault.TSAPolicyUnaccepted, "", "%s", q.Policy)
		}
	}
	if !p.accepts(q.Digest) {
		return nil, fault.New(fault.TSADigestUnaccepted, "", "%s under %s", q.Digest.Name, p.OID)
	}
	return a.issue(ctx, p, q)
}

// issue makes a token, has it recorded, and only then returns it.
func (a *Authority) issue(ctx context.Context, p *policy, q *Query) (*Stamp, error) {
	at, err := a.c.Time()
	if err != nil {
		return nil, err
	}
	at = at.UTC().Truncate(Resolution)
	u := p.unitAt(at)
	if u == nil {
		return nil, fault.New(fault.TSAKeyMissing, "", "under %s", p.OID)
	}
	s := &Stamp{Policy: p.OID, Time: at, Accuracy: p.Accuracy}
	if s.Serial, err = newSerial(at, a.c.Random); err != nil {
		return nil, err
	}
	if err := a.make(ctx, u, q, s); err != nil {
		return nil, err
	}
	yield()
	if err := check(u, q, s); err != nil {
		return nil, err
	}
	yield()
	began := a.c.Now()
	if err := a.c.Journal.Append(ctx, recordOf(u, q, s)); err != nil {
		return nil, err
	}
	a.c.Metrics.waited(a.c.Now().Sub(began))
	// While the key signed and the record was written the clock may have been
	// found wrong: then the token's time is in doubt, and it stays here. So it does if
	// the certificate was revoked.
	if _, err := a.c.Time(); err != nil {
		return nil, err
	}
	if u.revoked.Load() {
		return nil, fault.New(fault.TSAKeyMissing, "", "the certificate of the key of %s was revoked", p.OID)
	}
	return s, nil
}

// make encodes and signs.
func (a *Authority) make(ctx context.Context, u *unit, q *Query, s *Stamp) error {
	info := u.info(q, s)
	attributes := u.signedAttributes(info)
	began := a.c.Now()
	signature, err := u.sign(ctx, attributes)
	if err != nil {
		return err
	}
	a.c.Metrics.signed(a.c.Now().Sub(began))
	s.Reply, s.Token = u.reply(info, attributes, signature, q.CertReq)
	return nil
}

// Certificates are those of all keys, of the past and of the future too: tokens
// may come without theirs.
func (a *Authority) Certificates() []*cert.Certificate {
	var all []*cert.Certificate
	for _, p := range a.policies {
		for _, u := range p.units {
			all = append(all, u.certificate)
		}
	}
	return all
}

// SetRevoked has the keys of a certificate sign no more, from this moment on, or again
// if it was only on hold, and reports whether that is new. Who knows of revocations
// calls it.
func (a *Authority) SetRevoked(c *cert.Certificate, revoked bool) (changed bool) {
	for _, p := range a.policies {
		for _, u := range p.units {
			if u.fingerprint == c.Fingerprint() && u.revoked.Swap(revoked) != revoked {
				changed = true
			}
		}
	}
	return changed
}

// Check makes sure that every policy has a key now, and still will for as long as
// given: for readiness.
func (a *Authority) Check(at time.Time, ahead time.Duration) error {
	for _, p := range a.policies {
		if p.unitAt(at) == nil {
			return fault.New(fault.TSAKeyMissing, "", "under %s", p.OID)
		}
		if end := p.end(at); end.Before(at.Add(ahead)) {
			return fault.New(fault.TSAKeyExpiring, "", "no key of %s follows the one that ends at %s", p.OID, end.Format(time.RFC3339))
		}
	}
	return nil
}

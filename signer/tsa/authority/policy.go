package authority

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/tsp"
)

// Policy is one of the policies that tokens are issued under.
type Policy struct {
	OID asn1.ObjectIdentifier
	// Digests that imprints may be made with; empty means DefaultDigests.
	Digests []*algo.Digest
	// Accuracy is stated in every token: whole microseconds. The clock is held to
	// the best one of all policies.
	Accuracy time.Duration
	// Keys take turns: of those valid at a time the one whose From is latest
	// signs. Their times may overlap.
	Keys []Key
}

// Key signs tokens.
type Key struct {
	Signer      crypto.Signer
	Certificate *cert.Certificate
	Chain       []*cert.Certificate // sent along with the certificate
	// From and Until bound when the key signs, inside the validity of its
	// certificate; zero leaves it at that.
	From, Until time.Time
}

// DefaultDigests are the digests whose collisions nobody can find (ETSI TS 119
// 312), and Kazakhstan's.
func DefaultDigests() []*algo.Digest {
	return []*algo.Digest{
		algo.SHA256, algo.SHA384, algo.SHA512, algo.SHA512x256, algo.SHA3x256, algo.SHA3x384, algo.SHA3x512,
		algo.Streebog256, algo.Streebog512,
	}
}

const (
	keysMax = 16 // of a policy
	// accuracyMax: EN 319 421 asks for one second; ten are still a time-stamp.
	accuracyMax = 10 * time.Second
)

// policy is a Policy that was checked, with its keys from the newest to the
// oldest.
type policy struct {
	Policy
	units []*unit
}

func newPolicy(p Policy) (*policy, error) {
	if len(p.Digests) == 0 {
		p.Digests = DefaultDigests()
	}
	name := p.OID.String()
	if _, err := asn1.Marshal(p.OID); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, name, "the policy's identifier is none")
	}
	switch {
	case p.Accuracy <= 0 || p.Accuracy > accuracyMax || p.Accuracy%time.Microsecond != 0:
		return nil, fault.New(fault.BadArgument, name, "an accuracy of %s; more than nothing and at most %s is possible, in microseconds", p.Accuracy, accuracyMax)
	case len(p.Keys) == 0 || len(p.Keys) > keysMax:
		return nil, fault.New(fault.BadArgument, name, "%d keys; 1 to %d are possible", len(p.Keys), keysMax)
	}
	made := &policy{Policy: p}
	for _, k := range p.Keys {
		u, err := newUnit(made, k)
		if err != nil {
			return nil, fault.Wrap(err, fault.CodeOf(err), name, "a key of the policy")
		}
		made.units = append(made.units, u)
	}
	slices.SortStableFunc(made.units, func(a, b *unit) int { return b.from.Compare(a.from) })
	return made, nil
}

func (p *policy) accepts(d *algo.Digest) bool { return slices.Contains(p.Digests, d) }

// unitAt is the key that signs at a time; nil if none is valid.
func (p *policy) unitAt(at time.Time) *unit {
	for _, u := range p.units {
		if !at.Before(u.from) && at.Before(u.until) && !u.revoked.Load() {
			return u
		}
	}
	return nil
}

// end is until when some key signs without a gap, from a time on.
func (p *policy) end(at time.Time) time.Time {
	for u := p.unitAt(at); u != nil; u = p.unitAt(at) {
		at = u.until
	}
	return at
}

// unit is a time-stamping unit (EN 319 421 §3.1): a key, with all that is alike
// in its tokens, encoded once.
type unit struct {
	from, until time.Time
	signer      crypto.Signer
	certificate *cert.Certificate
	algorithm   *algo.Signature
	fingerprint [sha256.Size]byte
	policy      string // dotted
	revoked     atomic.Bool

	encoded
}

func newUnit(p *policy, k Key) (*unit, error) {
	if k.Signer == nil || k.Certificate == nil {
		return nil, fault.New(fault.BadArgument, "", "a key and its certificate are needed")
	}
	u := &unit{signer: k.Signer, certificate: k.Certificate, fingerprint: k.Certificate.Fingerprint(), policy: p.OID.String()}
	public, known := k.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !known || k.Certificate.PublicKey == nil || !public.Equal(k.Certificate.PublicKey) {
		return nil, fault.New(fault.KeyCertificateMismatch, "", "the certificate holds another public key")
	}
	if err := tsp.CheckAuthority(k.Certificate); err != nil {
		return nil, err
	}
	var err error
	if u.algorithm, err = algo.SignatureFor(k.Signer.Public(), digestFor(k.Signer.Public())); err != nil {
		return nil, err
	}
	if u.from, u.until, err = window(k); err != nil {
		return nil, err
	}
	algo.Prepare(k.Certificate.PublicKey) // each of its tokens is verified before it leaves
	u.encoded, err = encode(p, u, k.Chain)
	return u, err
}

// digestFor is the digest that goes with the strength of a key.
func digestFor(public crypto.PublicKey) *algo.Digest {
	if key, ok := public.(*ecdsa.PublicKey); ok {
		switch bits := key.Curve.Params().BitSize; {
		case bits > 384:
			return algo.SHA512
		case bits > 256:
			return algo.SHA384
		}
	}
	return algo.DigestFor(public)
}

var oidPrivateKeyUsagePeriod = asn1.ObjectIdentifier{2, 5, 29, 16}

// window is when a key signs: within the configured times, its certificate's
// validity and the period that the certificate allows its private key.
func window(k Key) (from, until time.Time, err error) {
	from, until = k.Certificate.NotBefore, k.Certificate.NotAfter
	narrow := func(notBefore, notAfter time.Time) {
		if notBefore.After(from) {
			from = notBefore
		}
		if !notAfter.IsZero() && notAfter.Before(until) {
			until = notAfter
		}
	}
	narrow(k.From, k.Until)
	if e, there := k.Certificate.Extension(oidPrivateKeyUsagePeriod); there {
		notBefore, notAfter, ok := usagePeriod(e.Value)
		if !ok {
			return from, until, fault.New(fault.BadArgument, "", "the certificate's private key usage period cannot be read")
		}
		narrow(notBefore, notAfter)
	}
	if !from.Before(until) {
		return from, until, fault.New(fault.BadArgument, "", "the key would be valid from %s until %s", from.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	return from, until, nil
}

// usagePeriod reads PrivateKeyUsagePeriod (RFC 3280 §4.2.1.4): GeneralizedTimes
// under [0] and [1], each optional.
func usagePeriod(der []byte) (notBefore, notAfter time.Time, ok bool) {
	input := cryptobyte.String(der)
	var body cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() {
		return notBefore, notAfter, false
	}
	for n, into := range []*time.Time{&notBefore, &notAfter} {
		var text cryptobyte.String
		var there bool
		if !body.ReadOptionalASN1(&text, &there, cbasn1.Tag(n).ContextSpecific()) {
			return notBefore, notAfter, false
		}
		if !there {
			continue
		}
		at, err := time.Parse("20060102150405Z", string(text))
		if err != nil {
			return notBefore, notAfter, false
		}
		*into = at
	}
	return notBefore, notAfter, body.Empty()
}

// contextSigner is a key whose wait for a session can be cut short: hsm.Key and
// hsm.Group.
type contextSigner interface {
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

func (u *unit) sign(ctx context.Context, message []byte) ([]byte, error) {
	input := u.algorithm.Input(message)
	var signature []byte
	var err error
	switch key := u.signer.(type) {
	case contextSigner:
		signature, err = key.SignContext(ctx, input, u.algorithm.SignerOpts())
	case *ecdsa.PrivateKey:
		// A deterministic nonce (RFC 6979), which costs less than a hedged one. What
		// speaks against it, faults of the machine, ends at check: no signature leaves
		// that does not verify.
		signature, err = key.Sign(nil, input, u.algorithm.SignerOpts())
	default:
		signature, err = key.Sign(rand.Reader, input, u.algorithm.SignerOpts())
	}
	if err != nil {
		return nil, fault.Wrap(err, cmp.Or(codeOf(err), fault.SigningFailed), "", "sign the token")
	}
	return signature, nil
}

// codeOf is the code that an error has, "" if it has none.
func codeOf(err error) fault.Code {
	if f := fault.Of(err); f != nil {
		return f.Code
	}
	return ""
}

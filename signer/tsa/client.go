package tsa

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/tsp"
)

// Limits and defaults.
const (
	replyBytesMax = 1 << 20 // a token with a path is some 8 KiB
	urlsMax       = 8       // authorities that are asked, one after another
	roundsMax     = 10      // times that each is asked
	// DefaultTimeout bounds one request: a person waits for it.
	DefaultTimeout = 15 * time.Second
	// DefaultSkew is how far the authority's clock may be from ours.
	DefaultSkew = 5 * time.Minute
	// DefaultPause is waited before authorities are asked again.
	DefaultPause = time.Second
)

// Fetcher posts a request and returns the answer's body.
type Fetcher interface {
	Fetch(ctx context.Context, url, contentType string, body []byte, max int64) ([]byte, error)
}

// Config of a Client.
type Config struct {
	URL string
	// Fallbacks are asked in their order when those before them failed.
	Fallbacks []string
	Fetcher   Fetcher
	// Anchors that the authority's path must reach.
	Anchors *trust.Store
	// Certificates may complete the authority's path; trusted for nothing.
	Certificates []*cert.Certificate
	// Revocation finds out whether the authority's path is revoked: then its token is
	// refused. What cannot be found out refuses none, since many authorities name
	// nobody whom we may ask. nil asks nobody.
	Revocation *revocation.Checker
	Now        func() time.Time

	Policy  asn1.ObjectIdentifier // under which the time-stamp is wanted; nil leaves it to the authority
	Digest  *algo.Digest          // of the imprint; nil means SHA-256
	Timeout time.Duration         // of one request; zero means DefaultTimeout
	Skew    time.Duration         // zero means DefaultSkew
	// Retries is how often all are asked again if the failure may pass.
	Retries int
	Pause   time.Duration // before the first of those, and twice as long before each next; zero means DefaultPause
	Random  io.Reader     // for the nonce; nil means the system's
}

// Client asks authorities. It is safe for concurrent use.
type Client struct {
	c    Config
	urls []string
}

// New checks the configuration and returns a Client.
func New(c Config) (*Client, error) {
	if c.URL == "" || c.Fetcher == nil || c.Anchors == nil || c.Now == nil {
		return nil, fault.New(fault.BadArgument, "tsa", "URL, Fetcher, Anchors and Now must be set")
	}
	if c.Timeout < 0 || c.Skew < 0 || c.Pause < 0 || c.Retries < 0 || c.Retries >= roundsMax || len(c.Fallbacks) >= urlsMax {
		return nil, fault.New(fault.BadArgument, "tsa", "a limit is negative, or there are too many authorities or retries")
	}
	if c.Digest == nil {
		c.Digest = algo.SHA256
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Skew == 0 {
		c.Skew = DefaultSkew
	}
	if c.Pause == 0 {
		c.Pause = DefaultPause
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &Client{c, append([]string{c.URL}, c.Fallbacks...)}, nil
}

// Digest is the algorithm of imprints that nothing else decides.
func (c *Client) Digest() *algo.Digest { return c.c.Digest }

// Stamp gets a verified time-stamp token over data; see StampDigest.
func (c *Client) Stamp(ctx context.Context, data []byte) (*tsp.Token, error) {
	return c.StampDigest(ctx, c.c.Digest, c.c.Digest.Sum(data))
}

// StampDigest gets a verified time-stamp token over a digest of data.
//
// The refusals: tsa_refused, with the authority's reasons; peer_unavailable if
// it does not answer, or says that the reason will pass; peer_answer_invalid
// around the reason if what it sent is not a token to be relied on; cancelled if
// the caller gave up. Of several authorities the first one's failure counts, and
// the error names those of the others too.
func (c *Client) StampDigest(ctx context.Context, d *algo.Digest, sum []byte) (*tsp.Token, error) {
	var failures []error
	pause := c.c.Pause
	for round := 0; ; round++ {
		failures = failures[:0]
		for _, address := range c.urls {
			token, err := c.ask(ctx, address, d, sum)
			if err == nil || ctx.Err() != nil {
				return token, err
			}
			failures = append(failures, err)
		}
		if round == c.c.Retries || !slices.ContainsFunc(failures, mayPass) {
			return nil, joined(failures)
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

// mayPass reports whether asking again may help. A wrong answer will not become
// right.
func mayPass(err error) bool { return fault.Is(err, fault.PeerDown) }

func joined(failures []error) error {
	if len(failures) == 1 {
		return failures[0]
	}
	return fault.Wrap(errors.Join(failures...), fault.CodeOf(failures[0]), "", "%d time-stamping authorities failed", len(failures))
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Cancelled, "", "wait for the time-stamping authority")
	case <-timer.C:
		return nil
	}
}

// ask gets a token from one authority. Every request has a nonce of its own.
func (c *Client) ask(ctx context.Context, address string, d *algo.Digest, sum []byte) (*tsp.Token, error) {
	request, err := tsp.NewRequest(nil, d, c.c.Random)
	if err != nil {
		return nil, err
	}
	request.Imprint, request.Policy = bytes.Clone(sum), c.c.Policy
	query, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	reply, err := c.exchange(ctx, address, query)
	if err != nil {
		return nil, err
	}
	token, err := request.Accept(reply)
	switch {
	case fault.Is(err, fault.TSARefused), fault.Is(err, fault.PeerDown):
		return nil, fault.Wrap(err, fault.CodeOf(err), place(address), "ask for a time-stamp") // of several, which
	case err != nil:
		return nil, distrust(address, err)
	}
	if err := c.verify(ctx, token); err != nil {
		return nil, distrust(address, err)
	}
	return token, nil
}

// verify checks a token that answers our request: who signed it, with what
// authority, and when.
func (c *Client) verify(ctx context.Context, token *tsp.Token) error {
	signer, err := token.VerifySignature(c.c.Certificates...)
	if err != nil {
		return err
	}
	if err := tsp.CheckAuthority(signer); err != nil {
		return err
	}
	found, err := path.Build(path.Request{
		Leaf: signer, Intermediates: append(token.Certificates(), c.c.Certificates...), Anchors: c.c.Anchors, At: token.Time,
	})
	if err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "", "validate the authority's path")
	}
	if off := token.Time.Sub(c.c.Now()).Abs(); off > c.c.Skew {
		return fault.New(fault.TimestampInvalid, "", "its time is %s from ours", off.Round(time.Second))
	}
	return c.notRevoked(ctx, found)
}

// notRevoked asks about each certificate of the path but the anchor's.
func (c *Client) notRevoked(ctx context.Context, p *path.Path) error {
	if c.c.Revocation == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	now := c.c.Now()
	for i := 0; i+1 < len(p.Certificates); i++ {
		subject := revocation.Subject{Certificate: p.Certificates[i], Issuer: p.Certificates[i+1]}
		e := c.c.Revocation.Check(ctx, subject, revocation.Rules{At: now, Now: now, Skew: c.c.Skew}).Evidence
		if e != nil && e.Status == revocation.Revoked {
			return fault.New(fault.CertificateRevoked, "", "%s since %s", e.Reason, e.RevokedAt.Format(time.RFC3339))
		}
	}
	return nil
}

// exchange posts the query within the timeout. Running out of it is the
// authority's failure; the caller's own end is not.
func (c *Client) exchange(ctx context.Context, address string, query []byte) ([]byte, error) {
	bounded, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	reply, err := c.c.Fetcher.Fetch(bounded, address, tsp.ContentTypeQuery, query, replyBytesMax)
	switch {
	case err == nil:
		return reply, nil
	case ctx.Err() != nil:
		return nil, fault.Wrap(ctx.Err(), fault.Cancelled, "", "ask the time-stamping authority")
	case fault.Is(err, fault.InputTooBig): // theirs, not our caller's
		return nil, distrust(address, err)
	case fault.Of(err) == nil, errors.Is(err, context.DeadlineExceeded):
		return nil, fault.Wrap(err, fault.PeerDown, place(address), "ask the time-stamping authority")
	}
	return nil, err
}

// distrust wraps why an authority's answer is not relied on; the reason's own
// code stays inside.
func distrust(address string, reason error) error {
	return fault.Wrap(reason, fault.PeerAnswer, place(address), "the token is not to be relied on")
}

// place is an address without what may be a secret in it: a name with a password, or
// a key in the query.
func place(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

package tsa

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/tsp"
)

// Limits and defaults.
const (
	replyBytesMax = 1 << 20 // a token with a path is some 8 KiB
	// DefaultTimeout bounds one request: a person waits for it.
	DefaultTimeout = 15 * time.Second
	// DefaultSkew is how far the authority's clock may be from ours.
	DefaultSkew = 5 * time.Minute
)

// Fetcher posts a request and returns the answer's body.
type Fetcher interface {
	Fetch(ctx context.Context, url, contentType string, body []byte, max int64) ([]byte, error)
}

// Config of a Client.
type Config struct {
	URL     string
	Fetcher Fetcher
	// Anchors that the authority's path must reach.
	Anchors *trust.Store
	// Certificates may complete the authority's path; trusted for nothing.
	Certificates []*cert.Certificate
	Now          func() time.Time

	Digest  *algo.Digest  // of the imprint; nil means SHA-256
	Timeout time.Duration // of one request; zero means DefaultTimeout
	Skew    time.Duration // zero means DefaultSkew
	Random  io.Reader     // for the nonce; nil means the system's
}

// Client asks one authority. It is safe for concurrent use.
type Client struct{ c Config }

// New checks the configuration and returns a Client.
func New(c Config) (*Client, error) {
	if c.URL == "" || c.Fetcher == nil || c.Anchors == nil || c.Now == nil {
		return nil, fault.New(fault.BadArgument, "tsa", "URL, Fetcher, Anchors and Now must be set")
	}
	if c.Timeout < 0 || c.Skew < 0 {
		return nil, fault.New(fault.BadArgument, "tsa", "a limit is negative")
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
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &Client{c}, nil
}

// Stamp gets a verified time-stamp token over data.
//
// The refusals: tsa_refused, with the authority's reasons; peer_unavailable if
// it does not answer, or says that the reason will pass; peer_answer_invalid
// around the reason if what it sent is not a token to be relied on; cancelled if
// the caller gave up.
func (c *Client) Stamp(ctx context.Context, data []byte) (*tsp.Token, error) {
	request, err := tsp.NewRequest(data, c.c.Digest, c.c.Random)
	if err != nil {
		return nil, err
	}
	query, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	reply, err := c.exchange(ctx, query)
	if err != nil {
		return nil, err
	}
	token, err := request.Accept(reply)
	switch {
	case fault.Is(err, fault.TSARefused), fault.Is(err, fault.PeerDown):
		return nil, err
	case err != nil:
		return nil, distrust(err)
	}
	if _, err := token.Verify(data, c.c.Anchors, c.c.Certificates...); err != nil {
		return nil, distrust(err)
	}
	if off := token.Time.Sub(c.c.Now()).Abs(); off > c.c.Skew {
		return nil, distrust(fault.New(fault.TimestampInvalid, "", "its time is %s from ours", off.Round(time.Second)))
	}
	return token, nil
}

// exchange posts the query within the timeout. Running out of it is the
// authority's failure; the caller's own end is not.
func (c *Client) exchange(ctx context.Context, query []byte) ([]byte, error) {
	bounded, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	reply, err := c.c.Fetcher.Fetch(bounded, c.c.URL, tsp.ContentTypeQuery, query, replyBytesMax)
	switch {
	case err == nil:
		return reply, nil
	case ctx.Err() != nil:
		return nil, fault.Wrap(ctx.Err(), fault.Cancelled, "", "ask the time-stamping authority")
	case fault.Of(err) == nil, errors.Is(err, context.DeadlineExceeded):
		return nil, fault.Wrap(err, fault.PeerDown, c.c.URL, "ask the time-stamping authority")
	}
	return nil, err
}

// distrust wraps why an authority's answer is not relied on; the reason's own
// code stays inside.
func distrust(reason error) error {
	return fault.Wrap(reason, fault.PeerAnswer, "tsa", "the token is not to be relied on")
}

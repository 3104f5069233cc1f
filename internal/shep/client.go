package shep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Poster is the HTTP client: it posts a body and returns whatever status comes
// with at most max bytes. internal/fetch is the one in use.
type Poster interface {
	Post(ctx context.Context, url string, header http.Header, body []byte, max int64) (status int, answer []byte, err error)
}

// AnswerTimeout is what the gateway promises to answer within.
const AnswerTimeout = 30 * time.Second

// ClientConfig says which gateway is asked, and as whom.
type ClientConfig struct {
	URL    string
	Poster Poster
	Key    xmldsig.Key // ours, registered at the gateway
	Sender Sender
	Opener Opener // how its answers are opened; its Now is the client's clock
	// Timeout of one exchange. Zero means AnswerTimeout.
	Timeout time.Duration
}

// Client sends requests to the gateway. It is safe for concurrent use.
type Client struct{ config ClientConfig }

// NewClient checks the configuration.
func NewClient(c ClientConfig) (*Client, error) {
	switch {
	case c.URL == "" || c.Poster == nil || c.Opener.Now == nil:
		return nil, fault.New(fault.ConfigBad, "shep", "URL, HTTP client and clock are required")
	case c.Key.Signer == nil || c.Key.Certificate == nil:
		return nil, fault.New(fault.ConfigBad, "shep", "a key and its certificate are required")
	case c.Sender.ID == "":
		return nil, fault.New(fault.ConfigBad, "shep", "the sender's account is required")
	}
	if err := c.Opener.Peer.Configured(); err != nil {
		return nil, err
	}
	if c.Timeout <= 0 {
		c.Timeout = AnswerTimeout
	}
	if c.Opener.MaxBytes <= 0 {
		c.Opener.MaxBytes = MessageMaxBytes
	}
	return &Client{config: c}, nil
}

// Exchange is the evidence of one call: the bytes as they went and came. The
// request holds the account's password if one is configured.
type Exchange struct {
	MessageID        string
	SentAt, Answered time.Time // Answered is zero if nothing came
	Request, Answer  []byte    // Answer is nil if nothing came
}

// Reply is an answer to a request. Its status is not judged yet: see Result.
type Reply struct {
	Response
	Signer   *cert.Certificate
	Exchange Exchange
}

// Send fills in the message id (if the caller, who repeats a request, gave
// none), date and sender, signs, sends, and opens the answer.
//
// As soon as anything was sent the Reply is there, also beside an error: its
// Exchange is what the caller keeps as evidence. Its Response is filled only
// when the error is nil.
func (c *Client) Send(ctx context.Context, r Request) (*Reply, error) {
	if r.MessageID == "" {
		r.MessageID = uuid.NewString()
	}
	r.Date, r.Sender = c.config.Opener.Now(), c.config.Sender
	sealed, err := SealRequest(r, c.config.Key)
	if err != nil {
		return nil, err
	}
	reply := &Reply{Exchange: Exchange{MessageID: r.MessageID, SentAt: r.Date, Request: sealed}}
	if err := c.exchange(ctx, &reply.Exchange); err != nil {
		return reply, fmt.Errorf("ask ШЭП for %s: %w", r.ServiceID, err)
	}
	envelope, err := c.config.Opener.Open(ctx, reply.Exchange.Answer)
	switch {
	case err != nil:
	case envelope.Response == nil:
		err = fault.New(fault.ShepMessage, "Body", "the answer is a request")
	case envelope.Response.CorrelationID != r.MessageID:
		err = fault.New(fault.ShepCorrelation, "correlationId", "the answer is to another message")
	}
	if err != nil {
		return reply, Unusable(err, "open the answer of ШЭП for "+r.ServiceID)
	}
	reply.Response, reply.Signer = *envelope.Response, envelope.Signer
	return reply, nil
}

// Unusable classifies what is wrong with a peer's answer for those who asked:
// a bad signature on an answer is no fault of the document that led to the
// question. The reason stays as the cause. What is temporary, our own failure,
// or not there yet keeps its class.
func Unusable(err error, act string) error {
	code := fault.CodeOf(err)
	if class := code.Class(); class == fault.RetryLater || class == fault.Fatal || code == fault.NotAvailable {
		return fmt.Errorf("%s: %w", act, err)
	}
	return fault.Wrap(err, fault.PeerAnswer, "shep", "%s", act)
}

// exchange posts the request. A fault comes under 500, an answer under 200.
func (c *Client) exchange(ctx context.Context, x *Exchange) error {
	deadline, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	header := http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "SOAPAction": {`""`}}
	status, answer, err := c.config.Poster.Post(deadline, c.config.URL, header, x.Request, int64(c.config.Opener.MaxBytes))
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(deadline.Err(), context.DeadlineExceeded):
		return fault.Wrap(err, fault.PeerDown, "shep", "no answer within %s", c.config.Timeout)
	case err != nil:
		return err
	}
	x.Answered, x.Answer = c.config.Opener.Now(), answer
	if status != http.StatusOK && (status != http.StatusInternalServerError || len(answer) == 0) {
		return fault.New(statusCode(status), "shep", "HTTP status %d", status)
	}
	return nil
}

func statusCode(status int) fault.Code {
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return fault.PeerDown
	}
	return fault.PeerAnswer
}

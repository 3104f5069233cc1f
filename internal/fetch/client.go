package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits that hold unless Config says otherwise.
const (
	// DefaultTimeout covers one whole exchange: a 21 MB CRL over a slow line.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxBytes holds NUC RK's full CRL (21 MB in 2026) with room to grow.
	DefaultMaxBytes = 64 << 20
	// DefaultUserAgent is sent where none is configured. NUC RK's front answers
	// an empty User-Agent with 303 See Other.
	DefaultUserAgent = "senim"

	headerBytesMax = 64 << 10
	dialTimeout    = 10 * time.Second
)

// Config of a Client. The zero value is safe: it allows no host.
type Config struct {
	// AllowedHosts lists who may be asked: "ocsp.pki.gov.kz" (the scheme's
	// default port only), "10.1.2.3:8443" (that port only) or "10.1.2.3:*"
	// (every port). Names are compared whole; there are no wildcards.
	AllowedHosts []string
	// AllowLoopback permits 127.0.0.0/8 and ::1: the sandbox lives there.
	AllowLoopback bool
	// AllowPrivate permits RFC 1918, RFC 6598 and unique local addresses: the
	// state's closed network is addressed so.
	AllowPrivate bool
	// Timeout of one exchange; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxBytes caps every answer, whatever its caller allows; zero means
	// DefaultMaxBytes.
	MaxBytes int64
	// UserAgent; empty means DefaultUserAgent.
	UserAgent string
	// RootCAs for https peers; nil means the system's.
	RootCAs *x509.CertPool
}

// Client asks the allowed hosts. It is safe for concurrent use.
type Client struct {
	allowed   map[string]bool
	timeout   time.Duration
	maxBytes  int64
	userAgent string
	http      *http.Client
}

// New checks the configuration and returns a Client.
func New(c Config) (*Client, error) {
	allowed, err := parseHosts(c.AllowedHosts)
	if err != nil {
		return nil, err
	}
	if c.Timeout < 0 || c.MaxBytes < 0 {
		return nil, fault.New(fault.ConfigBad, "", "fetch: a limit is negative")
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Control: addressRule{
		loopback: c.AllowLoopback, private: c.AllowPrivate,
	}.control}
	return &Client{
		allowed:   allowed,
		timeout:   orDefault(c.Timeout, DefaultTimeout),
		maxBytes:  orDefault(c.MaxBytes, DefaultMaxBytes),
		userAgent: orDefault(c.UserAgent, DefaultUserAgent),
		http: &http.Client{
			Transport: &http.Transport{
				// A proxy would be dialled in place of the peer and the address
				// check would see only the proxy.
				Proxy:                  nil,
				DialContext:            dialer.DialContext,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs},
				TLSHandshakeTimeout:    dialTimeout,
				DisableCompression:     true,
				ForceAttemptHTTP2:      true,
				MaxIdleConnsPerHost:    8,
				IdleConnTimeout:        60 * time.Second,
				MaxResponseHeaderBytes: headerBytesMax,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close drops the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Fetch asks rawURL and returns the body of a 200 answer of at most max bytes:
// GET when body is nil, else POST with the content type. It is the Fetcher of
// the pki packages.
func (c *Client) Fetch(ctx context.Context, rawURL, contentType string, body []byte, max int64) ([]byte, error) {
	method, header := http.MethodGet, http.Header{}
	if body != nil {
		method = http.MethodPost
		header.Set("Content-Type", contentType)
	}
	status, answer, err := c.exchange(ctx, method, rawURL, header, body, max)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		code := fault.PeerAnswer
		if status >= 500 || status == http.StatusTooManyRequests {
			code = fault.PeerDown
		}
		return nil, fault.New(code, origin(rawURL), "HTTP status %d", status)
	}
	return answer, nil
}

// Get asks with the header and returns whatever status comes with its body.
func (c *Client) Get(ctx context.Context, rawURL string, header http.Header, max int64) (status int, answer []byte, err error) {
	return c.exchange(ctx, http.MethodGet, rawURL, header.Clone(), nil, max)
}

// Post sends body with the header and returns whatever status comes with its
// body: a SOAP fault travels under 500.
func (c *Client) Post(ctx context.Context, rawURL string, header http.Header, body []byte, max int64) (status int, answer []byte, err error) {
	return c.exchange(ctx, http.MethodPost, rawURL, header.Clone(), body, max)
}

// Notice is the answer of a peer that was told something: what counts is its
// status.
type Notice struct {
	Status int
	Header http.Header
	// Start is the beginning of the body, as far as it came in time.
	Start []byte
}

// Notify posts body with the header and returns whatever status comes. Of the
// answer's body it reads no more than max bytes; that it is longer, or ends
// early, is no error.
func (c *Client) Notify(ctx context.Context, rawURL string, header http.Header, body []byte, max int64) (*Notice, error) {
	target, err := c.check(rawURL)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	response, err := c.send(within, http.MethodPost, target, header.Clone(), body)
	if err != nil {
		return nil, classify(ctx, err, target)
	}
	defer response.Body.Close()
	// Only the start is wanted, and the status has come: what stops the reading
	// changes neither.
	start, _ := io.ReadAll(io.LimitReader(response.Body, min(max, c.maxBytes)))
	return &Notice{Status: response.StatusCode, Header: response.Header, Start: start}, nil
}

// Permits reports, without asking anybody, whether the URL is one that the
// client may be sent to: nil, or why not. What its host resolves to shows only
// when it is asked.
func (c *Client) Permits(rawURL string) error {
	_, err := c.check(rawURL)
	return err
}

func (c *Client) exchange(ctx context.Context, method, rawURL string, header http.Header, body []byte, max int64) (int, []byte, error) {
	target, err := c.check(rawURL)
	if err != nil {
		return 0, nil, err
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	response, err := c.send(ctx, method, target, header, body)
	if err != nil {
		return 0, nil, classify(outer, err, target)
	}
	defer response.Body.Close()
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return 0, nil, fault.New(fault.PeerAnswer, origin(rawURL), "content encoding %q was not asked for", encoding)
	}
	answer, err := readAtMost(response.Body, min(max, c.maxBytes))
	if err != nil {
		return 0, nil, classify(outer, err, target)
	}
	return response.StatusCode, answer, nil
}

func (c *Client) send(ctx context.Context, method string, target *url.URL, header http.Header, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(withoutURL(err), fault.BadArgument, "", "make the request")
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("User-Agent", c.userAgent)
	request.Header.Set("Accept-Encoding", "identity")
	return c.http.Do(request)
}

// check parses the URL and looks its host up in the allow-list before any name
// is resolved.
func (c *Client) check(rawURL string) (*url.URL, error) {
	target, err := url.Parse(rawURL)
	if err != nil {
		return nil, fault.Wrap(withoutURL(err), fault.BadArgument, "", "parse the URL")
	}
	if target.User != nil {
		return nil, fault.New(fault.HostDenied, origin(rawURL), "credentials in a URL are not sent")
	}
	key, err := hostKey(target)
	if err != nil {
		return nil, err
	}
	if !permits(c.allowed, key) {
		return nil, fault.New(fault.HostDenied, origin(rawURL), "%s is not among the allowed hosts", key)
	}
	return target, nil
}

// readAtMost reads one byte more than allowed, so that an answer of exactly max
// bytes passes and a longer one is not taken for it.
func readAtMost(r io.Reader, max int64) ([]byte, error) {
	if max <= 0 {
		return nil, fault.New(fault.BadArgument, "", "no size limit was given for the answer")
	}
	body, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > max {
		return nil, fault.New(fault.InputTooBig, "", "the answer is longer than %d bytes", max)
	}
	return body, nil
}

// classify turns a transport error into a code. The caller's own cancellation is
// not the peer's fault; everything else is, and may be tried again.
func classify(ctx context.Context, err error, target *url.URL) error {
	err = withoutURL(err)
	at := target.Scheme + "://" + target.Host
	if known := fault.Of(err); known != nil {
		return fault.Wrap(err, known.Code, at, "ask the peer")
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fault.Wrap(err, fault.Cancelled, at, "ask the peer")
	}
	return fault.Wrap(err, fault.PeerDown, at, "ask the peer")
}

// withoutURL removes the URL that net/url and net/http put into their errors:
// its path and query may carry an OCSP request or a payer's number.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// origin is what an error may say of a URL: never userinfo, path or query.
func origin(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

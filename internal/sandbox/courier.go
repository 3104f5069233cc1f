package sandbox

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/shep"
)

// courier carries the stand-ins' messages to the service, whose address is known
// only after the sandbox has started. It goes nowhere else.
type courier struct {
	mu     sync.Mutex
	hosts  []string // that the service has had: what was told one address is still sent there
	client *fetch.Client
}

var _ shep.Poster = (*courier)(nil)

// aim names a host that messages go to, besides those named before.
func (c *courier) aim(target string) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return fault.New(fault.BadArgument, "", "the service's address is not an absolute URL")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	hosts := append(slices.Clone(c.hosts), u.Host)
	client, err := fetch.New(fetch.Config{AllowedHosts: hosts, AllowLoopback: true, UserAgent: "senim-sandbox"})
	if err != nil {
		return err
	}
	c.hosts, c.client = hosts, client
	return nil
}

// Post is shep.Poster.
func (c *courier) Post(ctx context.Context, target string, header http.Header, body []byte, max int64) (int, []byte, error) {
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	if client == nil {
		return 0, nil, fault.New(fault.PeerDown, "", "nobody has said where the service is")
	}
	return client.Post(ctx, target, header, body, max)
}

package epay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// answerMax bounds what the service answers.
const answerMax = 64 << 10

// Run sends postLinks until ctx ends; then it returns nil.
func (g *Gateway) Run(ctx context.Context) error {
	ticker := time.NewTicker(g.config.Retry)
	defer ticker.Stop()
	for {
		// What could not be sent stays for the next round.
		_ = g.Deliver(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-g.wake:
		case <-ticker.C:
		}
	}
}

// attemptsMax is how often a postLink is sent: it is not asked for later.
const attemptsMax = 10

// Deliver tries once to send each postLink that waits, and returns why it
// failed for some.
func (g *Gateway) Deliver(ctx context.Context) error {
	g.mu.Lock()
	var waiting []*link
	targets := map[*link]string{}
	for _, l := range g.register.Links {
		if !l.Sent {
			waiting = append(waiting, l)
			targets[l] = g.register.Invoices[l.Invoice].PostLink
		}
	}
	g.mu.Unlock()
	var failures []error
	for _, l := range waiting {
		err := g.send(ctx, targets[l], l.Body)
		if err != nil {
			failures = append(failures, fmt.Errorf("send a postLink of %s: %w", l.Invoice, err))
		}
		g.mu.Lock()
		l.Attempts++
		l.Sent = err == nil || l.Attempts >= attemptsMax
		failures = append(failures, g.save())
		g.mu.Unlock()
	}
	return errors.Join(failures...)
}

func (g *Gateway) send(ctx context.Context, target string, body []byte) error {
	header := http.Header{"Content-Type": {"application/json"}}
	status, _, err := g.config.Poster.Post(ctx, target, header, body, answerMax)
	if err == nil && status != http.StatusOK {
		err = fault.New(fault.PeerAnswer, "", "HTTP status %d", status)
	}
	return err
}

package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// tokens are the service's tokens: one, or several that hold copies of its keys.
// Keys are asked for while the service is made, and by nobody afterwards.
type tokens struct {
	all     []*hsm.Token
	order   hsm.Order
	groups  map[string]*hsm.Group // by the key's label; none with one token
	now     func() time.Time
	log     *slog.Logger
	metrics *hsm.Metrics
	closers []func() error // in the order of opening
}

var tokenOrders = map[config.TokenOrder]hsm.Order{config.InOrder: hsm.InOrder, config.RoundRobin: hsm.RoundRobin}

// openTokens opens every token that the configuration names. Of several those
// that are away are left out, as long as one is there.
func openTokens(ctx context.Context, c *config.Config, now func() time.Time, log *slog.Logger, metrics *hsm.Metrics) (*tokens, error) {
	t := &tokens{order: tokenOrders[c.Token.Order], groups: make(map[string]*hsm.Group), now: now, log: log, metrics: metrics}
	members := append([]config.TokenMember{{Module: c.Token.Module, URI: c.Token.URI, PINFile: c.Token.PINFile}}, c.Token.Members...)
	var away []error
	for i, m := range members {
		err := t.open(ctx, m, c.Profile == config.Production)
		if err == nil {
			continue
		}
		err = fmt.Errorf("token %d of %d: %w", i+1, len(members), err)
		if !fault.Is(err, fault.HSMTokenNotFound) && fault.CodeOf(err).Class() != fault.RetryLater {
			return nil, errors.Join(err, t.close())
		}
		away = append(away, err)
	}
	if len(t.all) == 0 {
		return nil, errors.Join(append(away, t.close())...)
	}
	for _, err := range away {
		log.Warn("token left out until the next start", "error", err.Error())
	}
	return t, nil
}

func (t *tokens) open(ctx context.Context, m config.TokenMember, production bool) error {
	module, err := hsm.OpenModule(m.Module, hsm.Options{Now: t.now, Log: t.log, Metrics: t.metrics})
	if err != nil {
		return err
	}
	token, err := module.Token(ctx, m.URI, hsm.PINFile(m.PINFile))
	if err != nil {
		return errors.Join(err, module.Close())
	}
	t.closers = append(t.closers, module.Close, token.Close)
	info := token.Info()
	if production && info.Software {
		return fault.New(fault.ConfigUnsafe, "token.module", "the token keeps its keys in files")
	}
	for _, other := range t.all {
		if other.Info().URI() == info.URI() {
			return fault.New(fault.ConfigBad, "token.members", "two URIs describe the token %s", info.Label)
		}
	}
	t.all = append(t.all, token)
	return nil
}

// close gives the tokens back, the last first.
func (t *tokens) close() error {
	var errs []error
	for i := len(t.closers) - 1; i >= 0; i-- {
		errs = append(errs, t.closers[i]())
	}
	t.closers = nil
	return errors.Join(errs...)
}

// key finds the key with the label: in the one token, or in each of them, as a
// group.
func (t *tokens) key(ctx context.Context, label string) (crypto.Signer, error) {
	if group := t.groups[label]; group != nil {
		return group, nil
	}
	copies := make([]*hsm.Key, 0, len(t.all))
	for _, token := range t.all {
		key, err := token.Key(ctx, label)
		if err != nil {
			return nil, fmt.Errorf("key %s in token %s: %w", label, token.Info().Label, err)
		}
		copies = append(copies, key)
	}
	if len(copies) == 1 {
		return copies[0], nil
	}
	group, err := hsm.NewGroup(hsm.GroupOptions{Name: label, Order: t.order, Now: t.now, Metrics: t.metrics}, copies...)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", label, err)
	}
	t.groups[label] = group
	return group, nil
}

// certificate is the one beside the key with the label, in the first token that
// has it.
func (t *tokens) certificate(ctx context.Context, label string) (*cert.Certificate, error) {
	var errs []error
	for _, token := range t.all {
		der, err := token.Certificate(ctx, label)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c, err := cert.Parse(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %s in token %s: %w", label, token.Info().Label, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("certificate %s: %w", label, errors.Join(errs...))
}

// run checks the health of all copies until the context ends.
func (t *tokens) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, group := range t.groups {
		all.Go(func() { group.Run(ctx) })
	}
	all.Wait()
}

// ready fails if there is a key that no token signs with.
func (t *tokens) ready() error {
	for _, group := range t.groups {
		if err := group.Ready(); err != nil {
			return err
		}
	}
	return nil
}

// checkCertificates fails if a certificate in a token ends within the margin, or
// no token shows any. One of several that is away is no fault of the service.
func (t *tokens) checkCertificates(ctx context.Context, margin time.Duration) error {
	var errs []error
	for _, token := range t.all {
		contents, err := token.Contents(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := contents.CheckExpiry(t.now(), margin); err != nil {
			return err
		}
	}
	if len(errs) == len(t.all) {
		return errors.Join(errs...)
	}
	return nil
}

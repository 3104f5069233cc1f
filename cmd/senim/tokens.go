package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
)

// rejoinEvery is how long is waited when a token came and went again before its keys
// were found.
const rejoinEvery = 10 * time.Second

// tokens are the service's tokens: one, or several that hold copies of its keys.
// Keys are asked for while the service is made, and by nobody afterwards; a token
// that was away then joins them later.
type tokens struct {
	config  *config.Token
	options hsm.Options
	// production takes no token that keeps its keys in files.
	production bool
	away       []int // places of the tokens that were not there at the start
	// certificates that the service uses until it ends, by label.
	certificates map[string]*cert.Certificate
	until        map[string]time.Time // when the key with the label is given up before its certificate ends

	mu     sync.Mutex
	all    []member              // in the order of the configuration
	groups map[string]*hsm.Group // by the key's label; none with one token
}

// member is a token that is there, and its place in the configuration.
type member struct {
	*hsm.Token
	place int
}

var tokenOrders = map[config.TokenOrder]hsm.Order{config.InOrder: hsm.InOrder, config.RoundRobin: hsm.RoundRobin}

// openTokens opens every token that the configuration names. Of several those
// that are away are left out for the moment, as long as one is there.
func openTokens(ctx context.Context, c *config.Config, o hsm.Options) (*tokens, error) {
	o.SessionsMax, o.CallTimeout = c.Token.SessionsMax, c.Token.CallTimeout
	t := &tokens{config: &c.Token, options: o, production: c.Profile == config.Production,
		groups: make(map[string]*hsm.Group), certificates: make(map[string]*cert.Certificate), until: givenUp(c)}
	members := c.Token.All()
	var away []error
	for i, m := range members {
		err := t.open(ctx, i, m)
		if err == nil {
			continue
		}
		err = fmt.Errorf("token %d of %d: %w", i+1, len(members), err)
		if !hsm.IsAway(err) {
			return nil, errors.Join(err, t.close())
		}
		away, t.away = append(away, err), append(t.away, i)
	}
	if len(t.all) == 0 {
		return nil, errors.Join(append(away, t.close())...)
	}
	for _, err := range away {
		o.Log.Warn("token is away, and looked for", "error", err.Error())
	}
	return t, nil
}

// moduleOptions are the options of one token's module.
func (t *tokens) moduleOptions(m config.TokenMember) (hsm.Options, error) {
	o := t.options
	for _, g := range m.GOST {
		numbers, err := gostMechanism(g)
		if err != nil {
			return o, err
		}
		o.GOST = append(o.GOST, numbers)
	}
	return o, nil
}

// pinOf is where the configuration says that the PIN is.
func pinOf(m config.TokenMember) hsm.PIN {
	switch {
	case m.PINEnv != "":
		return hsm.PINEnvironment(m.PINEnv)
	case m.PINCredential != "":
		return hsm.PINCredential(m.PINCredential)
	}
	return hsm.PINFile(m.PINFile)
}

func (t *tokens) open(ctx context.Context, place int, m config.TokenMember) error {
	o, err := t.moduleOptions(m)
	if err != nil {
		return err
	}
	module, err := hsm.OpenModule(m.Module, o)
	if err != nil {
		return err
	}
	token, err := module.Token(ctx, m.URI, pinOf(m))
	if err := errors.Join(err, module.Close()); err != nil { // a token outlives its Module
		if token != nil {
			err = errors.Join(err, token.Close())
		}
		return err
	}
	if err := t.admit(token); err != nil {
		return errors.Join(err, token.Close())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, member{token, place})
	return nil
}

// admit refuses a token that is not what it should be.
func (t *tokens) admit(token *hsm.Token) error {
	info := token.Info()
	if t.production && info.Software {
		return fault.New(fault.ConfigUnsafe, "token.module", "the token keeps its keys in files")
	}
	for _, other := range t.present() {
		if other.Info().URI() == info.URI() {
			return fault.New(fault.ConfigBad, "token.members", "two URIs describe the token %s", info.Label)
		}
	}
	return nil
}

// present are the tokens that are there.
func (t *tokens) present() []member {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.all)
}

// close gives the tokens back, the last first.
func (t *tokens) close() error {
	var errs []error
	for _, token := range slices.Backward(t.present()) {
		errs = append(errs, token.Close())
	}
	return errors.Join(errs...)
}

// key finds the key with the label: in the one token, or in each of those that are
// there, as a group.
func (t *tokens) key(ctx context.Context, label string) (crypto.Signer, error) {
	if group := t.groups[label]; group != nil {
		return group, nil
	}
	var copies []*hsm.Key
	for _, token := range t.present() {
		key, err := keyIn(ctx, token.Token, label)
		if err != nil {
			return nil, err
		}
		copies = append(copies, key)
	}
	if len(t.config.Members) == 0 {
		return copies[0], nil
	}
	group, err := hsm.NewGroup(hsm.GroupOptions{Name: label, Order: tokenOrders[t.config.Order], Now: t.options.Now, Metrics: t.options.Metrics}, copies...)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", label, err)
	}
	t.groups[label] = group
	return group, nil
}

func keyIn(ctx context.Context, token *hsm.Token, label string) (*hsm.Key, error) {
	key, err := token.Key(ctx, label)
	if err != nil {
		return nil, fmt.Errorf("key %s in token %s: %w", label, token.Info().Label, err)
	}
	return key, nil
}

// certificate is that of the key with the label, in the first token that has it. What
// the certificate itself is called does not matter: other tools name it as they like.
func (t *tokens) certificate(ctx context.Context, label string) (*cert.Certificate, error) {
	var errs []error
	for _, token := range t.present() {
		key, err := keyIn(ctx, token.Token, label)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		der, err := key.Certificate(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c, err := cert.Parse(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %s in token %s: %w", label, token.Info().Label, err)
		}
		t.certificates[label] = c
		return c, nil
	}
	return nil, fmt.Errorf("certificate %s: %w", label, errors.Join(errs...))
}

// run checks the health of all copies, and looks for the tokens that were away, until
// the context ends.
func (t *tokens) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, group := range t.groups {
		all.Go(func() { group.Run(ctx) })
	}
	for _, place := range t.away {
		all.Go(func() { t.seek(ctx, place) })
	}
	all.Wait()
}

// seek looks for a token until its keys have joined those of the others, or it turns
// out that somebody has to see to it.
func (t *tokens) seek(ctx context.Context, place int) {
	uri := t.config.All()[place].URI
	for {
		err := t.join(ctx, place)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			t.options.Log.Info("token has joined", "uri", uri)
			return
		case !hsm.IsAway(err):
			t.options.Log.Error("token left out until the next start", "uri", uri, "error", err.Error())
			return
		}
		select {
		case <-time.After(rejoinEvery):
		case <-ctx.Done():
			return
		}
	}
}

// join waits for a token and adds its copies of the keys. None is added before all
// are found.
func (t *tokens) join(ctx context.Context, place int) (err error) {
	m := t.config.All()[place]
	o, err := t.moduleOptions(m)
	if err != nil {
		return err
	}
	token, err := hsm.Await(ctx, m.Module, o, m.URI, pinOf(m))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, token.Close())
		}
	}()
	if err := t.admit(token); err != nil {
		return err
	}
	copies := make(map[string]*hsm.Key)
	for label, group := range t.groups {
		key, err := keyIn(ctx, token, label)
		if err != nil {
			return err
		}
		if copies[label] = key; !group.Holds(key) {
			return fault.New(fault.HSMKeyUnsafe, "token.members", "the key %s in token %s is another key", label, token.Info().Label)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at, _ := slices.BinarySearchFunc(t.all, place, func(m member, place int) int { return m.place - place })
	for label, key := range copies {
		if err := t.groups[label].Join(at, key); err != nil {
			return err
		}
	}
	t.all = slices.Insert(t.all, at, member{token, place})
	return nil
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

// checkCertificates fails if a certificate that the service uses ends within the
// margin, or no token shows any. Both those that it read at its start count, of which it
// goes on with the old where a new one is in the token since, and those that it would
// read now. What else a token holds, such as the certificate of a key that was replaced,
// does not. One of several tokens that is away is no fault of the service.
func (t *tokens) checkCertificates(ctx context.Context, margin time.Duration) error {
	now := t.options.Now()
	check := func(label string, end time.Time) error {
		if !t.mustLast(label, end) {
			return nil
		}
		return hsm.CheckExpiry(label, end, now, margin)
	}
	for label, c := range t.certificates {
		if err := check(label, c.NotAfter); err != nil {
			return fmt.Errorf("since the start: %w", err)
		}
	}
	var errs []error
	all := t.present()
	for _, token := range all {
		contents, err := token.Contents(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for label, used := range t.certificates {
			there, found := contents.CertificateOf(used.PublicKey)
			if !found {
				continue
			}
			if err := check(label, there.NotAfter); err != nil {
				return err
			}
		}
	}
	if len(errs) == len(all) {
		return errors.Join(errs...)
	}
	return nil
}

// mustLast reports whether the key with the label is used to its certificate's end.
func (t *tokens) mustLast(label string, end time.Time) bool {
	until, bounded := t.until[label]
	return !bounded || until.After(end)
}

// givenUp are the times when time-stamping keys that others replace sign no more. A key
// that does something else too is not given up.
func givenUp(c *config.Config) map[string]time.Time {
	last := make(map[string]time.Time)
	var kept []string
	for _, p := range c.TSA.Policies {
		for _, k := range p.Keys {
			if k.Until.IsZero() {
				kept = append(kept, k.Label)
			} else if k.Until.After(last[k.Label]) {
				last[k.Label] = k.Until
			}
		}
	}
	for _, seal := range c.Signature.Seals {
		kept = append(kept, seal.Label)
	}
	for _, label := range append(kept, c.Token.Keys.Gateway) {
		delete(last, label)
	}
	return last
}

// gostKeys are the kinds of GOST key by their names in the configuration.
var gostKeys = func() map[string]*gost.KeyAlgorithm {
	byName := make(map[string]*gost.KeyAlgorithm)
	for _, a := range []*gost.KeyAlgorithm{gost.KZ2004, gost.KZ2015x256, gost.KZ2015x512, gost.RU2001, gost.RU2012x256, gost.RU2012x512} {
		byName[a.Name] = a
	}
	return byName
}()

var gostLayouts = map[config.GOSTLayout]gost.Layout{config.GOSTLayoutRU: gost.LayoutRU, config.GOSTLayoutKZ: gost.LayoutKZ}

// gostMechanism maps a row of token.gost.
func gostMechanism(g config.GOSTMechanism) (hsm.GOSTMechanism, error) {
	key := gostKeys[g.Key]
	if key == nil {
		return hsm.GOSTMechanism{}, fault.New(fault.ConfigBad, "token.gost", "no GOST key is called %q", g.Key)
	}
	return hsm.GOSTMechanism{
		Key: key, KeyType: uint(g.KeyType), Sign: uint(g.Sign), Parameters: uint(g.Parameters), Layout: gostLayouts[g.Layout],
	}, nil
}

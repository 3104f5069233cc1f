package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/signer/tsa/authority"
	"github.com/senim-kz/senim/signer/tsa/clock"
)

// The sandbox's time-stamping policies, under the arc that is kept for examples
// (RFC 5612), and the labels of their keys.
const (
	tsaPolicyEC   = "1.3.6.1.4.1.32473.3161.1"
	tsaPolicyRSA  = "1.3.6.1.4.1.32473.3161.2"
	tsaPolicyGOST = "1.3.6.1.4.1.32473.3161.3"

	tsaLabelEC  = "senim-tsa"
	tsaLabelRSA = "senim-tsa-rsa"
)

// The sandbox's servers are on this machine and cost nothing to ask; and a clock
// that somebody tells them to show wrong stops the authority within the second.
const (
	sandboxTimeEvery  = time.Second
	sandboxTimeExpiry = 20 * time.Second
)

// sandboxTSA is the authority of `senim up`.
func sandboxTSA(sources []string, gostFile string) config.TSA {
	// GOST 34.311-95 besides the default ones: NUC RK's own clients still use it.
	var digests []string
	for _, d := range append(authority.DefaultDigests(), algo.GOST34311) {
		digests = append(digests, d.Name)
	}
	return config.TSA{
		Policies: []config.TSAPolicy{
			{OID: tsaPolicyEC, Digests: digests, Keys: []config.TSAKey{{Label: tsaLabelEC}}},
			{OID: tsaPolicyRSA, Digests: digests, Keys: []config.TSAKey{{Label: tsaLabelRSA}}},
			{OID: tsaPolicyGOST, Digests: digests, Keys: []config.TSAKey{{File: gostFile}}},
		},
		Time: config.TSATime{Sources: sources, Every: sandboxTimeEvery, Expiry: sandboxTimeExpiry},
	}
}

// stamping is our time-stamping authority with what it stands on.
type stamping struct {
	*authority.Authority
	store   *authority.Store
	journal *authority.Journal
	clock   *clock.Monitor
	// subjects are the authority's certificates that somebody can be asked about.
	subjects []revocation.Subject
}

// AllCertificates are those of every key that ever signed.
func (s *stamping) AllCertificates(ctx context.Context) ([][]byte, error) {
	return s.store.Certificates(ctx)
}

// run keeps the time and writes the journal until the context ends.
func (s *stamping) run(ctx context.Context) {
	done := make(chan struct{})
	go func() { defer close(done); s.clock.Run(ctx) }()
	s.journal.Run(ctx)
	<-done
}

// makeTSA builds the authority; without policies there is none.
func (s *service) makeTSA(ctx context.Context) error {
	if len(s.config.TSA.Policies) == 0 {
		return nil
	}
	policies, err := s.tsaPolicies(ctx)
	if err != nil {
		return err
	}
	made := &stamping{store: authority.NewStore(s.pool)}
	if err := s.checkRecords(ctx, made.store); err != nil {
		return err
	}
	if made.clock, err = s.timeMonitor(); err != nil {
		return err
	}
	metrics, err := authority.NewMetrics(s.metrics)
	if err != nil {
		return err
	}
	if made.journal, err = authority.NewJournal(authority.JournalConfig{Write: made.store.Write, Now: s.now, Metrics: metrics}); err != nil {
		return err
	}
	made.Authority, err = authority.New(authority.Config{
		Policies: policies, Time: made.clock.Time, Journal: made.journal, Now: s.now, Metrics: metrics,
	})
	if err != nil {
		return err
	}
	s.stamping = made
	made.subjects = s.subjectsOf(made.Certificates())
	s.askOwnStatuses(ctx, ownStatusPatience)
	return made.store.Remember(ctx, s.now(), made.Certificates())
}

// checkRecords makes sure that records of time-stamps can be made durable. A sandbox
// that is made for tests does not care.
func (s *service) checkRecords(ctx context.Context, store *authority.Store) error {
	err := store.Check(ctx, s.now())
	if s.config.Profile == config.Sandbox && fault.Is(err, fault.ConfigUnsafe) {
		return nil
	}
	return err
}

// checkStamping fails if tokens cannot be issued, or soon not any more.
func (s *service) checkStamping(ctx context.Context) error {
	if err := s.checkRecords(ctx, s.stamping.store); err != nil {
		return err
	}
	return s.stamping.Check(s.now(), time.Duration(s.config.TSA.ExpiryDays)*24*time.Hour)
}

// timeMonitor holds the clock to the best accuracy that any policy states.
func (s *service) timeMonitor() (*clock.Monitor, error) {
	metrics, err := clock.NewMetrics(s.metrics)
	if err != nil {
		return nil, err
	}
	source := clock.RemoteSNTP
	if s.config.Profile == config.Sandbox {
		source = clock.SNTP
	}
	var sources []clock.Source
	for _, address := range s.config.TSA.Time.Sources {
		sources = append(sources, source(address, s.now))
	}
	accuracy := s.config.TSA.Policies[0].Accuracy
	for _, p := range s.config.TSA.Policies {
		accuracy = min(accuracy, p.Accuracy)
	}
	return clock.New(clock.Config{
		Sources: sources, Read: clock.Readings(s.now), Accuracy: accuracy, Resolution: authority.Resolution,
		Every: s.config.TSA.Time.Every, Expiry: s.config.TSA.Time.Expiry, Metrics: metrics,
	})
}

func (s *service) tsaPolicies(ctx context.Context) ([]authority.Policy, error) {
	var policies []authority.Policy
	for i, p := range s.config.TSA.Policies {
		at := fmt.Sprintf("tsa.policies[%d]", i)
		oid, err := parseOID(p.OID)
		if err != nil {
			return nil, fault.Wrap(err, fault.ConfigBad, at+".oid", "%q", p.OID)
		}
		made := authority.Policy{OID: oid, Accuracy: p.Accuracy}
		for _, name := range p.Digests {
			digest, err := algo.DigestByName(name)
			if err != nil {
				return nil, fault.Wrap(err, fault.ConfigBad, at+".digests", "%q", name)
			}
			made.Digests = append(made.Digests, digest)
		}
		for _, k := range p.Keys {
			key, err := s.tsaKey(ctx, k)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", at, err)
			}
			made.Keys = append(made.Keys, key)
		}
		policies = append(policies, made)
	}
	return policies, nil
}

// tsaKey takes a key from the token, or in the sandbox from a file.
func (s *service) tsaKey(ctx context.Context, k config.TSAKey) (authority.Key, error) {
	if k.File != "" {
		return s.tsaKeyFile(k)
	}
	key, err := s.tokens.key(ctx, k.Label)
	if err != nil {
		return authority.Key{}, err
	}
	certificate, err := s.tokens.certificate(ctx, k.Label)
	if err != nil {
		return authority.Key{}, err
	}
	return authority.Key{Signer: key, Certificate: certificate, Chain: s.issuerOf(certificate), From: k.From, Until: k.Until}, nil
}

func (s *service) tsaKeyFile(k config.TSAKey) (authority.Key, error) {
	if s.config.Profile != config.Sandbox {
		return authority.Key{}, fault.New(fault.ConfigUnsafe, "tsa.policies", "a time-stamping key outside the token")
	}
	raw, err := os.ReadFile(k.File)
	if err != nil {
		return authority.Key{}, fault.Wrap(err, fault.ConfigBad, "tsa.policies", "read a key file")
	}
	key, certificates, err := parseKeyFile(raw)
	if err != nil {
		return authority.Key{}, err
	}
	if key == nil || len(certificates) == 0 {
		return authority.Key{}, fault.New(fault.SigningKeyBad, "tsa.policies", "no key with its certificate in %s", k.File)
	}
	return authority.Key{
		Signer: key, Certificate: certificates[0], Chain: s.issuerOf(certificates[0]), From: k.From, Until: k.Until,
	}, nil
}

// issuerOf is the issuing CA's certificate, sent along with the authority's: a
// client has the root.
func (s *service) issuerOf(c *cert.Certificate) []*cert.Certificate {
	among := s.anchors.Intermediates()
	i := slices.IndexFunc(among, func(issuer *cert.Certificate) bool { return c.VerifySignedBy(issuer) == nil })
	if i < 0 {
		return nil
	}
	return among[i : i+1]
}

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/outbox/webhook"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/jws"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/xmldsig"
	"github.com/senim-kz/senim/registry"
	"github.com/senim-kz/senim/registry/gbdul"
	"github.com/senim-kz/senim/signer/tsa"
	"github.com/senim-kz/senim/verifier"
)

const (
	// peerSkew is how far the clocks of NUC RK and ours may differ.
	peerSkew = 2 * time.Minute
	// listPatience is how much longer than a time-stamp a CRL may take.
	listPatience = 3
	// stopTimeout bounds the drain of jobs when the service stops.
	stopTimeout = 20 * time.Second
)

// service is the whole service, built from a configuration: what `serve`,
// `up`, `demo` and `bench` run. Its fields stay open until close.
type service struct {
	config   *config.Config
	now      func() time.Time
	log      *slog.Logger
	listener net.Listener
	closers  []func() error // in the order of opening

	pool    *pgxpool.Pool
	tokens  *tokens
	anchors *trust.Store
	policy  verifier.Policy
	control kz.Control
	outside *fetch.Client     // addresses that certificates name
	status  *revocation.Store // of certificates, asked through outside
	peers   *fetch.Client     // addresses that the configuration names

	receipts, accessKey *jws.Key
	gatewayKey          xmldsig.Key

	jobs     *outbox.Jobs
	webhooks *webhook.Service
	law      *law
	payments *payments.Service
	// paymentWorkers work the jobs of payments, once there is the service.
	paymentWorkers *payments.Workers
	dossier        *dossier.Service
	access         *access.Service
	keys           []jose.JSONWebKey
	stamping       *stamping // nil if no time-stamps are issued
	metrics        *prometheus.Registry
	api            *api.Server
}

// newService opens and wires everything; it serves nothing yet. The listener
// is the caller's to choose and the service's to close.
func newService(ctx context.Context, c *config.Config, listener net.Listener, now func() time.Time, log *slog.Logger) (*service, error) {
	s := &service{config: c, now: now, log: log, listener: listener, metrics: prometheus.NewRegistry()}
	for _, part := range []struct {
		name string
		make func(context.Context) error
	}{
		{"trust anchors", s.openTrust},
		{"token", s.openTokens},
		{"peers", s.openPeers},
		{"database", s.openDatabase},
		{"jobs and webhooks", s.makeJobs},
		{"payments", s.makePayments},
		{"dossier", s.makeDossier},
		{"access", s.makeAccess},
		{"time-stamping authority", s.makeTSA},
		{"API", s.makeAPI},
	} {
		if err := part.make(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", part.name, err), s.close())
		}
	}
	return s, nil
}

// collectAtPercent is how far the heap grows between two collections. What lives
// here is small and what is thrown away much, so the usual 100 would have a tenth
// of the machine collect; GOGC, where it is set, counts instead.
const collectAtPercent = 400

// every does something at intervals, for the first time after one, until the context
// ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// run serves until the context ends, then drains. Meanwhile the keys that stand
// behind every signature get their tables, and CRLs are kept fresh.
func (s *service) run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(collectAtPercent))
	}
	if err := s.jobs.Start(ctx); err != nil {
		return err
	}
	var upkeep sync.WaitGroup
	serving, stopUpkeep := context.WithCancel(ctx)
	// Until the last request is answered: time-stamps need the clock and the journal.
	answering, stopStamping := context.WithCancel(context.WithoutCancel(ctx))
	upkeep.Go(func() { algo.BuildTables(serving) })
	upkeep.Go(func() { s.status.Run(serving) })
	upkeep.Go(func() { s.tokens.run(serving) })
	upkeep.Go(func() { s.webhooks.Run(serving) })
	upkeep.Go(func() { s.law.run(serving) })
	if s.stamping != nil {
		upkeep.Go(func() { s.stamping.run(answering) })
		upkeep.Go(func() { s.watchOwnStatus(serving) })
	}
	defer upkeep.Wait()
	defer stopUpkeep()
	defer stopStamping()
	err := s.api.Run(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, s.jobs.Stop(stop))
}

// close gives back what newService opened, last first.
func (s *service) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *service) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *service) openTrust(context.Context) (err error) {
	if err := kz.CheckZone(); err != nil {
		return err
	}
	if s.anchors, err = trust.Load(s.config.Trust.Anchors...); err != nil {
		return err
	}
	if len(s.anchors.Anchors()) == 0 {
		return fault.New(fault.ConfigBad, "trust.anchors", "no certificate was found there")
	}
	if s.config.Profile == config.Production && s.anchors.Profile() != trust.Production {
		return fault.New(fault.ConfigUnsafe, "trust.anchors", "the anchors are of the profile %s", s.anchors.Profile())
	}
	s.control = s.anchors.Profile().Control()
	s.policy, err = verifier.PolicyByName(s.config.Signature.Policy)
	return err
}

func (s *service) openTokens(ctx context.Context) error {
	metrics, err := hsm.NewMetrics(s.metrics)
	if err != nil {
		return err
	}
	if s.tokens, err = openTokens(ctx, s.config, hsm.Options{Now: s.now, Log: s.log, Metrics: metrics}); err != nil {
		return err
	}
	s.onClose(s.tokens.close)
	if s.receipts, err = s.jwsKey(ctx, s.config.Token.Keys.Receipt); err != nil {
		return err
	}
	if s.accessKey, err = s.jwsKey(ctx, s.config.Token.Keys.Access); err != nil {
		return err
	}
	return s.openGatewayKey(ctx)
}

func (s *service) jwsKey(ctx context.Context, label string) (*jws.Key, error) {
	key, err := s.tokens.key(ctx, label)
	if err != nil {
		return nil, err
	}
	return jws.NewKey(key)
}

// openGatewayKey reads the key that signs messages to the state's systems,
// with the certificate that stands beside it in the token.
func (s *service) openGatewayKey(ctx context.Context) error {
	label := s.config.Token.Keys.Gateway
	key, err := s.tokens.key(ctx, label)
	if err != nil {
		return err
	}
	certificate, err := s.tokens.certificate(ctx, label)
	if err != nil {
		return err
	}
	s.gatewayKey = xmldsig.Key{Signer: key, Certificate: certificate}
	return nil
}

// openPeers makes the two HTTP clients: one may go only where the
// configuration's peers are, the other only where certificates may point.
func (s *service) openPeers(context.Context) (err error) {
	loopback := s.config.Profile == config.Sandbox
	private := s.config.Network.AllowPrivate
	var hosts []string
	addresses := []string{s.config.Timestamp.URL, s.config.SHEP.URL, s.config.Gateway.URL}
	if e := s.config.Gateways.Epay; e.APIURL != "" {
		addresses = append(addresses, e.OAuthURL, e.APIURL)
	}
	for _, peer := range addresses {
		u, err := url.Parse(peer)
		if err != nil {
			return fault.Wrap(err, fault.ConfigBad, "", "a peer's URL")
		}
		hosts = append(hosts, u.Host)
	}
	s.peers, err = fetch.New(fetch.Config{AllowedHosts: hosts, AllowLoopback: loopback, AllowPrivate: private})
	if err != nil {
		return err
	}
	// NUC RK's CRL has 21 MB.
	s.outside, err = fetch.New(fetch.Config{
		AllowedHosts: s.config.Trust.AllowedHosts, AllowLoopback: loopback, AllowPrivate: private, Timeout: listPatience * s.config.Timestamp.Timeout,
	})
	if err != nil {
		return err
	}
	return s.openRevocation()
}

// openRevocation makes the store of OCSP answers and CRLs that all parts share.
func (s *service) openRevocation() error {
	folder := s.config.Trust.CRLFolder
	if folder != "" {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fault.Wrap(err, fault.ConfigBad, "trust.crl_folder", "make the folder")
		}
	}
	s.status = revocation.NewStore(revocation.StoreConfig{
		Fetcher: s.outside, Now: s.now, Folder: folder, AnswerAge: s.config.Trust.OCSPAge,
		AskTimeout: s.config.Timestamp.Timeout,
	})
	return nil
}

func (s *service) openDatabase(ctx context.Context) error {
	dsn, err := readDSN(s.config)
	if err != nil {
		return err
	}
	if s.pool, err = postgres.Open(ctx, dsn); err != nil {
		return err
	}
	s.onClose(func() error { s.pool.Close(); return nil })
	if err := postgres.Migrate(ctx, s.pool); err != nil {
		return err
	}
	return postgres.EnsurePartitions(ctx, s.pool, s.now())
}

// notRevoked asks the OCSP responder of every certificate on a peer's path,
// the anchor excepted. What cannot be determined is not good.
func (s *service) notRevoked(ctx context.Context, p *path.Path, at time.Time) error {
	checker := revocation.Checker{Store: s.status}
	for i := 0; i+1 < len(p.Certificates); i++ {
		subject := revocation.Subject{Certificate: p.Certificates[i], Issuer: p.Certificates[i+1]}
		result := checker.Check(ctx, subject, revocation.Rules{At: at, Now: s.now(), Skew: peerSkew})
		switch {
		case result.Evidence == nil:
			return fault.New(fault.RevocationUndetermined, fmt.Sprintf("path/%d", i), "no usable answer about the peer's certificate")
		case result.Evidence.Status != revocation.Good:
			return fault.New(fault.PeerRevoked, fmt.Sprintf("path/%d", i), "the peer's certificate is %s", result.Evidence.Status)
		}
	}
	return nil
}

// peerTrust judges the certificates that peers sign their messages with.
func (s *service) peerTrust() shep.Trust {
	return shep.Chain{Anchors: s.anchors, Intermediates: s.anchors.Intermediates(), Revocation: s.notRevoked}.Validate
}

// channel is a client of one ШЭП endpoint, whose answers are sealed by the
// system with that role.
func (s *service) channel(endpoint, senderID string, role asn1.ObjectIdentifier) (*shep.Client, error) {
	return shep.NewClient(shep.ClientConfig{
		URL: endpoint, Poster: s.peers, Key: s.gatewayKey, Sender: shep.Sender{ID: senderID},
		Timeout: s.config.SHEP.Timeout, Opener: s.opener(role),
	})
}

func (s *service) opener(role asn1.ObjectIdentifier) shep.Opener {
	return shep.Opener{Now: s.now, Peer: shep.Peer{Trust: s.peerTrust(), Role: role}}
}

// makeJobs makes the queue of every kind of job, and what tells subscribers of
// events, which stands on it.
func (s *service) makeJobs(context.Context) error {
	hooks, err := s.webhookConfig()
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	if s.paymentWorkers, err = payments.NewWorkers(workers); err != nil {
		return err
	}
	if err := payments.AddAnnouncer(workers, s.pool, s.now); err != nil {
		return err
	}
	hookWorkers, err := webhook.AddWorkers(workers, hooks)
	if err != nil {
		return err
	}
	s.jobs, err = outbox.NewJobs(s.pool, workers, outbox.JobsConfig{
		Now: s.now, Logger: s.log, Queues: map[string]int{webhook.Queue: webhook.QueueWorkers, outbox.NewsQueue: 1},
		Daily: map[string]func(context.Context) error{
			"idempotency": idempotency.New(s.pool, s.now).Prune,
			// The subscriptions are made of the queue, which starts after them.
			"webhooks": func(ctx context.Context) error { return s.webhooks.Prune(ctx) },
			"refunds":  func(ctx context.Context) error { return s.payments.RemindRefunds(ctx) },
			"facts":    func(ctx context.Context) error { return s.payments.Resume(ctx) },
		},
		Often: map[string]func(context.Context) error{"orders": func(ctx context.Context) error { return s.payments.ExpireOverdue(ctx) }},
	})
	if err != nil {
		return err
	}
	s.webhooks, err = webhook.New(hooks, s.jobs, hookWorkers)
	return err
}

func (s *service) makePayments(context.Context) error {
	client, err := s.channel(s.config.Gateway.URL, s.config.Gateway.SenderID, cert.OIDRolePaymentGateway)
	if err != nil {
		return err
	}
	port, err := gateway.NewPSHEP(gateway.PSHEPConfig{
		Client: client, ServiceID: s.config.Gateway.ServiceID, Account: s.config.Gateway.SenderID, Key: s.gatewayKey, Opener: s.opener(cert.OIDRolePaymentGateway),
		Gateway: shep.Peer{Trust: s.peerTrust()}, Control: s.control,
	})
	if err != nil {
		return err
	}
	others, err := s.otherGateways()
	if err != nil {
		return err
	}
	book, err := s.book()
	if err != nil {
		return err
	}
	if s.law, err = newLaw(s.config.Payments, s.log); err != nil {
		return err
	}
	tolerance, err := toleranceOf(s.config.Payments.Tolerance)
	if err != nil {
		return err
	}
	calendar, err := readCalendar(s.config.Payments.CalendarFile)
	if err != nil {
		return err
	}
	s.payments, err = payments.New(payments.Config{
		Pool: s.pool, Jobs: s.jobs, Gateway: port, Gateways: others, Book: book, Now: s.now, Law: s.law.Law, Tolerance: tolerance, Calendar: calendar, Workers: s.paymentWorkers,
		TreasuryIIK: s.config.Payments.BeneficiaryIIK, OrderLife: s.config.Payments.OrderLife,
	})
	if err == nil {
		s.onClose(func() error { s.payments.Close(); return nil })
	}
	return err
}

// book is the requisites of every revenue office and other body that may be
// paid.
func (s *service) book() (order.Book, error) {
	var all []order.Requisites
	for _, office := range s.config.Payments.Offices {
		r := order.Treasury(charge.RevenueOffice(office.Code), kz.BIN(office.BIN), office.Name)
		r.BIC = cmp.Or(office.BIC, s.config.Payments.BeneficiaryBIC)
		r.IIK = cmp.Or(office.IIK, s.config.Payments.BeneficiaryIIK)
		r.KBe = cmp.Or(office.KBe, r.KBe)
		all = append(all, r)
	}
	return order.NewBook(s.control, all...)
}

func (s *service) makeDossier(ctx context.Context) error {
	client, err := s.channel(s.config.SHEP.URL, s.config.SHEP.SenderID, cert.OIDRoleGateway)
	if err != nil {
		return err
	}
	registerBIN, err := kz.ParseBIN(s.config.SHEP.RegisterBIN, s.control)
	if err != nil {
		return err
	}
	register, err := gbdul.New(gbdul.Config{
		Channel: client, Key: s.gatewayKey, Requestor: s.gatewayKey.Certificate.Holder().BIN, Now: s.now,
		Reader: gbdul.Reader{
			Signer:  shep.Peer{Trust: s.peerTrust(), Role: cert.OIDRoleOrganization, BIN: registerBIN},
			Control: s.control,
		},
	})
	if err != nil {
		return err
	}
	stamper, err := s.stamper()
	if err != nil {
		return err
	}
	s.dossier = dossier.New(dossier.Config{
		Pool: s.pool, Anchors: s.anchors, Policy: s.policy, Revocation: s.status, Registry: registry.New(register), TSA: stamper,
		Payments: s.payments, Receipts: s.receipts, Issuer: s.config.PublicURL, Control: s.control, Now: s.now,
	})
	s.keys, err = s.dossier.PublishReceiptKey(ctx)
	return err
}

// stamper makes the client of the time-stamping authority. Whether that one is
// revoked is asked as of any certificate.
func (s *service) stamper() (*tsa.Client, error) {
	return tsa.New(tsa.Config{
		URL: s.config.Timestamp.URL, Fetcher: s.peers, Anchors: s.anchors, Certificates: s.anchors.Intermediates(),
		Revocation: &revocation.Checker{Store: s.status}, Now: s.now, Timeout: s.config.Timestamp.Timeout,
	})
}

func (s *service) makeAccess(context.Context) (err error) {
	s.access, err = access.New(access.Config{
		Pool: s.pool, Now: s.now, Issuer: s.config.PublicURL, TokenKey: s.accessKey, VerifySignIn: s.verifySignIn,
		Limits: access.Limits{CallerPerSecond: s.config.Limits.RequestsPerSecond, OpenPerSecond: s.config.Limits.OpenRequestsPerSecond,
			TimestampPerSecond: s.config.Limits.TimestampsPerSecond, PaymentPerSecond: s.config.Limits.PaymentsPerSecond},
	})
	return err
}

// verifySignIn lends the verifier to access, which may not know it: one
// attached signature, TOTAL-PASSED.
func (s *service) verifySignIn(ctx context.Context, signed []byte, at time.Time) (access.SignedIn, error) {
	var in access.SignedIn
	found, err := verifier.Collect(ctx, verifier.Input{Name: "challenge", Data: signed, Anchors: s.anchors, Revocation: s.status, Now: s.now})
	if err != nil {
		return in, err
	}
	report := verifier.Judge(found, s.policy, s.anchors, at)
	if err := dossier.RefusalOf(report); err != nil {
		return in, err
	}
	if len(report.Signatures) != 1 {
		return in, fault.New(fault.OneSignatureRequired, "", "there are %d", len(report.Signatures))
	}
	message, err := cms.Parse(signed)
	if err != nil {
		return in, err
	}
	in.Content = message.Content
	in.Certificate, err = cert.Parse(found.Certificate(report.Signatures[0].Signer.Certificate))
	return in, err
}

func (s *service) makeAPI(ctx context.Context) error {
	transport, err := s.tls()
	if err != nil {
		return err
	}
	seals, err := s.openSeals(ctx)
	if err != nil {
		return err
	}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	d := api.Dependencies{
		Access: s.access, Dossier: s.dossier, Gateway: s.payments, Webhooks: s.webhooks, Registry: s.metrics,
		Verifier: documents{anchors: s.anchors, status: s.status, now: s.now}, Sealer: seals,
		Keys: func() []jose.JSONWebKey { return s.keys },
		Checks: map[string]func(context.Context) error{
			"database": s.pool.Ping,
			"token":    s.checkToken,

			"certificates": s.checkCertificates,
		},
	}
	if s.stamping != nil {
		d.Stamps = s.stamping
		d.Checks["clock"] = s.stamping.clock.Check
		d.Checks["timestamps"] = s.checkStamping
	}
	s.api, err = api.New(api.Config{Listener: s.listener, TLS: transport, Log: s.log, Now: s.now}, d)
	return err
}

// checkCertificates fails while there is still time to get new ones.
func (s *service) checkCertificates(ctx context.Context) error {
	return s.tokens.checkCertificates(ctx, s.config.Token.CertificateMargin)
}

// checkToken proves that the receipt key still signs, and that no other key has
// lost all its copies.
func (s *service) checkToken(context.Context) error {
	if err := s.tokens.ready(); err != nil {
		return err
	}
	_, err := s.receipts.Sign("readiness", []byte("readiness"))
	return err
}

// tls is nil without a certificate. A client certificate is asked for, not
// demanded: people and JWT clients have none.
func (s *service) tls() (*tls.Config, error) {
	c := s.config.TLS
	if c.CertificateFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.CertificateFile, c.KeyFile)
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, "tls.certificate_file", "load the listener's certificate")
	}
	t := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.ClientCAFile == "" {
		return t, nil
	}
	raw, err := os.ReadFile(c.ClientCAFile)
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, "tls.client_ca_file", "cannot be read")
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(raw) {
		return nil, fault.New(fault.ConfigBad, "tls.client_ca_file", "holds no certificate")
	}
	t.ClientAuth = tls.VerifyClientCertIfGiven
	return t, nil
}

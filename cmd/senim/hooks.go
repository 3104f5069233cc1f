package main

import (
	"crypto/x509"
	"os"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/outbox/webhook"
)

// webhookConfig makes the client that asks subscribers, and says what events
// need to know of transactions and callers.
func (s *service) webhookConfig() (webhook.Config, error) {
	loopback := s.config.Profile == config.Sandbox
	authorities, err := readAuthorities(s.config.Webhooks.CAFile)
	if err != nil {
		return webhook.Config{}, err
	}
	client, err := fetch.New(fetch.Config{
		AllowedHosts: s.config.Webhooks.Hosts, AllowLoopback: loopback, AllowPrivate: s.config.Network.AllowPrivate,
		Timeout: webhook.SendTimeout, RootCAs: authorities,
	})
	if err != nil {
		return webhook.Config{}, err
	}
	s.onClose(func() error { client.Close(); return nil })
	metrics, err := webhook.NewMetrics(s.metrics)
	if err != nil {
		return webhook.Config{}, err
	}
	return webhook.Config{
		Pool: s.pool, Now: s.now, Log: s.log, Client: client, Plain: loopback, Metrics: metrics,
		Parties: dossier.DeclarantsOf, Barred: access.Disabled,
	}, nil
}

// readAuthorities reads the CAs of subscribers' servers; nil, the system's,
// without a file.
func readAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, "webhooks.ca_file", "cannot be read")
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(raw) {
		return nil, fault.New(fault.ConfigBad, "webhooks.ca_file", "holds no certificate")
	}
	return authorities, nil
}

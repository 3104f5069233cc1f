package main

import (
	"bytes"
	"cmp"
	"os"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/gateway/epay"
)

// epayCallbacks is where ePay's postLinks go, below the public URL.
const epayCallbacks = "/v1/gateways/epay/callbacks"

// otherGateways are those that a payer may choose instead of ПШЭП.
func (s *service) otherGateways() ([]gateway.Port, error) {
	e := s.config.Gateways.Epay
	if e.APIURL == "" {
		return nil, nil
	}
	secret := []byte(e.Secret)
	if e.SecretFile != "" {
		raw, err := os.ReadFile(e.SecretFile)
		if err != nil {
			return nil, fault.Wrap(err, fault.ConfigBad, "gateways.epay.secret_file", "cannot be read")
		}
		secret = bytes.TrimSpace(raw)
	}
	adapter, err := epay.New(epay.Config{
		OAuthURL: e.OAuthURL, APIURL: strings.TrimSuffix(e.APIURL, "/"),
		PostLink: s.config.PublicURL + epayCallbacks, BackLink: cmp.Or(e.BackLink, s.config.PublicURL),
		ClientID: e.ClientID, Secret: secret, Terminal: e.Terminal, BankBIC: e.BankBIC,
		Caller: s.peers, Pool: s.pool, Now: s.now,
	})
	if err != nil {
		return nil, err
	}
	return []gateway.Port{adapter}, nil
}

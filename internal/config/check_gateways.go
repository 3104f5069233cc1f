package config

import "regexp"

var bankBIC = regexp.MustCompile(`^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$`)

// epay is all there or not at all: the first field that says something means
// it. Card payments go over TLS.
func (k *checker) epay(e Epay) {
	if e == (Epay{}) {
		return
	}
	k.url("gateways.epay.oauth_url", e.OAuthURL, "https")
	k.url("gateways.epay.api_url", e.APIURL, "https")
	if e.BackLink != "" {
		k.url("gateways.epay.back_link", e.BackLink, "https")
	}
	k.must("gateways.epay.client_id", e.ClientID != "", "is missing")
	k.must("gateways.epay.terminal", e.Terminal != "", "is missing")
	k.must("gateways.epay.bank_bic", bankBIC.MatchString(e.BankBIC), "must have 8 or 11 characters (ISO 9362)")
	if e.Secret == "" {
		k.secretFile("gateways.epay.secret_file", e.SecretFile)
	}
}

package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/jws"
)

// Config of the service. Every field without a stated zero value is required.
type Config struct {
	Pool *pgxpool.Pool
	Now  func() time.Time

	// Issuer is the service's own address as callers write it, without a
	// path: the issuer and audience of access tokens, and the base of the
	// token endpoint that assertions must name.
	Issuer string

	// TokenKey signs access tokens; it lives in the HSM.
	TokenKey *jws.Key
	// FormerKeys still verify tokens after TokenKey was replaced; empty is
	// none.
	FormerKeys []jose.JSONWebKey

	// VerifySignIn checks the signature on a sign-in challenge.
	VerifySignIn VerifySignIn

	Limits Limits // zero means the defaults
}

// TokenPath is where the token endpoint stands under the issuer.
const TokenPath = "/v1/oauth/token"

// Service authenticates callers.
type Service struct {
	pool         *pgxpool.Pool
	now          func() time.Time
	issuer       string
	tokenKey     *jws.Key
	tokens       jose.JSONWebKeySet // what verifies an access token
	verifySignIn VerifySignIn

	seen   *recent[[sha256.Size]byte, accessToken] // tokens whose signature holds
	states *recent[string, clientState]            // clients, for stateLife

	callers   *limiter[string]
	gateways  *limiter[string]
	strangers *limiter[netip.Prefix]
	messages  *limiter[netip.Prefix]
	stamps    *limiter[netip.Prefix]
}

// New makes the service. Errors: config_invalid.
func New(c Config) (*Service, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.TrimRight(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.ConfigBad, "/issuer", "not an http(s) address without a path")
	}
	if c.Pool == nil || c.Now == nil || c.TokenKey == nil || c.VerifySignIn == nil {
		return nil, fault.New(fault.ConfigBad, "", "access needs a database, a clock, a token key and a sign-in verifier")
	}
	l := c.Limits.withDefaults()
	return &Service{
		pool:         c.Pool,
		now:          c.Now,
		issuer:       u.Scheme + "://" + u.Host,
		tokenKey:     c.TokenKey,
		tokens:       jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey{c.TokenKey.PublicJWK()}, c.FormerKeys...)},
		verifySignIn: c.VerifySignIn,

		seen:   newRecent[[sha256.Size]byte, accessToken](tokensSeenMax),
		states: newRecent[string, clientState](statesMax),

		callers:   newLimiter[string](l.CallerPerSecond, l.CallerBurst),
		gateways:  newLimiter[string](l.PaymentPerSecond, l.PaymentBurst),
		strangers: newLimiter[netip.Prefix](l.OpenPerSecond, l.OpenBurst),
		messages:  newLimiter[netip.Prefix](l.MessagePerSecond, l.MessageBurst),
		stamps:    newLimiter[netip.Prefix](l.TimestampPerSecond, l.TimestampBurst),
	}, nil
}

// Proof is what a request brings to show who makes it.
type Proof struct {
	Bearer      string            // of "Authorization: Bearer …" (RFC 6750 §2.1); empty if none
	Certificate *x509.Certificate // of the TLS connection, its key proved there; nil if none
}

// Authenticate finds out who calls. A bearer token, when there is one, is what
// counts: a caller that means its certificate sends no token. Errors:
// credentials_missing, token_invalid, token_expired, client_disabled,
// client_certificate_unknown, session_invalid.
func (s *Service) Authenticate(ctx context.Context, p Proof) (Caller, error) {
	switch {
	case strings.Count(p.Bearer, ".") == 2: // a compact JWS
		return s.callerOfToken(ctx, p.Bearer)
	case p.Bearer != "":
		return s.callerOfSession(ctx, p.Bearer)
	case p.Certificate != nil:
		return s.callerOfCertificate(ctx, p.Certificate)
	}
	return Caller{}, fault.New(fault.CredentialsMissing, "/headers/Authorization", "neither a bearer token nor a client certificate")
}

// secretSize is the entropy of nonces, session tokens and token identifiers:
// 256 bits, nothing to guess.
const secretSize = 32

func secret() [secretSize]byte {
	var b [secretSize]byte
	rand.Read(b[:]) // never fails: it ends the program instead (crypto/rand)
	return b
}

package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

const (
	assertionSizeMax = 8 << 10         // bytes
	assertionLife    = 5 * time.Minute // from now to exp, at most: bounds how long a jti is kept
	clockSkew        = 30 * time.Second
	jtiLengthMax     = 128
)

// checkAssertion authenticates a client by a JWT it signed (RFC 7523 §3): the
// register knows the key, the token endpoint is its only audience, it lives
// for minutes, and it is good once.
//
// Whatever is wrong with it, an unknown client is told the same as one with a
// wrong signature, so that nobody learns which clients exist.
func (s *Service) checkAssertion(ctx context.Context, assertion string) (clientState, error) {
	if assertion == "" || len(assertion) > assertionSizeMax {
		return clientState{}, fault.New(fault.AssertionInvalid, "/client_assertion", "empty or longer than %d bytes", assertionSizeMax)
	}
	token, err := jwt.ParseSigned(assertion, assertionAlgorithms)
	if err != nil || len(token.Headers) != 1 {
		return clientState{}, fault.New(fault.AssertionInvalid, "/client_assertion", "not a JWT signed with RS256, PS256, ES256, ES384 or EdDSA")
	}
	var named jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&named); err != nil {
		return clientState{}, fault.New(fault.AssertionInvalid, "/client_assertion", "the claims cannot be read")
	}
	client, found, err := s.stateOf(ctx, named.Subject)
	if err != nil {
		return clientState{}, err
	}
	claims, err := verifyAssertion(token, client)
	if !found || err != nil {
		return clientState{}, fault.New(fault.AssertionInvalid, "/client_assertion", "no registered key of such a client verifies it")
	}
	if client.disabled {
		return clientState{}, fault.New(fault.ClientDisabled, "", "the client is disabled")
	}
	if err := s.checkClaims(claims); err != nil {
		return clientState{}, err
	}
	return client, s.spendAssertion(ctx, client.id, claims)
}

// verifyAssertion checks the signature with the client's key of that kid, and
// only by an algorithm that this key is for.
func verifyAssertion(token *jwt.JSONWebToken, c clientState) (claims jwt.Claims, err error) {
	header := token.Headers[0]
	keys := c.keys.Key(header.KeyID)
	if header.KeyID == "" || len(keys) != 1 {
		return claims, fmt.Errorf("no key %.40q", header.KeyID)
	}
	key := keys[0]
	allowed := slices.ContainsFunc(algorithmsOf(key.Key), func(a jose.SignatureAlgorithm) bool { return string(a) == header.Algorithm })
	if !allowed || key.Algorithm != "" && key.Algorithm != header.Algorithm {
		return claims, fmt.Errorf("the key is not for this algorithm")
	}
	err = token.Claims(key.Key, &claims)
	return claims, err
}

// checkClaims holds the claims against RFC 7523 §3. The audience must be the
// token endpoint and nothing else: an assertion that names several could be
// made for another server and brought here.
func (s *Service) checkClaims(c jwt.Claims) error {
	now := s.now()
	for _, check := range []struct {
		at     string
		wrong  bool
		detail string
	}{
		{"/iss", c.Issuer == "" || c.Issuer != c.Subject, "iss and sub must both be the client's identifier"},
		{"/aud", len(c.Audience) != 1 || c.Audience[0] != s.issuer+TokenPath, "want the token endpoint's address alone"},
		{"/exp", c.Expiry == nil || !now.Before(c.Expiry.Time()), "missing or past"},
		{"/exp", c.Expiry != nil && c.Expiry.Time().Sub(now) > assertionLife+clockSkew, "more than five minutes ahead"},
		{"/nbf", c.NotBefore != nil && c.NotBefore.Time().After(now.Add(clockSkew)), "in the future"},
		{"/iat", c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(clockSkew)), "in the future"},
		{"/jti", c.ID == "" || len(c.ID) > jtiLengthMax, "missing or too long"},
	} {
		if check.wrong {
			return fault.New(fault.AssertionInvalid, "/client_assertion"+check.at, "%s", check.detail)
		}
	}
	return nil
}

// sweepMax is how many expired rows each new one takes with it, so that the
// tables of single-use values never outgrow what was recently issued.
const sweepMax = 8

// spendAssertion keeps the identifier until the assertion expires, and refuses
// one that is there already. The primary key decides between two at once.
func (s *Service) spendAssertion(ctx context.Context, client string, c jwt.Claims) error {
	digest := sha256.Sum256([]byte(c.ID))
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			delete from access_assertion where ctid = any(array(
			    select ctid from access_assertion where expires_at < $1 limit $2 for update skip locked))`,
			s.now().Add(-clockSkew), sweepMax)
		if err != nil {
			return fmt.Errorf("sweep assertions: %w", err)
		}
		tag, err := tx.Exec(ctx, `
			insert into access_assertion (client, jti_sha256, expires_at) values ($1, $2, $3)
			on conflict do nothing`, client, digest[:], c.Expiry.Time())
		if err != nil {
			return fmt.Errorf("keep assertion: %w", err)
		}
		if tag.RowsAffected() != 1 {
			return fault.New(fault.AssertionReplayed, "/client_assertion/jti", "an assertion with this jti was used before")
		}
		return nil
	})
}

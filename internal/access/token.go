package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/jws"
)

const (
	// tokenLife is short because a token, unlike its client, cannot be
	// disabled one by one.
	tokenLife = 5 * time.Minute

	// tokenSizeMax bounds a bearer token before anything is done with it;
	// ours have about 700 bytes.
	tokenSizeMax = 4 << 10

	// tokensSeenMax bounds the remembered tokens of one process.
	tokensSeenMax = 10_000

	// tokenType keeps an access token from being taken for any other JWS of
	// the same keys (RFC 9068 §2.1).
	tokenType = "at+jwt"
)

// accessToken is the payload of an access token (RFC 9068 §2.2).
type accessToken struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	// Generation of the client's credentials by which the token was got.
	Generation int `json:"senim_generation"`
}

// TokenRequest is the body of a token request (RFC 6749 §4.4.2, RFC 7523 §2.2).
type TokenRequest struct {
	GrantType     string
	AssertionType string
	Assertion     string
	ClientID      string // optional; must then be the assertion's subject
	Scope         string // space-separated; empty means everything granted
}

// Token is the answer to a token request (RFC 6749 §5.1).
type Token struct {
	AccessToken string
	ExpiresIn   time.Duration
	Scopes      []Scope
}

// What a token request must say.
const (
	grantType     = "client_credentials"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// IssueToken authenticates a client by its assertion and gives it an access
// token. Errors: grant_unsupported, assertion_invalid, assertion_replayed,
// client_disabled, scope_invalid.
func (s *Service) IssueToken(ctx context.Context, r TokenRequest) (Token, error) {
	if r.GrantType != grantType {
		return Token{}, fault.New(fault.GrantUnsupported, "/grant_type", "want %s", grantType)
	}
	if r.AssertionType != assertionType {
		return Token{}, fault.New(fault.AssertionInvalid, "/client_assertion_type", "want %s", assertionType)
	}
	client, err := s.checkAssertion(ctx, r.Assertion)
	if err != nil {
		return Token{}, err
	}
	if r.ClientID != "" && r.ClientID != client.id {
		return Token{}, fault.New(fault.AssertionInvalid, "/client_id", "not the subject of the assertion")
	}
	scopes, err := narrow(client.scopes, r.Scope)
	if err != nil {
		return Token{}, err
	}
	signed, err := s.sign(client, scopes)
	if err != nil {
		return Token{}, fmt.Errorf("issue access token: %w", err)
	}
	return Token{AccessToken: signed, ExpiresIn: tokenLife, Scopes: scopes}, nil
}

// narrow returns the scopes asked for, all of which must be granted.
func narrow(granted []Scope, asked string) ([]Scope, error) {
	names := strings.Fields(asked)
	if len(names) == 0 {
		return granted, nil
	}
	if len(names) > len(granted) {
		return nil, fault.New(fault.ScopeInvalid, "/scope", "more scopes than were granted")
	}
	scopes := make([]Scope, 0, len(names))
	for _, name := range names {
		if !slices.Contains(granted, Scope(name)) {
			return nil, fault.New(fault.ScopeInvalid, "/scope", "a scope was not granted to this client")
		}
		scopes = append(scopes, Scope(name))
	}
	return scopes, nil
}

func (s *Service) sign(c clientState, scopes []Scope) (string, error) {
	now, id := s.now(), secret()
	payload, err := json.Marshal(accessToken{
		Issuer: s.issuer, Audience: s.issuer, Subject: c.id, ClientID: c.id, Scope: JoinScopes(scopes),
		ID:       base64.RawURLEncoding.EncodeToString(id[:]),
		IssuedAt: now.Unix(), Expires: now.Add(tokenLife).Unix(), Generation: c.generation,
	})
	if err != nil {
		return "", err
	}
	return s.tokenKey.Sign(tokenType, payload)
}

// JoinScopes writes scopes as OAuth does, with a space between (RFC 6749 §3.3).
func JoinScopes(scopes []Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, " ")
}

// callerOfToken authenticates by an access token: the token says which client
// and which scopes, the register whether that still holds.
func (s *Service) callerOfToken(ctx context.Context, compact string) (Caller, error) {
	t, err := s.readToken(compact)
	if err != nil {
		return Caller{}, err
	}
	c, found, err := s.stateOf(ctx, t.Subject)
	switch {
	case err != nil:
		return Caller{}, err
	case !found, c.disabled, c.generation != t.Generation:
		return Caller{}, fault.New(fault.ClientDisabled, "", "the client is disabled or its credentials were replaced")
	}
	var scopes []Scope
	for _, name := range strings.Fields(t.Scope) {
		if slices.Contains(c.scopes, Scope(name)) {
			scopes = append(scopes, Scope(name))
		}
	}
	return c.caller(scopes), nil
}

// readToken checks a token's signature once and remembers the outcome under
// the digest of the whole token till it expires.
func (s *Service) readToken(compact string) (accessToken, error) {
	if len(compact) > tokenSizeMax {
		return accessToken{}, fault.New(fault.TokenInvalid, "", "longer than %d bytes", tokenSizeMax)
	}
	key := sha256.Sum256([]byte(compact))
	t, known := s.seen.get(key)
	if !known {
		payload, err := jws.Verify(compact, tokenType, s.tokens)
		if err != nil {
			return accessToken{}, fault.Wrap(err, fault.TokenInvalid, "", "not a token of this service")
		}
		if err := json.Unmarshal(payload, &t); err != nil || t.Issuer != s.issuer || t.Audience != s.issuer {
			return accessToken{}, fault.New(fault.TokenInvalid, "", "not a token for this service")
		}
	}
	if s.now().Unix() >= t.Expires {
		s.seen.remove(key)
		return accessToken{}, fault.New(fault.TokenExpired, "", "expired at %s", time.Unix(t.Expires, 0).UTC().Format(time.RFC3339))
	}
	if !known {
		s.seen.put(key, t)
	}
	return t, nil
}

// PublicKeys are the keys that verify access tokens, for the JWK set.
func (s *Service) PublicKeys() []jose.JSONWebKey { return slices.Clone(s.tokens.Keys) }

package access

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/jws"
)

func TestEveryAllowedAlgorithmGetsAToken(t *testing.T) {
	h := newHouse(t)
	raw := jwks(t, jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA)
	err := h.clients.Add(t.Context(), "test", Registration{
		ID: "firm", Name: "Firm", Role: Trader, BIN: firmBIN, Credentials: Credentials{JWKS: raw},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range assertionAlgorithms {
		t.Run(string(a), func(t *testing.T) {
			token, err := h.IssueToken(t.Context(), request(assertion(t, a, string(a), goodClaims("firm", string(a)))))
			if err != nil {
				t.Fatal(err)
			}
			c, err := h.Authenticate(t.Context(), Proof{Bearer: token.AccessToken})
			if err != nil {
				t.Fatal(err)
			}
			if c.ID != "firm" || c.Kind != System || c.Role != Trader || c.BIN != firmBIN || !slices.Equal(c.Scopes, ScopesOf(Trader)) {
				t.Errorf("authenticated as %+v", c)
			}
		})
	}
}

func TestAssertionRefused(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	at := func(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(start.Add(d)) }
	sign := func(change func(*jwt.Claims)) string {
		c := goodClaims("window", "refused")
		change(&c)
		return assertion(t, jose.ES256, "ES256", c)
	}
	good := sign(func(*jwt.Claims) {})
	parts := strings.Split(good, ".")
	public := publicDER(t)
	for name, a := range map[string]string{
		"empty":                    "",
		"not a JWT":                "a.b.c",
		"too long":                 strings.Repeat("a", assertionSizeMax+1),
		"truncated":                good[:len(good)-10],
		"alg none":                 "eyJhbGciOiJub25lIiwia2lkIjoiRVMyNTYifQ." + parts[1] + ".",
		"HS256 by the public key":  signedBy(t, public, jose.HS256, "ES256", goodClaims("window", "refused")),
		"another key":              signedBy(t, keyring()[jose.ES384], jose.ES384, "ES256", goodClaims("window", "refused")),
		"no kid":                   assertion(t, jose.ES256, "", goodClaims("window", "refused")),
		"unknown kid":              assertion(t, jose.ES256, "other", goodClaims("window", "refused")),
		"unknown client":           sign(func(c *jwt.Claims) { c.Issuer, c.Subject = "nobody", "nobody" }),
		"no subject":               sign(func(c *jwt.Claims) { c.Subject = "" }),
		"issuer differs":           sign(func(c *jwt.Claims) { c.Issuer = "other" }),
		"audience is the issuer":   sign(func(c *jwt.Claims) { c.Audience = jwt.Audience{issuer} }),
		"audience of another":      sign(func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://other.example" + TokenPath} }),
		"two audiences":            sign(func(c *jwt.Claims) { c.Audience = append(c.Audience, "https://other.example") }),
		"no audience":              sign(func(c *jwt.Claims) { c.Audience = nil }),
		"no expiry":                sign(func(c *jwt.Claims) { c.Expiry = nil }),
		"expired":                  sign(func(c *jwt.Claims) { c.Expiry = at(0) }),
		"expires too far ahead":    sign(func(c *jwt.Claims) { c.Expiry = at(assertionLife + clockSkew + time.Second) }),
		"not yet valid":            sign(func(c *jwt.Claims) { c.NotBefore = at(clockSkew + time.Second) }),
		"issued in the future":     sign(func(c *jwt.Claims) { c.IssuedAt = at(clockSkew + time.Second) }),
		"no jti":                   sign(func(c *jwt.Claims) { c.ID = "" }),
		"jti too long":             sign(func(c *jwt.Claims) { c.ID = strings.Repeat("j", jtiLengthMax+1) }),
		"payload of another token": parts[0] + "." + strings.Split(sign(func(c *jwt.Claims) { c.ID = "x" }), ".")[1] + "." + parts[2],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.IssueToken(t.Context(), request(a))
			wantCode(t, err, fault.AssertionInvalid)
		})
	}
	if _, err := h.IssueToken(t.Context(), request(good)); err != nil {
		t.Errorf("a refused assertion used up the jti: %v", err)
	}
}

func TestTokenRequestRefused(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	for name, c := range map[string]struct {
		change func(*TokenRequest)
		want   fault.Code
	}{
		"another grant":            {func(r *TokenRequest) { r.GrantType = "password" }, fault.GrantUnsupported},
		"another assertion type":   {func(r *TokenRequest) { r.AssertionType = "urn:x" }, fault.AssertionInvalid},
		"another client":           {func(r *TokenRequest) { r.ClientID = "other" }, fault.AssertionInvalid},
		"scope of another role":    {func(r *TokenRequest) { r.Scope = "statements.write" }, fault.ScopeInvalid},
		"one scope in two granted": {func(r *TokenRequest) { r.Scope = "orders.write root" }, fault.ScopeInvalid},
		"endless scopes":           {func(r *TokenRequest) { r.Scope = strings.Repeat("orders.write ", 100) }, fault.ScopeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(assertion(t, jose.ES256, "ES256", goodClaims("window", name)))
			c.change(&r)
			_, err := h.IssueToken(t.Context(), r)
			wantCode(t, err, c.want)
		})
	}
}

func TestAssertionIsGoodOnce(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	h.system(t, "ministry", Ministry)
	a := assertion(t, jose.ES256, "ES256", goodClaims("window", "once"))
	var won atomic.Int32
	var hands sync.WaitGroup
	for range 8 {
		hands.Go(func() {
			_, err := h.IssueToken(t.Context(), request(a))
			if err == nil {
				won.Add(1)
			} else if !fault.Is(err, fault.AssertionReplayed) {
				t.Error(err)
			}
		})
	}
	hands.Wait()
	if won.Load() != 1 {
		t.Errorf("one assertion gave %d tokens", won.Load())
	}
	// A jti is its client's own: another may choose the same.
	if _, err := h.IssueToken(t.Context(), request(assertion(t, jose.ES256, "ES256", goodClaims("ministry", "once")))); err != nil {
		t.Error(err)
	}
}

func TestExpiredAssertionsAreSwept(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	for i := range 20 {
		h.token(t, "window", fmt.Sprint("old", i))
	}
	h.clock.advance(time.Hour)
	for i := range 3 {
		h.token(t, "window", fmt.Sprint("new", i))
	}
	var kept int
	if err := h.pool.QueryRow(t.Context(), `select count(*) from access_assertion`).Scan(&kept); err != nil || kept != 3 {
		t.Errorf("%d kept, %v", kept, err)
	}
}

func TestScopesNarrow(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	r := request(assertion(t, jose.ES256, "ES256", goodClaims("window", "narrow")))
	r.Scope, r.ClientID = "transactions.read", "window"
	token, err := h.IssueToken(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.Authenticate(t.Context(), Proof{Bearer: token.AccessToken})
	if err != nil || !slices.Equal(c.Scopes, []Scope{TransactionsRead}) {
		t.Fatalf("%v, %v", c.Scopes, err)
	}
	wantCode(t, RuleOf("openTransaction").Admit(c), fault.ScopeDenied)
}

func TestTokenRefused(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	good := h.token(t, "window", "good")
	other, err := jws.NewKey(keyring()[jose.ES384])
	if err != nil {
		t.Fatal(err)
	}
	payload := fmt.Appendf(nil, `{"iss":%q,"aud":%q,"sub":"window","exp":%d,"senim_generation":1}`, issuer, issuer, start.Add(time.Minute).Unix())
	sign := func(k *jws.Key, typ string, payload []byte) string {
		compact, err := k.Sign(typ, payload)
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	for name, token := range map[string]string{
		"garbage":           "a.b.c",
		"too long":          good + strings.Repeat("A", tokenSizeMax),
		"truncated":         good[:len(good)-4],
		"key of a stranger": sign(other, tokenType, payload),
		"a receipt":         sign(h.tokenKey, "senim-receipt+jwt", payload),
		"token of another issuer": sign(h.tokenKey, tokenType,
			[]byte(strings.Replace(string(payload), issuer, "https://other.example", 1))),
		"no claims": sign(h.tokenKey, tokenType, []byte("null")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.Authenticate(t.Context(), Proof{Bearer: token})
			wantCode(t, err, fault.TokenInvalid)
		})
	}
	_, err = h.Authenticate(t.Context(), Proof{})
	wantCode(t, err, fault.CredentialsMissing)
	h.clock.advance(tokenLife)
	_, err = h.Authenticate(t.Context(), Proof{Bearer: good})
	wantCode(t, err, fault.TokenExpired)
}

func TestTokenSignatureIsCheckedOnce(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	token := h.token(t, "window", "one")
	if _, err := h.Authenticate(t.Context(), Proof{Bearer: token}); err != nil {
		t.Fatal(err)
	}
	h.tokens = jose.JSONWebKeySet{} // no signature can be checked from here on
	if _, err := h.Authenticate(t.Context(), Proof{Bearer: token}); err != nil {
		t.Errorf("the outcome was not remembered: %v", err)
	}
	h.clock.advance(tokenLife)
	_, err := h.Authenticate(t.Context(), Proof{Bearer: token})
	wantCode(t, err, fault.TokenExpired)
}

// What kills a client's tokens does so within stateLife, on every node.
func TestTokensDieWithTheirClient(t *testing.T) {
	for name, kill := range map[string]func(*house) error{
		"disabled": func(h *house) error { return h.clients.Disable(t.Context(), "test", "window") },
		"rotated": func(h *house) error {
			return h.clients.Rotate(t.Context(), "test", "window", Credentials{JWKS: jwks(t, jose.ES256)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.system(t, "window", SingleWindow)
			token := h.token(t, "window", "one")
			if _, err := h.Authenticate(t.Context(), Proof{Bearer: token}); err != nil {
				t.Fatal(err)
			}
			if err := kill(h); err != nil {
				t.Fatal(err)
			}
			h.clock.advance(stateLife)
			_, err := h.Authenticate(t.Context(), Proof{Bearer: token})
			wantCode(t, err, fault.ClientDisabled)
		})
	}
}

func TestDisabledClientGetsNoToken(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	if err := h.clients.Disable(t.Context(), "test", "window"); err != nil {
		t.Fatal(err)
	}
	_, err := h.IssueToken(t.Context(), request(assertion(t, jose.ES256, "ES256", goodClaims("window", "late"))))
	wantCode(t, err, fault.ClientDisabled)
}

func TestFormerKeyStillVerifies(t *testing.T) {
	h := newHouse(t)
	h.system(t, "window", SingleWindow)
	token := h.token(t, "window", "before")
	next, err := jws.NewKey(keyring()[jose.ES384])
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Pool: h.pool, Now: h.clock.now, Issuer: issuer, TokenKey: next, VerifySignIn: openEnvelope}
	without, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = without.Authenticate(t.Context(), Proof{Bearer: token})
	wantCode(t, err, fault.TokenInvalid)
	config.FormerKeys = h.PublicKeys()
	with, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := with.Authenticate(t.Context(), Proof{Bearer: token}); err != nil {
		t.Error(err)
	}
}

func TestCertificateAuthenticates(t *testing.T) {
	h := newHouse(t)
	der := selfSigned(t, keyring()[jose.RS256], pkix.Name{CommonName: "client"})
	err := h.clients.Add(t.Context(), "test", Registration{
		ID: "desk", Name: "Desk", Role: Support, Credentials: Credentials{Certificate: der},
	})
	if err != nil {
		t.Fatal(err)
	}
	parse := func(der []byte) Proof {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return Proof{Certificate: c}
	}
	c, err := h.Authenticate(t.Context(), parse(der))
	if err != nil || c.ID != "desk" || c.Role != Support {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = h.Authenticate(t.Context(), parse(selfSigned(t, keyring()[jose.ES256], pkix.Name{CommonName: "client"})))
	wantCode(t, err, fault.ClientCertificateUnknown)
	_, err = h.Authenticate(t.Context(), parse(selfSigned(t, keyring()[jose.EdDSA], pkix.Name{CommonName: "client"})))
	wantCode(t, err, fault.ClientCertificateUnknown)
	h.clock.advance(2 * time.Hour)
	_, err = h.Authenticate(t.Context(), parse(der))
	wantCode(t, err, fault.ClientCertificateUnknown)
	h.clock.advance(-2 * time.Hour)
	if err := h.clients.Disable(t.Context(), "test", "desk"); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(stateLife)
	_, err = h.Authenticate(t.Context(), parse(der))
	wantCode(t, err, fault.ClientDisabled)
}

func TestNewRefusesABadIssuer(t *testing.T) {
	key, err := jws.NewKey(keyring()[jose.ES256])
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "senim", "ftp://senim.kz", "https://", "https://senim.kz/api", "https://senim.kz?x=1", "https://senim.kz#x", "https://%zz"} {
		_, err := New(Config{Issuer: bad, TokenKey: key, Now: time.Now, VerifySignIn: openEnvelope})
		if !fault.Is(err, fault.ConfigBad) {
			t.Errorf("issuer %q: %v", bad, err)
		}
	}
	_, err = New(Config{Issuer: issuer})
	wantCode(t, err, fault.ConfigBad)
}

// Nothing but what the registered key signed is ever taken for its client's.
func FuzzAssertion(f *testing.F) {
	public := jose.JSONWebKey{Key: keyring()[jose.ES256].Public(), KeyID: "ES256"}
	client := clientState{id: "window", keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}
	f.Add("eyJhbGciOiJub25lIiwia2lkIjoiRVMyNTYifQ.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsImtpZCI6IkVTMjU2In0.e30.AAAA")
	f.Add("eyJhbGciOiJIUzI1NiIsImtpZCI6IkVTMjU2In0.e30.AAAA")
	f.Fuzz(func(t *testing.T, compact string) {
		token, err := jwt.ParseSigned(compact, assertionAlgorithms)
		if err != nil {
			return
		}
		if claims, err := verifyAssertion(token, client); err == nil {
			t.Errorf("verified %+v", claims)
		}
	})
}

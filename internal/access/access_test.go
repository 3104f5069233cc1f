package access

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/jws"
)

const issuer = "https://senim.example.kz"

var start = time.Date(2026, time.November, 21, 10, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// keyring is generated once: RSA keys are slow to make.
var keyring = sync.OnceValue(func() map[jose.SignatureAlgorithm]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	r := must(rsa.GenerateKey(rand.Reader, 2048))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[jose.SignatureAlgorithm]crypto.Signer{
		jose.RS256: r, jose.PS256: r,
		jose.ES256: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		jose.ES384: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		jose.ES512: must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		jose.EdDSA: must(ed, err),
	}
})

// house is a service on a fresh database, with its clock and its register.
type house struct {
	*Service
	clock   *clock
	clients *Clients
	pool    *pgxpool.Pool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	pool, c := postgrestest.Pool(t), &clock{at: start}
	key, err := jws.NewKey(keyring()[jose.ES256])
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Pool: pool, Now: c.now, Issuer: issuer + "/", TokenKey: key, VerifySignIn: openEnvelope})
	if err != nil {
		t.Fatal(err)
	}
	return &house{Service: s, clock: c, clients: NewClients(pool, c.now), pool: pool}
}

// envelope stands for a CMS message here: what the verifier makes of one.
type envelope struct {
	Content     string
	Certificate []byte // DER; empty for a signature that does not hold
}

func (e envelope) seal() []byte {
	raw, _ := json.Marshal(e)
	return raw
}

func openEnvelope(_ context.Context, raw []byte, _ time.Time) (SignedIn, error) {
	var e envelope
	if json.Unmarshal(raw, &e) != nil || len(e.Certificate) == 0 {
		return SignedIn{}, fault.New(fault.SignatureInvalid, "", "the digest differs")
	}
	c, err := cert.Parse(e.Certificate)
	return SignedIn{Content: []byte(e.Content), Certificate: c}, err
}

// The people of these tests. The numbers have right control digits and belong
// to nobody.
const (
	personIIN = "880105300121"
	firmBIN   = "160440007161"
)

// holder makes a certificate that names its holder as NUC RK does.
func holder(t *testing.T, iin, bin string) []byte {
	t.Helper()
	subject := pkix.Name{CommonName: "HOLDER TEST"}
	if iin != "" {
		subject.SerialNumber = "IIN" + iin
	}
	if bin != "" {
		subject.Organization, subject.OrganizationalUnit = []string{"TEST LLP"}, []string{"BIN" + bin}
	}
	return selfSigned(t, keyring()[jose.RS256], subject)
}

func selfSigned(t *testing.T, key crypto.Signer, subject pkix.Name) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: subject, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// jwks writes the public keys of these algorithms, each with its algorithm as
// key identifier.
func jwks(t *testing.T, algorithms ...jose.SignatureAlgorithm) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, a := range algorithms {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: keyring()[a].Public(), KeyID: string(a), Use: "sig"})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// assertion signs the claims with the key of an algorithm.
func assertion(t *testing.T, algorithm jose.SignatureAlgorithm, kid string, claims any) string {
	t.Helper()
	return signedBy(t, keyring()[algorithm], algorithm, kid, claims)
}

func signedBy(t *testing.T, key any, algorithm jose.SignatureAlgorithm, kid string, claims any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func goodClaims(client, id string) jwt.Claims {
	return jwt.Claims{
		Issuer: client, Subject: client, Audience: jwt.Audience{issuer + TokenPath}, ID: id,
		IssuedAt: jwt.NewNumericDate(start), Expiry: jwt.NewNumericDate(start.Add(time.Minute)),
	}
}

func request(assertion string) TokenRequest {
	return TokenRequest{GrantType: grantType, AssertionType: assertionType, Assertion: assertion}
}

// system registers a client that signs with ES256.
func (h *house) system(t *testing.T, id string, role Role) {
	t.Helper()
	r := Registration{ID: id, Name: id, Role: role, Credentials: Credentials{JWKS: jwks(t, jose.ES256)}}
	if role == Trader {
		r.BIN = kz.BIN(firmBIN)
	}
	if err := h.clients.Add(t.Context(), "test", r); err != nil {
		t.Fatal(err)
	}
}

// token gets an access token for a client that signs with ES256.
func (h *house) token(t *testing.T, id, jti string) string {
	t.Helper()
	claims := goodClaims(id, jti)
	claims.IssuedAt, claims.Expiry = jwt.NewNumericDate(h.clock.now()), jwt.NewNumericDate(h.clock.now().Add(time.Minute))
	token, err := h.IssueToken(t.Context(), request(assertion(t, jose.ES256, "ES256", claims)))
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

func wantCode(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

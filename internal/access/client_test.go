package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/senim-kz/senim/internal/fault"
)

func TestClientsAddListRotateDisable(t *testing.T) {
	h := newHouse(t)
	certificate := selfSigned(t, keyring()[jose.RS256], pkix.Name{CommonName: "client"})
	good := Registration{
		ID: "window", Name: "Single window", Role: SingleWindow, Scopes: []Scope{TransactionsRead},
		Credentials: Credentials{JWKS: jwks(t, jose.ES256), Certificate: certificate},
	}
	if err := h.clients.Add(t.Context(), "operator", good); err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.clients.Add(t.Context(), "operator", good), fault.ClientExists)
	other := good
	other.ID = "window-2"
	wantCode(t, h.clients.Add(t.Context(), "operator", other), fault.ClientExists) // the same certificate
	wantCode(t, h.clients.Rotate(t.Context(), "operator", "nobody", good.Credentials), fault.ClientUnknown)
	wantCode(t, h.clients.Rotate(t.Context(), "operator", "window", Credentials{}), fault.ClientKeyInvalid)
	wantCode(t, h.clients.Disable(t.Context(), "operator", "nobody"), fault.ClientUnknown)

	if err := h.clients.Rotate(t.Context(), "operator", "window", Credentials{JWKS: jwks(t, jose.ES384)}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.clients.Disable(t.Context(), "operator", "window"); err != nil {
			t.Fatal(err)
		}
	}
	list, err := h.clients.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("List: %v, %v", list, err)
	}
	c := list[0]
	if c.ID != "window" || c.Generation != 2 || c.Certificate || !c.Assertions || c.DisabledAt == nil ||
		!slices.Equal(c.Scopes, []Scope{TransactionsRead}) {
		t.Errorf("kept as %+v", c)
	}
	var audited int
	err = h.pool.QueryRow(t.Context(), `select count(*) from audit_records where actor = 'operator' and object = 'window'`).Scan(&audited)
	if err != nil || audited != 4 { // add, rotate, two disables; what was refused changed nothing
		t.Errorf("%d audit records, %v", audited, err)
	}
}

func TestAddRefuses(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		change func(*Registration)
		want   fault.Code
	}{
		"no id":                  {func(r *Registration) { r.ID = "" }, fault.ClientInvalid},
		"id of a person":         {func(r *Registration) { r.ID = "person:1" }, fault.ClientInvalid},
		"id too long":            {func(r *Registration) { r.ID = strings.Repeat("a", 65) }, fault.ClientInvalid},
		"no name":                {func(r *Registration) { r.Name = " " }, fault.ClientInvalid},
		"no role":                {func(r *Registration) { r.Role = "root" }, fault.ClientInvalid},
		"scope of another role":  {func(r *Registration) { r.Scopes = []Scope{StatementsWrite} }, fault.ClientInvalid},
		"trader of nobody":       {func(r *Registration) { r.Role = Trader }, fault.ClientInvalid},
		"ministry of a firm":     {func(r *Registration) { r.BIN = firmBIN }, fault.ClientInvalid},
		"no credentials":         {func(r *Registration) { r.Credentials = Credentials{} }, fault.ClientKeyInvalid},
		"certificate is no cert": {func(r *Registration) { r.Certificate = []byte("MII") }, fault.ClientKeyInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			r := Registration{ID: "client", Name: "c", Role: Ministry, Credentials: Credentials{JWKS: jwks(t, jose.ES256)}}
			c.change(&r)
			wantCode(t, h.clients.Add(t.Context(), "operator", r), c.want)
		})
	}
}

func TestParseKeySetRefuses(t *testing.T) {
	p256, r := keyring()[jose.ES256], keyring()[jose.RS256]
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no RSA-1024 key: ", err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...jose.JSONWebKey) []byte {
		raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err != nil {
			return []byte(err.Error())
		}
		return raw
	}
	many := make([]jose.JSONWebKey, keysMax+1)
	for i := range many {
		many[i] = jose.JSONWebKey{Key: p256.Public(), KeyID: strings.Repeat("k", i+1)}
	}
	for name, raw := range map[string][]byte{
		"empty":             {},
		"not JSON":          []byte("keys"),
		"no keys":           []byte(`{"keys":[]}`),
		"too many":          set(many...),
		"too big":           []byte(`{"keys":[]` + strings.Repeat(" ", keySetSizeMax) + `}`),
		"private key":       set(jose.JSONWebKey{Key: p256, KeyID: "a"}),
		"private RSA key":   set(jose.JSONWebKey{Key: r, KeyID: "a"}),
		"shared secret":     set(jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "a"}),
		"RSA-1024":          set(jose.JSONWebKey{Key: small.Public(), KeyID: "a"}),
		"P-224":             set(jose.JSONWebKey{Key: p224.Public(), KeyID: "a"}),
		"P-521":             set(jose.JSONWebKey{Key: keyring()[jose.ES512].Public(), KeyID: "a"}),
		"encryption key":    set(jose.JSONWebKey{Key: p256.Public(), KeyID: "a", Use: "enc"}),
		"another algorithm": set(jose.JSONWebKey{Key: p256.Public(), KeyID: "a", Algorithm: "RS256"}),
		"HS256 on RSA":      set(jose.JSONWebKey{Key: r.Public(), KeyID: "a", Algorithm: "HS256"}),
		"no kid":            set(jose.JSONWebKey{Key: p256.Public()}),
		"kid twice":         set(jose.JSONWebKey{Key: p256.Public(), KeyID: "a"}, jose.JSONWebKey{Key: r.Public(), KeyID: "a"}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseKeySet(raw)
			wantCode(t, err, fault.ClientKeyInvalid)
		})
	}
}

func TestCertificateDigestTakesPEMAndDER(t *testing.T) {
	der := selfSigned(t, keyring()[jose.ES384], pkix.Name{CommonName: "client"})
	a, err := certificateDigest(der)
	if err != nil {
		t.Fatal(err)
	}
	b, err := certificateDigest(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil || !slices.Equal(a, b) {
		t.Errorf("PEM and DER differ: %v", err)
	}
	for name, raw := range map[string][]byte{
		"Ed25519":   selfSigned(t, keyring()[jose.EdDSA], pkix.Name{CommonName: "client"}),
		"too big":   make([]byte, certificateSizeMax+1),
		"truncated": der[:len(der)-1],
		"a key":     pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(t)}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certificateDigest(raw)
			wantCode(t, err, fault.ClientKeyInvalid)
		})
	}
}

func publicDER(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(keyring()[jose.ES256].Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"","y":""}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := parseKeySet(raw)
		if err != nil {
			return
		}
		for _, k := range set.Keys {
			if !k.IsPublic() || len(algorithmsOf(k.Key)) == 0 {
				t.Errorf("accepted %v", k)
			}
		}
	})
}

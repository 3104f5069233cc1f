package access

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
)

// stateLife is how long a client's state is remembered: what a disabled
// client can still do, and how often at most one client costs a query.
const stateLife = 2 * time.Second

// statesMax bounds the remembered clients of one process.
const statesMax = 10_000

// clientState is what deciding about a client needs.
type clientState struct {
	id         string
	role       Role
	scopes     []Scope
	bin        kz.BIN
	iin        kz.IIN
	keys       jose.JSONWebKeySet
	generation int
	disabled   bool
	readAt     time.Time
}

func (c clientState) caller(scopes []Scope) Caller {
	return Caller{ID: c.id, Kind: System, Role: c.role, Scopes: scopes, BIN: c.bin, IIN: c.iin}
}

const selectState = `
	select id, role, scopes, coalesce(bin, ''), coalesce(iin, ''), coalesce(jwks, '{"keys":[]}'), generation, disabled_at is not null
	from access_client where `

// stateOf returns the state of the client with this identifier, at most
// stateLife old; found is false if there is none.
func (s *Service) stateOf(ctx context.Context, id string) (c clientState, found bool, err error) {
	return s.state(ctx, "id:"+id, selectState+`id = $1`, id)
}

// stateOfCertificate is stateOf by the SHA-256 of a client certificate.
func (s *Service) stateOfCertificate(ctx context.Context, digest []byte) (c clientState, found bool, err error) {
	return s.state(ctx, "certificate:"+hex.EncodeToString(digest), selectState+`certificate_sha256 = $1`, digest)
}

func (s *Service) state(ctx context.Context, key, query string, arg any) (clientState, bool, error) {
	now := s.now()
	if c, ok := s.states.get(key); ok && now.Sub(c.readAt) < stateLife && !now.Before(c.readAt) {
		return c, true, nil
	}
	c := clientState{readAt: now}
	var keys []byte
	err := s.pool.QueryRow(ctx, query, arg).Scan(&c.id, &c.role, &c.scopes, &c.bin, &c.iin, &keys, &c.generation, &c.disabled)
	if errors.Is(err, pgx.ErrNoRows) {
		// Not remembered: made-up names must not push real clients out.
		s.states.remove(key)
		return clientState{}, false, nil
	}
	if err != nil {
		return clientState{}, false, fmt.Errorf("read client: %w", postgres.Classify(err))
	}
	if err := json.Unmarshal(keys, &c.keys); err != nil {
		return clientState{}, false, fmt.Errorf("read keys of client %s: %w", c.id, err)
	}
	s.states.put(key, c)
	return c, true, nil
}

// callerOfCertificate authenticates by mutual TLS: the handshake proved the
// key, the register says whose it is. No chain is asked for, because the very
// certificate is registered (RFC 8705 §2.2); its dates still count.
func (s *Service) callerOfCertificate(ctx context.Context, cert *x509.Certificate) (Caller, error) {
	if now := s.now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return Caller{}, fault.New(fault.ClientCertificateUnknown, "", "the client certificate is not valid now")
	}
	if !usableForTLS(cert) {
		return Caller{}, fault.New(fault.ClientCertificateUnknown, "", "a client certificate must have an RSA or an ECDSA key")
	}
	digest := sha256.Sum256(cert.Raw)
	c, found, err := s.stateOfCertificate(ctx, digest[:])
	switch {
	case err != nil:
		return Caller{}, err
	case !found:
		return Caller{}, fault.New(fault.ClientCertificateUnknown, "", "no client is registered with this certificate")
	case c.disabled:
		return Caller{}, fault.New(fault.ClientDisabled, "", "the client is disabled")
	}
	return c.caller(c.scopes), nil
}

package access

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
)

// Credentials by which a client proves itself: a JWK set for signed
// assertions, a certificate for mutual TLS, or both.
type Credentials struct {
	JWKS        []byte // JSON, public keys only; empty means none
	Certificate []byte // PEM or DER; empty means none
}

// Registration describes a client to be.
type Registration struct {
	ID     string  // client_id; lower case letters, digits and dashes
	Name   string  // for people
	Role   Role    //
	Scopes []Scope // empty means every scope of the role
	BIN    kz.BIN  // whom the client acts for; a trader's client names one
	IIN    kz.IIN  // likewise, for a sole trader
	Credentials
}

// Client is what is kept of a registered client; its keys are not shown.
type Client struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Role        Role       `json:"role"`
	Scopes      []Scope    `json:"scopes"`
	BIN         kz.BIN     `json:"bin,omitempty"`
	Generation  int        `json:"generation"` // grows when the credentials are replaced
	CreatedAt   time.Time  `json:"created_at"`
	RotatedAt   *time.Time `json:"rotated_at,omitempty"`
	DisabledAt  *time.Time `json:"disabled_at,omitempty"`
	Assertions  bool       `json:"private_key_jwt"`
	Certificate bool       `json:"mutual_tls"`
}

// Clients is the register of clients, as `senim client` manages it.
type Clients struct {
	pool *pgxpool.Pool
	now  func() time.Time
}

// NewClients opens the register.
func NewClients(pool *pgxpool.Pool, now func() time.Time) *Clients {
	return &Clients{pool: pool, now: now}
}

var (
	clientID      = regexp.MustCompile(`^[a-z][a-z0-9-]{2,63}$`)
	nameLengthMax = 128
)

// Add registers a client. actor is who does it, for the audit trail. Errors:
// client_invalid, client_key_invalid, client_exists.
func (c *Clients) Add(ctx context.Context, actor string, r Registration) error {
	scopes, err := checkRegistration(r)
	if err != nil {
		return err
	}
	keys, certificate, err := parseCredentials(r.Credentials)
	if err != nil {
		return err
	}
	err = c.change(ctx, actor, "client.add", r.ID, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into access_client (id, name, role, scopes, bin, iin, jwks, certificate_sha256, created_at)
			values ($1, $2, $3, $4, nullif($5, ''), nullif($6, ''), $7, $8, $9)`,
			r.ID, r.Name, r.Role, scopes, string(r.BIN), r.IIN.Digits(), keys, certificate, c.now())
		return err
	})
	return exists(err)
}

// Rotate replaces the credentials of a client: those not given are dropped.
// Tokens got with the old ones stop working within seconds; for a change
// without a gap, give a JWK set with both keys first and with the new one
// alone later. Errors: client_unknown, client_key_invalid, client_exists.
func (c *Clients) Rotate(ctx context.Context, actor, id string, to Credentials) error {
	keys, certificate, err := parseCredentials(to)
	if err != nil {
		return err
	}
	err = c.change(ctx, actor, "client.rotate", id, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update access_client set jwks = $2, certificate_sha256 = $3, generation = generation + 1, rotated_at = $4
			where id = $1`, id, keys, certificate, c.now())
		return oneClient(tag, err)
	})
	return exists(err)
}

// Disable bars a client for good; its tokens stop working within seconds.
// Disabling it twice changes nothing. Errors: client_unknown.
func (c *Clients) Disable(ctx context.Context, actor, id string) error {
	return c.change(ctx, actor, "client.disable", id, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update access_client set disabled_at = coalesce(disabled_at, $2) where id = $1`, id, c.now())
		return oneClient(tag, err)
	})
}

// List returns every client, by identifier.
func (c *Clients) List(ctx context.Context) ([]Client, error) {
	rows, err := c.pool.Query(ctx, `
		select id, name, role, scopes, coalesce(bin, ''), generation, created_at, rotated_at, disabled_at,
		       jwks is not null, certificate_sha256 is not null
		from access_client order by id`)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", postgres.Classify(err))
	}
	clients, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Client])
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", postgres.Classify(err))
	}
	return clients, nil
}

// Disabled says which of these callers are clients that are disabled.
func Disabled(ctx context.Context, q postgres.Querier, ids []string) ([]string, error) {
	rows, err := q.Query(ctx, `select id from access_client where id = any($1) and disabled_at is not null`, ids)
	if err != nil {
		return nil, fmt.Errorf("find disabled clients: %w", postgres.Classify(err))
	}
	disabled, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("find disabled clients: %w", postgres.Classify(err))
	}
	return disabled, nil
}

// change runs one change of the register together with its audit record.
func (c *Clients) change(ctx context.Context, actor, action, id string, fn func(pgx.Tx) error) error {
	err := postgres.InTx(ctx, c.pool, func(tx pgx.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return outbox.Audit(ctx, tx, outbox.AuditRecord{
			Actor: actor, Action: action, Object: id, Purpose: "access administration", Outcome: "allowed", At: c.now(),
		})
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", action, id, err)
	}
	return nil
}

// checkRegistration refuses a client that could never call anything, or could
// call in nobody's name, and returns the scopes it gets.
func checkRegistration(r Registration) ([]Scope, error) {
	granted := ScopesOf(r.Role)
	switch {
	case !clientID.MatchString(r.ID):
		return nil, fault.New(fault.ClientInvalid, "/id", "want 3 to 64 lower-case letters, digits and dashes, a letter first")
	case strings.TrimSpace(r.Name) == "" || len(r.Name) > nameLengthMax:
		return nil, fault.New(fault.ClientInvalid, "/name", "want 1 to %d bytes", nameLengthMax)
	case !slices.Contains(Roles(), r.Role):
		return nil, fault.New(fault.ClientInvalid, "/role", "no such role")
	case r.Role == Trader && r.BIN == "" && r.IIN == "":
		return nil, fault.New(fault.ClientInvalid, "/bin", "a trader's client must name the participant it acts for")
	case r.Role != Trader && (r.BIN != "" || r.IIN != ""):
		return nil, fault.New(fault.ClientInvalid, "/bin", "only a trader's client acts for a participant")
	}
	if len(r.Scopes) == 0 {
		return granted, nil
	}
	for i, s := range r.Scopes {
		if !slices.Contains(granted, s) {
			return nil, fault.New(fault.ClientInvalid, fmt.Sprintf("/scopes/%d", i), "the role %s has no such scope", r.Role)
		}
	}
	return r.Scopes, nil
}

// parseCredentials returns the JSON and the digest to store; nil is NULL.
func parseCredentials(c Credentials) (keys, certificate []byte, err error) {
	if len(c.JWKS) == 0 && len(c.Certificate) == 0 {
		return nil, nil, fault.New(fault.ClientKeyInvalid, "", "neither a JWK set nor a certificate")
	}
	if len(c.JWKS) > 0 {
		set, err := parseKeySet(c.JWKS)
		if err != nil {
			return nil, nil, err
		}
		if keys, err = json.Marshal(set); err != nil {
			return nil, nil, fmt.Errorf("encode JWK set: %w", err)
		}
	}
	if len(c.Certificate) > 0 {
		if certificate, err = certificateDigest(c.Certificate); err != nil {
			return nil, nil, err
		}
	}
	return keys, certificate, nil
}

func oneClient(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return fault.New(fault.ClientUnknown, "/id", "no such client")
	}
	return err
}

// exists names the one failure of a change that the operator can act on.
func exists(err error) error {
	if postgres.UniqueViolation(err, "") {
		return fault.Wrap(err, fault.ClientExists, "", "the identifier or the certificate is registered already")
	}
	return err
}

package dossier

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/pki/jws"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/registry"
	"github.com/senim-kz/senim/signer/tsa"
	"github.com/senim-kz/senim/verifier"
)

// Config is what a Service is made of.
type Config struct {
	Pool    *pgxpool.Pool
	Anchors *trust.Store
	Policy  verifier.Policy
	// Revocation finds the status of certificates.
	Revocation *revocation.Store
	Registry   *registry.Service
	TSA        *tsa.Client
	Payments   *payments.Service
	Receipts   *jws.Key // in the HSM
	Issuer     string   // "iss" of receipts: the service's public URL
	Control    kz.Control
	Now        func() time.Time
}

// Service runs the use cases of a transaction's record. It keeps no state of
// its own; any number of processes may run one on the same database.
type Service struct {
	pool     *pgxpool.Pool
	anchors  *trust.Store
	policy   verifier.Policy
	status   *revocation.Store // of certificates
	registry *registry.Service
	tsa      *tsa.Client
	payments *payments.Service
	receipts *jws.Key
	issuer   string
	control  kz.Control
	now      func() time.Time
	keys     *idempotency.Keys
}

// New makes a Service.
func New(c Config) *Service {
	return &Service{
		pool: c.Pool, anchors: c.Anchors, policy: c.Policy, status: c.Revocation, registry: c.Registry, tsa: c.TSA, payments: c.Payments,
		receipts: c.Receipts, issuer: c.Issuer, control: c.Control, now: c.Now,
		keys: idempotency.New(c.Pool, c.Now),
	}
}

// OpenRequest opens a transaction.
type OpenRequest struct {
	Reference    string `json:"reference"`     // the caller's own number, 1..64 printable characters
	DeclarantBIN string `json:"declarant_bin"` // 12 digits
}

const referenceLengthMax = 64 // characters

// Open opens a transaction for a declarant. A trader opens its own only.
// Errors: idempotency codes, bin_invalid, bad_argument, declarant_mismatch.
func (s *Service) Open(ctx context.Context, caller access.Caller, key idempotency.Key, r OpenRequest) (*Transaction, error) {
	bin, err := kz.ParseBIN(r.DeclarantBIN, s.control)
	if err != nil {
		return nil, err
	}
	if err := checkReference(r.Reference); err != nil {
		return nil, err
	}
	if caller.Role == access.Trader && caller.BIN != bin {
		return nil, fault.New(fault.DeclarantMismatch, "/declarant_bin", "is not the caller's own")
	}
	return idempotency.Once(ctx, s.keys, caller.ID, key, "open transaction", func(ctx context.Context, c *idempotency.Claim) (*Transaction, error) {
		id := postgres.NewID(s.now())
		t := &Transaction{
			ID: id, Reference: r.Reference, DeclarantBIN: bin, OpenedBy: caller.ID,
			OpenedAt: recordedAt(id), State: StateOpen, Documents: []Document{}, Orders: []Order{}, Events: []Event{},
		}
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `insert into dossier (id, recorded_at, reference, declarant_bin, opened_by)
				values ($1, $2, $3, $4, $5)`, t.ID, recordedAt(t.ID), t.Reference, string(bin), caller.ID); err != nil {
				return err
			}
			return s.note(ctx, tx, caller, c, t.ID, "transaction.opened", "open transaction", t)
		})
		if err != nil {
			return nil, fmt.Errorf("open transaction: %w", err)
		}
		return t, nil
	})
}

func checkReference(reference string) error {
	if reference == "" || len([]rune(reference)) > referenceLengthMax {
		return fault.New(fault.BadArgument, "/reference", "must have 1..%d characters", referenceLengthMax)
	}
	for _, r := range reference {
		if r < ' ' || r == 0x7f {
			return fault.New(fault.BadArgument, "/reference", "control characters are not allowed")
		}
	}
	return nil
}

// recordedAt is the time inside a UUIDv7, the partition key beside it.
func recordedAt(id uuid.UUID) time.Time {
	seconds, nanoseconds := id.Time().UnixTime()
	return time.Unix(seconds, nanoseconds).UTC()
}

// note ends a use case of a transaction inside its database transaction: the
// event on the timeline, the audit record, and the answer kept under the
// request's key.
func (s *Service) note(ctx context.Context, tx pgx.Tx, caller access.Caller, c *idempotency.Claim,
	transaction uuid.UUID, event, action string, answer any) error {
	err := outbox.Publish(ctx, tx, outbox.Event{Transaction: transaction, Type: event, At: s.now(), Data: eventData{By: caller.ID}})
	if err != nil {
		return err
	}
	return s.audit(ctx, tx, caller, c, transaction.String(), action, answer)
}

// audit is note without an event: for what the house that did the work has
// put on the timeline itself.
func (s *Service) audit(ctx context.Context, tx pgx.Tx, caller access.Caller, c *idempotency.Claim, object, action string, answer any) error {
	err := outbox.Audit(ctx, tx, outbox.AuditRecord{Actor: caller.ID, Action: action, Object: object, Outcome: "done", At: s.now()})
	if err != nil {
		return err
	}
	return c.Finish(ctx, tx, answer)
}

// eventData says who caused an event, and with which refusal it ended.
type eventData struct {
	By   string `json:"by"`
	Code string `json:"code,omitempty"`
}

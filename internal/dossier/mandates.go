package dossier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/money"
)

// Mandate is a payer's leave to take money for its orders from its account.
type Mandate struct {
	ID        uuid.UUID  `json:"id"`
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	PayerBIN  kz.BIN     `json:"payer_bin"`
	Account   string     `json:"account"`
	Gateway   string     `json:"gateway"`
	DebitMax  money.Tiyn `json:"debit_max_tiyn"`
	MonthMax  money.Tiyn `json:"month_max_tiyn"`
	ValidFrom kz.Day     `json:"valid_from"`
	ValidTo   kz.Day     `json:"valid_to"`
	Document  string     `json:"document_sha256"`
}

func mandateOf(m *payments.Mandate) *Mandate {
	return &Mandate{
		ID: m.ID, State: string(m.State), CreatedAt: m.CreatedAt, PayerBIN: m.Payer, Account: m.Account, Gateway: m.Gateway,
		DebitMax: m.DebitMax, MonthMax: m.MonthMax, ValidFrom: m.ValidFrom, ValidTo: m.ValidTo, Document: m.Document.String(),
	}
}

// mandateText is what the payer signs: a JSON object with these fields and no
// others.
type mandateText struct {
	PayerBIN  string     `json:"payer_bin"`
	Account   string     `json:"account"`
	Gateway   string     `json:"gateway"` // empty is the one that orders are presented at
	DebitMax  money.Tiyn `json:"debit_max_tiyn"`
	MonthMax  money.Tiyn `json:"month_max_tiyn"`
	ValidFrom kz.Day     `json:"valid_from"`
	ValidTo   kz.Day     `json:"valid_to"`
}

// mandateBytesMax bounds a mandate's text; one takes some 300 bytes.
const mandateBytesMax = 16 << 10

func readMandate(content []byte) (m mandateText, err error) {
	if len(content) > mandateBytesMax {
		return m, fault.New(fault.InputTooBig, "", "a mandate of more than %d bytes", mandateBytesMax)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, fault.New(fault.MandateInvalid, "", "not a mandate in JSON")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return m, fault.New(fault.MandateInvalid, "", "something follows the mandate")
	}
	return m, nil
}

// GiveMandate registers a mandate from the document that the payer has signed:
// a CMS SignedData with the text inside, whose signature is TOTAL-PASSED and
// whose signer may act for the payer. It is time-stamped like any document, and
// kept with its evidence.
//
// Errors: idempotency codes, payer_not_allowed, mandate_invalid,
// mandate_exists, the verifier's and the registry's reasons.
func (s *Service) GiveMandate(ctx context.Context, caller access.Caller, key idempotency.Key, signed []byte) (*Mandate, error) {
	return idempotency.Once(ctx, s.keys, caller.ID, key, "give mandate", func(ctx context.Context, c *idempotency.Claim) (*Mandate, error) {
		var x examination
		r, err := s.examineMandate(ctx, &x, caller, signed)
		if err != nil {
			return nil, errors.Join(err, s.noteLookups(ctx, x.audit))
		}
		kept, err := x.evidence()
		if err != nil {
			return nil, err
		}
		var given *Mandate
		err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			m, err := s.payments.GiveMandate(ctx, tx, r)
			if err != nil {
				return err
			}
			given = mandateOf(m)
			if err := s.keepMandate(ctx, tx, m, kept, x.audit); err != nil {
				return err
			}
			return s.audit(ctx, tx, caller, c, m.ID.String(), "give mandate", given)
		})
		if err != nil {
			return nil, err
		}
		return given, nil
	})
}

// examineMandate checks what was signed, and then who signed it.
func (s *Service) examineMandate(ctx context.Context, x *examination, caller access.Caller, signed []byte) (r payments.MandateRequest, err error) {
	x.signed = signed
	if err := s.verify(ctx, x, nil); err != nil {
		return r, err
	}
	text, err := readMandate(x.message.Content)
	if err != nil {
		return r, err
	}
	payer, err := kz.ParseBIN(text.PayerBIN, s.control)
	if err != nil {
		return r, fault.Wrap(err, fault.MandateInvalid, "/payer_bin", "read the payer's BIN")
	}
	if caller.Role == access.Trader && caller.BIN != payer {
		return r, fault.New(fault.PayerNotAllowed, "/payer_bin", "a trader gives its own mandate")
	}
	if err := s.timestamp(ctx, x, nil); err != nil {
		return r, err
	}
	return payments.MandateRequest{
		Payer: payer, Account: text.Account, Gateway: text.Gateway, DebitMax: text.DebitMax, MonthMax: text.MonthMax,
		ValidFrom: text.ValidFrom, ValidTo: text.ValidTo, Document: signed, By: caller.ID,
	}, s.identifyFor(ctx, x, payer, "mandate of account "+text.Account)
}

// keepMandate keeps what proves a mandate later, and the look-ups made for it.
func (s *Service) keepMandate(ctx context.Context, tx pgx.Tx, m *payments.Mandate, kept []evidence.Object, lookups []outbox.AuditRecord) error {
	if err := evidence.PutAll(ctx, tx, kept); err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	entry := evidence.Entry{Transaction: m.ID, Kind: "mandate.given", At: m.CreatedAt}
	for _, o := range kept {
		entry.Objects = append(entry.Objects, o.Digest)
	}
	if err := evidence.Append(ctx, tx, entry); err != nil {
		return fmt.Errorf("log evidence: %w", err)
	}
	for _, record := range lookups {
		if err := outbox.Audit(ctx, tx, record); err != nil {
			return err
		}
	}
	return nil
}

// noteLookups records look-ups whose mandate was refused.
func (s *Service) noteLookups(ctx context.Context, lookups []outbox.AuditRecord) error {
	if len(lookups) == 0 {
		return nil
	}
	return postgres.InTx(context.WithoutCancel(ctx), s.pool, func(tx pgx.Tx) error {
		for _, record := range lookups {
			if err := outbox.Audit(ctx, tx, record); err != nil {
				return err
			}
		}
		return nil
	})
}

// Mandate returns one mandate. Errors: mandate_not_found, also for a mandate of
// another trader.
func (s *Service) Mandate(ctx context.Context, caller access.Caller, id uuid.UUID) (*Mandate, error) {
	m, err := s.mandateFor(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	return mandateOf(m), nil
}

func (s *Service) mandateFor(ctx context.Context, caller access.Caller, id uuid.UUID) (*payments.Mandate, error) {
	m, err := s.payments.Mandate(ctx, s.pool, id)
	if err == nil && caller.Role == access.Trader && caller.BIN != m.Payer {
		return nil, fault.New(fault.MandateNotFound, "/id", "no mandate %s for this caller", id)
	}
	return m, err
}

// Mandates are the latest mandates of a payer, or of all; a trader's are its
// own.
func (s *Service) Mandates(ctx context.Context, caller access.Caller, payerBIN string) ([]Mandate, error) {
	var payer kz.BIN
	if payerBIN != "" {
		var err error
		if payer, err = kz.ParseBIN(payerBIN, s.control); err != nil {
			return nil, err
		}
	}
	if caller.Role == access.Trader {
		if caller.BIN == "" || payer != "" && payer != caller.BIN {
			return []Mandate{}, nil
		}
		payer = caller.BIN
	}
	all, err := s.payments.Mandates(ctx, payer)
	if err != nil {
		return nil, err
	}
	shown := []Mandate{}
	for i := range all {
		shown = append(shown, *mandateOf(&all[i]))
	}
	return shown, nil
}

// MoveMandate suspends, resumes or revokes a mandate; who may do which, the
// table of access says. Errors: idempotency codes, mandate_not_found,
// mandate_state_forbids.
func (s *Service) MoveMandate(ctx context.Context, caller access.Caller, key idempotency.Key, id uuid.UUID, to string) (*Mandate, error) {
	if _, err := s.mandateFor(ctx, caller, id); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.keys, caller.ID, key, "move mandate "+id.String()+" to "+to, func(ctx context.Context, c *idempotency.Claim) (*Mandate, error) {
		var moved *Mandate
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			m, err := s.payments.MoveMandate(ctx, tx, id, payments.MandateState(to), caller.ID)
			if err != nil {
				return err
			}
			moved = mandateOf(m)
			return c.Finish(ctx, tx, moved) // the house has audited it
		})
		if err != nil {
			return nil, err
		}
		return moved, nil
	})
}

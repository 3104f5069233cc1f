package payments

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// MandateState says whether money may be taken under a mandate.
type MandateState string

// The states of a mandate. A revoked one never lives again.
const (
	MandateActive    MandateState = "active"
	MandateSuspended MandateState = "suspended"
	MandateRevoked   MandateState = "revoked"
)

// mandateMoves are the moves that there are.
var mandateMoves = map[MandateState][]MandateState{
	MandateActive:    {MandateSuspended, MandateRevoked},
	MandateSuspended: {MandateActive, MandateRevoked},
}

// Mandate is a payer's leave to take money for its orders from its account,
// within limits. It needs nobody's approval: it is the payer's own signed
// document, the money goes to the budget and nowhere else, and only for what
// the payer owes.
type Mandate struct {
	ID        uuid.UUID
	Payer     kz.BIN
	Account   string // the payer's IIK
	Gateway   string // where debits are ordered
	DebitMax  money.Tiyn
	MonthMax  money.Tiyn // of a calendar month in Asia/Almaty
	ValidFrom kz.Day
	ValidTo   kz.Day // the last day
	Document  evidence.Digest
	State     MandateState
	CreatedAt time.Time
	CreatedBy string
}

// MandateRequest is what a mandate is made of. Whoever hands it in has verified
// that the document says so and that the payer has signed it.
type MandateRequest struct {
	Payer     kz.BIN
	Account   string
	Gateway   string // empty is the one that orders are presented at
	DebitMax  money.Tiyn
	MonthMax  money.Tiyn
	ValidFrom kz.Day
	ValidTo   kz.Day
	Document  []byte // signed, as it came
	By        string
}

// mandateDaysMax bounds the life of a mandate to three years: then it must be
// signed again.
const mandateDaysMax = 3 * 366

var accountPattern = regexp.MustCompile(`^KZ[0-9]{5}[A-Z0-9]{13}$`)

func (s *Service) checkMandate(r MandateRequest) error {
	today := kz.DayOf(s.config.Now())
	for _, rule := range []struct {
		at    string
		holds bool
		what  string
	}{
		{"/payer_bin", r.Payer != "", "missing"},
		{"/account", accountPattern.MatchString(r.Account) && order.CheckIBAN(r.Account), "not an account number in Kazakhstan"},
		{"/debit_max_tiyn", r.DebitMax > 0, "not a positive amount"},
		{"/month_max_tiyn", r.MonthMax >= r.DebitMax, "less than one debit"},
		{"/valid_from", !r.ValidFrom.IsZero(), "missing"},
		{"/valid_to", !r.ValidTo.Before(r.ValidFrom) && !r.ValidTo.Before(today), "in the past, or before it begins"},
		{"/valid_to", r.ValidTo.Before(r.ValidFrom.AddDays(mandateDaysMax)), "three years after it begins, or later"},
		{"", len(r.Document) > 0 && r.By != "", "no signed document"},
	} {
		if !rule.holds {
			return fault.New(fault.MandateInvalid, rule.at, "%s", rule.what)
		}
	}
	return nil
}

// GiveMandate registers a mandate; it is active at once. The same document
// again is refused with fault.MandateExists.
func (s *Service) GiveMandate(ctx context.Context, tx pgx.Tx, r MandateRequest) (*Mandate, error) {
	if err := s.checkMandate(r); err != nil {
		return nil, err
	}
	port, err := s.portOf(r.Gateway)
	if err != nil {
		return nil, err
	}
	if _, ok := port.(gateway.Debtor); !ok {
		return nil, fault.New(fault.NotAvailable, "/gateway", "%s takes no debits", port.Name())
	}
	now := s.config.Now().UTC().Truncate(time.Microsecond)
	m := &Mandate{
		ID: postgres.NewID(now), Payer: r.Payer, Account: r.Account, Gateway: port.Name(), DebitMax: r.DebitMax, MonthMax: r.MonthMax,
		ValidFrom: r.ValidFrom, ValidTo: r.ValidTo, State: MandateActive, CreatedAt: now, CreatedBy: r.By,
	}
	if m.Document, err = evidence.Put(ctx, tx, "mandate.signed", r.Document); err != nil {
		return nil, err
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO payment_mandate (id, recorded_at, payer_bin, account, gateway, debit_max, month_max, valid_from, valid_to, document,
			state, created_by, moved_by, moved_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $2) ON CONFLICT (document) DO NOTHING`,
		m.ID, now, string(m.Payer), m.Account, m.Gateway, int64(m.DebitMax), int64(m.MonthMax), m.ValidFrom, m.ValidTo, m.Document[:],
		string(m.State), m.CreatedBy)
	if err != nil {
		return nil, fmt.Errorf("store a mandate: %w", postgres.Classify(err))
	}
	if tag.RowsAffected() == 0 {
		return nil, fault.New(fault.MandateExists, "", "the same signed document")
	}
	return m, s.auditMandate(ctx, tx, m, r.By, "mandate.give")
}

func (s *Service) auditMandate(ctx context.Context, tx pgx.Tx, m *Mandate, by, action string) error {
	return outbox.Audit(ctx, tx, outbox.AuditRecord{
		Actor: by, Action: action, Object: m.ID.String(), Outcome: string(m.State), At: s.config.Now(),
	})
}

// MoveMandate suspends, resumes or revokes a mandate. Moved to the state that
// it is in, nothing happens. A debit that was ordered before goes on.
func (s *Service) MoveMandate(ctx context.Context, tx pgx.Tx, id uuid.UUID, to MandateState, by string) (*Mandate, error) {
	m, err := s.mandate(ctx, tx, id, "FOR UPDATE")
	if err != nil || m.State == to {
		return m, err
	}
	allowed := false
	for _, next := range mandateMoves[m.State] {
		allowed = allowed || next == to
	}
	if !allowed {
		return nil, fault.New(fault.MandateState, "", "a mandate that is %s cannot become %.20s", m.State, to)
	}
	m.State = to
	_, err = tx.Exec(ctx, `UPDATE payment_mandate SET state = $2, moved_by = $3, moved_at = $4 WHERE id = $1`, id, string(to), by, s.config.Now())
	if err != nil {
		return nil, fmt.Errorf("move a mandate: %w", postgres.Classify(err))
	}
	return m, s.auditMandate(ctx, tx, m, by, "mandate."+string(to))
}

// Mandate returns one mandate.
func (s *Service) Mandate(ctx context.Context, q postgres.Querier, id uuid.UUID) (*Mandate, error) {
	return s.mandate(ctx, q, id, "")
}

const mandateColumns = `id, payer_bin, account, gateway, debit_max, month_max, valid_from, valid_to, document, state, recorded_at, created_by`

func (s *Service) mandate(ctx context.Context, q postgres.Querier, id uuid.UUID, lock string) (*Mandate, error) {
	rows, err := q.Query(ctx, `SELECT `+mandateColumns+` FROM payment_mandate WHERE id = $1 `+lock, id)
	if err != nil {
		return nil, fmt.Errorf("read a mandate: %w", postgres.Classify(err))
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanMandate)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fault.New(fault.MandateNotFound, "", "no mandate %s", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read a mandate: %w", postgres.Classify(err))
	}
	return &m, nil
}

// mandatesMax bounds a list: a payer has a few.
const mandatesMax = 100

// Mandates are the latest mandates of a payer, or of all payers if it is empty,
// the latest first.
func (s *Service) Mandates(ctx context.Context, payer kz.BIN) ([]Mandate, error) {
	rows, err := s.config.Pool.Query(ctx, `SELECT `+mandateColumns+` FROM payment_mandate WHERE $1 IN ('', payer_bin) ORDER BY id DESC LIMIT $2`,
		string(payer), mandatesMax)
	if err != nil {
		return nil, fmt.Errorf("read mandates: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, scanMandate)
	if err != nil {
		return nil, fmt.Errorf("read mandates: %w", postgres.Classify(err))
	}
	return all, nil
}

func scanMandate(row pgx.CollectableRow) (m Mandate, err error) {
	var digest []byte
	err = row.Scan(&m.ID, &m.Payer, &m.Account, &m.Gateway, &m.DebitMax, &m.MonthMax, &m.ValidFrom, &m.ValidTo, &digest, &m.State, &m.CreatedAt, &m.CreatedBy)
	copy(m.Document[:], digest)
	return m, err
}

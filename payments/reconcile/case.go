package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// CaseState says how far a case is.
type CaseState string

// The states of a case.
const (
	CaseOpen     CaseState = "open"
	CaseProposed CaseState = "proposed" // one person has proposed a resolution
	CaseResolved CaseState = "resolved" // another has approved it
	CaseCleared  CaseState = "cleared"  // its reason is gone by itself
)

// Resolution is what persons may decide of a case.
type Resolution string

// The resolutions.
const (
	ToMatch   Resolution = "match"   // the line is the named identifier's money, and what is over goes to the payer's advance; or a debit is the named refund
	ToAdvance Resolution = "advance" // the money is the named payer's own, kind 9070
	ToRefund  Resolution = "refund"  // the money is to be paid back
	AsForeign Resolution = "foreign" // it is not ours, or nothing is to be done about it here
	ToRebill  Resolution = "rebill"  // the payer is billed again; nothing is moved
)

// Case is something that is not agreed and needs a person.
type Case struct {
	ID         uuid.UUID  `json:"id"`
	Day        kz.Day     `json:"day"`
	Reason     fault.Code `json:"reason"`
	Amount     money.Tiyn `json:"amount_tiyn"`
	Identifier string     `json:"identifier"` // of the line or, if it names none, of the due it is about
	BudgetCode string     `json:"budget_code,omitempty"`
	Payer      string     `json:"payer,omitempty"` // BIN as the bank gives it
	// What the order's line says that it is about, zero if it is about none.
	ExpectedAmount     money.Tiyn `json:"expected_amount_tiyn,omitempty"`
	ExpectedBudgetCode string     `json:"expected_budget_code,omitempty"`
	Order              *uuid.UUID `json:"order_id,omitempty"`
	Refund             *uuid.UUID `json:"refund_id,omitempty"` // that it is about, or that the line names
	// Where it is in the statements, or which fact of which gateway it is.
	File      string `json:"file,omitempty"`
	Place     string `json:"place,omitempty"`
	Gateway   string `json:"gateway,omitempty"`
	Reference string `json:"reference,omitempty"`

	State      CaseState  `json:"state"`
	Owner      string     `json:"owner,omitempty"`
	Resolution Resolution `json:"resolution,omitempty"`
	Target     string     `json:"target,omitempty"`
	ProposedBy string     `json:"proposed_by,omitempty"`
	ApprovedBy string     `json:"approved_by,omitempty"`
	OpenedAt   time.Time  `json:"opened_at"`
	ChangedAt  time.Time  `json:"changed_at"`

	Notes []Note `json:"notes,omitempty"` // of GetCase only
}

// Note is what a person did or said about a case.
type Note struct {
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
	Act   string    `json:"act"`
	Text  string    `json:"text"`
}

// caseColumns are what a Case scans; caseJoins where they come from.
const (
	caseColumns = `c.id, c.day, c.reason, c.amount, coalesce(nullif(s.identifier, ''), c.identifier), coalesce(s.budget_code, ''), coalesce(s.payer, ''),
		c.expected_amount, c.expected_budget_code, c.order_id, c.refund_id, coalesce(f.name, ''), coalesce(s.place, b.place, ''), c.gateway,
		coalesce(s.reference, c.reference), c.state, c.owner, c.resolution, c.target, c.proposed_by, c.approved_by, c.opened_at, c.changed_at`
	caseJoins = `
		  LEFT JOIN statement_line s ON s.id = c.line_id
		  LEFT JOIN statement_bad_line b ON b.file_id = c.file_id AND b.position = c.file_position
		  LEFT JOIN statement_file f ON f.id = coalesce(s.file_id, c.file_id)`
)

func (c *Case) fields() []any {
	return []any{&c.ID, &c.Day, &c.Reason, &c.Amount, &c.Identifier, &c.BudgetCode, &c.Payer,
		&c.ExpectedAmount, &c.ExpectedBudgetCode, &c.Order, &c.Refund, &c.File, &c.Place, &c.Gateway,
		&c.Reference, &c.State, &c.Owner, &c.Resolution, &c.Target, &c.ProposedBy, &c.ApprovedBy, &c.OpenedAt, &c.ChangedAt}
}

func readCases(ctx context.Context, q postgres.Querier, query string, args ...any) ([]Case, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the cases: %w", postgres.Classify(err))
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Case, err error) { return c, row.Scan(c.fields()...) })
	if err != nil {
		return nil, fmt.Errorf("read the cases: %w", postgres.Classify(err))
	}
	return all, nil
}

// exceptionsOf lists the first cases of a day that need a person, in the order
// of the statements' lines.
func exceptionsOf(ctx context.Context, q postgres.Querier, day kz.Day) ([]Case, error) {
	return readCases(ctx, q, `
		SELECT `+caseColumns+` FROM reconcile_case c`+caseJoins+`
		 WHERE c.day = $1 AND c.state IN ('open', 'proposed')
		 ORDER BY f.recorded_at, f.id, coalesce(s.position, b.position), c.subject LIMIT $2`, day, exceptionsListed)
}

// Filter chooses cases; a zero field chooses all.
type Filter struct {
	State  CaseState
	Reason fault.Code
	Owner  string
	Day    kz.Day
	// After is the last case of the page before.
	After *Case
	// Limit bounds the page; zero is PageMax.
	Limit int
}

// PageMax bounds a page of cases.
const PageMax = 500

// Cases lists cases by day and id, a page at a time.
func Cases(ctx context.Context, q postgres.Querier, f Filter) ([]Case, error) {
	if f.Limit <= 0 || f.Limit > PageMax {
		f.Limit = PageMax
	}
	var day kz.Day
	var id uuid.UUID
	if f.After != nil {
		day, id = f.After.Day, f.After.ID
	}
	return readCases(ctx, q, `
		SELECT `+caseColumns+` FROM reconcile_case c`+caseJoins+`
		 WHERE ($1 = '' OR c.state = $1) AND ($2 = '' OR c.reason = $2) AND ($3 = '' OR c.owner = $3) AND ($4::date IS NULL OR c.day = $4)
		   AND ($5::date IS NULL OR (c.day, c.id) > ($5, $6))
		 ORDER BY c.day, c.id LIMIT $7`, string(f.State), string(f.Reason), f.Owner, f.Day, day, id, f.Limit)
}

// GetCase returns a case with everything that persons did and said about it.
func GetCase(ctx context.Context, q postgres.Querier, id uuid.UUID) (*Case, error) {
	found, err := readCases(ctx, q, `SELECT `+caseColumns+` FROM reconcile_case c`+caseJoins+` WHERE c.id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fault.New(fault.CaseUnknown, "", "no case %s", id)
	}
	c := &found[0]
	rows, err := q.Query(ctx, `SELECT recorded_at, actor, act, text FROM reconcile_note WHERE case_id = $1 ORDER BY id`, id)
	if err == nil {
		c.Notes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Note])
	}
	if err != nil {
		return nil, fmt.Errorf("read the notes of a case: %w", postgres.Classify(err))
	}
	return c, nil
}

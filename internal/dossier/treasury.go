package dossier

import (
	"context"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/reconcile"
	"github.com/senim-kz/senim/payments/statement"
)

// ImportStatement stores one of the treasury's statement files. A bad line is
// kept and reported; the same file again changes nothing. Errors: idempotency
// codes, the codes of statements.
func (s *Service) ImportStatement(ctx context.Context, caller access.Caller, key idempotency.Key, name string, r io.Reader) (*StatementImport, error) {
	return idempotency.Once(ctx, s.keys, caller.ID, key, "import statement", func(ctx context.Context, c *idempotency.Claim) (*StatementImport, error) {
		done, err := s.payments.ImportStatement(ctx, name, r, statement.Options{})
		if err != nil {
			return nil, err
		}
		shown := ImportOf(done)
		// The import is known by its digest: should this second transaction
		// fail, the same request finds it again.
		err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			return s.audit(ctx, tx, caller, c, done.ID.String(), "import statement", shown)
		})
		if err != nil {
			return nil, err
		}
		return shown, nil
	})
}

// Reconcile matches the statement lines booked on a day with the orders. It
// needs no key: run again, it gives the same result.
func (s *Service) Reconcile(ctx context.Context, caller access.Caller, day kz.Day) (*Reconciliation, error) {
	result, err := s.payments.Reconcile(ctx, day)
	if err != nil {
		return nil, err
	}
	shown := ReconciliationOf(result)
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		return outbox.Audit(ctx, tx, outbox.AuditRecord{Actor: caller.ID, Action: "reconcile", Object: day.String(), Outcome: "done", At: s.now()})
	})
	if err != nil {
		return nil, err
	}
	return shown, nil
}

// StatementImport says what became of one of the treasury's statement files.
type StatementImport struct {
	ID         uuid.UUID      `json:"id"`
	Days       []kz.Day       `json:"days"`       // booking days of its new lines
	Lines      int            `json:"lines"`      // new lines
	Duplicates int            `json:"duplicates"` // lines that another file had brought before
	Bad        int            `json:"bad"`        // lines that could not be read
	Known      bool           `json:"known"`      // the same file came before; nothing changed
	Rejected   []RejectedLine `json:"rejected"`   // the first hundred bad lines
	// Gaps are where its statements do not continue those before, the first
	// hundred.
	Gaps []statement.Gap `json:"gaps"`
}

// ImportOf shows an import as the API and the command line do.
func ImportOf(i *statement.Import) *StatementImport {
	shown := &StatementImport{
		ID: i.ID, Days: append([]kz.Day{}, i.Days...), Lines: i.Lines, Duplicates: i.Duplicates, Bad: i.Bad, Known: i.Known,
		Rejected: []RejectedLine{}, Gaps: append([]statement.Gap{}, i.Gaps...),
	}
	for _, bad := range i.BadLines {
		shown.Rejected = append(shown.Rejected, RejectedLine{Place: bad.Place, Code: string(bad.Code)})
	}
	return shown
}

// RejectedLine is one statement line that could not be taken.
type RejectedLine struct {
	Place string `json:"place"`
	Code  string `json:"code"`
}

// Reconciliation is the result for one business day. Running it again over the
// same inputs gives the same result.
type Reconciliation struct {
	Day            kz.Day                    `json:"day"`
	State          string                    `json:"state"` // open, proposed, closed
	ProposedBy     string                    `json:"proposed_by,omitempty"`
	ClosedBy       string                    `json:"closed_by,omitempty"`
	Lines          int                       `json:"lines"` // of the day, bad ones included
	Matched        int                       `json:"matched"`
	Total          money.Tiyn                `json:"matched_tiyn"`
	Rules          map[string]int            `json:"rules"` // matches by the rule that found them
	ExceptionCount int                       `json:"exception_count"`
	Resolved       int                       `json:"resolved"`   // exceptions that persons resolved
	Reasons        map[string]int            `json:"reasons"`    // exceptions by their reason
	Exceptions     []ReconciliationException `json:"exceptions"` // the first thousand
	Totals         []reconcile.Total         `json:"totals"`     // by budget code and office
}

// ReconciliationOf shows a result as the API and the command line do.
func ReconciliationOf(r *reconcile.Result) *Reconciliation {
	shown := &Reconciliation{
		Day: r.Day, State: string(r.State), ProposedBy: r.ProposedBy, ClosedBy: r.ClosedBy, Lines: r.Lines, Matched: r.Matched, Total: r.MatchedAmount,
		Rules: map[string]int{}, ExceptionCount: r.ExceptionCount, Resolved: r.Resolved, Reasons: r.Reasons,
		Exceptions: []ReconciliationException{}, Totals: append([]reconcile.Total{}, r.Totals...),
	}
	for rule, n := range r.Rules {
		shown.Rules[string(rule)] = n
	}
	for _, e := range r.Exceptions {
		shown.Exceptions = append(shown.Exceptions, ReconciliationException{
			ID: e.ID, Identifier: e.Identifier, Amount: e.Amount, Code: string(e.Reason), Place: e.Place,
		})
	}
	return shown
}

// ReconciliationException is something of a day that needs a person.
type ReconciliationException struct {
	ID         uuid.UUID  `json:"id"` // of its case
	Identifier string     `json:"identifier"`
	Amount     money.Tiyn `json:"amount_tiyn"`
	Code       string     `json:"code"`
	Place      string     `json:"place"` // "" of a payment that the statements lack
}

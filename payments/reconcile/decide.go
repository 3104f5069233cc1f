package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// Act is what a person does to cases.
type Act string

// The acts.
const (
	Assign  Act = "assign"  // Decision.Owner looks after them
	Comment Act = "comment" // Decision.Text is to be remembered
	Suggest Act = "propose" // a resolution, for somebody else to approve
	Approve Act = "approve" // what was proposed is done
	Reject  Act = "reject"  // what was proposed is not to be done
)

// Limits of a decision.
const (
	CasesMax     = 1000 // at once
	textRunesMax = 2000
	ownerMax     = 256
)

// Decision is an act of a person on some cases: on all of them or, if one
// refuses it, on none.
type Decision struct {
	Cases      []uuid.UUID
	Act        Act
	Person     string
	Owner      string     // of Assign; "" is nobody
	Resolution Resolution // of Suggest
	Target     string     // of Suggest: what the resolution names
	Text       string     // of Comment required, else optional
	At         time.Time
}

// subject is what a case is about.
type subject string

// The kinds of subjects: what stands before the first colon in the table.
const (
	ofLine   subject = "line"
	ofDue    subject = "due"
	ofFact   subject = "fact"
	ofRefund subject = "refund"
	ofBad    subject = "bad"
)

// allowed says which resolutions a case of each kind may have.
var allowed = map[subject][]Resolution{
	ofLine:   {ToMatch, ToAdvance, ToRefund, AsForeign},
	ofDue:    {ToRebill, AsForeign},
	ofFact:   {ToAdvance, ToRefund, AsForeign},
	ofBad:    {AsForeign},
	ofRefund: {AsForeign},
}

// caseRow is a case as the table has it.
type caseRow struct {
	ID         uuid.UUID
	Subject    string
	Day        kz.Day
	Reason     fault.Code
	Amount     money.Tiyn
	Line       *uuid.UUID
	Order      *uuid.UUID
	Position   *int16
	Gateway    string
	State      CaseState
	Resolution Resolution
	Target     string
	ProposedBy string
}

func (c *caseRow) kind() subject {
	kind, _, _ := strings.Cut(c.Subject, ":")
	return subject(kind)
}

// Decided is what followed from a decision.
type Decided struct {
	Matched  []uuid.UUID // the cases by which orders have new matches: events are to be told (Announce)
	PaidBack []PaidBack  // refunds under way that the debits show by now: they are executed
}

// Decide does what a person decides, in the caller's transaction; what moves
// money posts to the ledger there.
func Decide(ctx context.Context, tx pgx.Tx, config Config, d Decision) (*Decided, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := exclusive(ctx, tx); err != nil {
		return nil, err
	}
	cases, err := lockCases(ctx, tx, d.Cases)
	if err != nil {
		return nil, err
	}
	followed := new(Decided)
	for i := range cases {
		c := &cases[i]
		if err := d.decide(ctx, tx, config, c, followed); err != nil {
			return nil, fmt.Errorf("%s the case %s: %w", d.Act, c.ID, err)
		}
	}
	return followed, d.note(ctx, tx)
}

func (d *Decision) check() error {
	switch {
	case len(d.Cases) == 0 || len(d.Cases) > CasesMax:
		return fault.New(fault.BadArgument, "/cases", "%d cases; 1 to %d are decided at once", len(d.Cases), CasesMax)
	case d.Person == "" || d.At.IsZero():
		return fault.New(fault.BadArgument, "", "a decision needs a person and a time")
	case !utf8.ValidString(d.Text) || utf8.RuneCountInString(d.Text) > textRunesMax || strings.ContainsRune(d.Text, 0):
		return fault.New(fault.BadArgument, "/text", "no text of at most %d characters", textRunesMax)
	case d.Act == Comment && strings.TrimSpace(d.Text) == "":
		return fault.New(fault.BadArgument, "/text", "an empty comment")
	case len(d.Owner) > ownerMax || len(d.Target) > ownerMax:
		return fault.New(fault.BadArgument, "", "an owner or a target is longer than %d bytes", ownerMax)
	}
	d.Cases = slices.Clone(d.Cases)
	slices.SortFunc(d.Cases, postgres.CompareIDs)
	d.Cases = slices.Compact(d.Cases)
	return nil
}

func lockCases(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) ([]caseRow, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, subject, day, reason, amount, line_id, order_id, position, gateway, state, resolution, target, proposed_by
		  FROM reconcile_case WHERE id = ANY ($1) ORDER BY id FOR UPDATE`, ids)
	if err != nil {
		return nil, fmt.Errorf("lock the cases: %w", postgres.Classify(err))
	}
	cases, err := pgx.CollectRows(rows, pgx.RowToStructByPos[caseRow])
	if err != nil {
		return nil, fmt.Errorf("lock the cases: %w", postgres.Classify(err))
	}
	for i, id := range ids {
		if i >= len(cases) || cases[i].ID != id {
			return nil, fault.New(fault.CaseUnknown, "/cases", "no case %s", id)
		}
	}
	return cases, nil
}

// from lists the states in which a case takes each act.
var from = map[Act][]CaseState{
	Assign:  {CaseOpen, CaseProposed},
	Comment: {CaseOpen, CaseProposed, CaseResolved, CaseCleared},
	Suggest: {CaseOpen, CaseProposed},
	Approve: {CaseProposed},
	Reject:  {CaseProposed},
}

func (d *Decision) decide(ctx context.Context, tx pgx.Tx, config Config, c *caseRow, followed *Decided) (err error) {
	if !slices.Contains(from[d.Act], c.State) {
		return fault.New(fault.CaseStateForbids, "/cases", "a case that is %s takes no %s", c.State, d.Act)
	}
	switch d.Act {
	case Assign:
		_, err = tx.Exec(ctx, `UPDATE reconcile_case SET owner = $2, changed_at = $3 WHERE id = $1`, c.ID, d.Owner, d.At)
	case Suggest:
		if err := suits(c, d.Resolution, d.Target); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE reconcile_case SET state = 'proposed', resolution = $2, target = $3, proposed_by = $4, changed_at = $5 WHERE id = $1`,
			c.ID, string(d.Resolution), d.Target, d.Person, d.At)
	case Reject:
		_, err = tx.Exec(ctx, `UPDATE reconcile_case SET state = 'open', resolution = '', target = '', proposed_by = '', changed_at = $2 WHERE id = $1`, c.ID, d.At)
	case Approve:
		if c.ProposedBy == d.Person {
			return fault.New(fault.TwoPersons, "/cases", "the resolution was proposed by the same person")
		}
		if err := resolve(ctx, tx, config, c, d.At, followed); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE reconcile_case SET state = 'resolved', approved_by = $2, changed_at = $3 WHERE id = $1`, c.ID, d.Person, d.At)
	}
	return postgres.Classify(err)
}

// suits refuses a resolution that the case cannot have or that does not name
// what it needs.
func suits(c *caseRow, r Resolution, target string) error {
	if !slices.Contains(allowed[c.kind()], r) || c.Reason == fault.NotBooked && r != AsForeign {
		return fault.New(fault.CaseResolutionBad, "/resolution", "%s is no resolution of %s", r, c.Reason)
	}
	switch r {
	case ToMatch:
		if _, refund := strings.CutPrefix(target, refundTarget); c.Amount == 0 || target == "" || refund != (c.Amount < 0) {
			return fault.New(fault.CaseTargetBad, "/target", "a credit is matched with a payment identifier or a gateway's fact, a debit with a refund")
		}
	case ToAdvance:
		if _, err := kz.ParseBIN(target, kz.FormatOnly); err != nil {
			return fault.Wrap(err, fault.CaseTargetBad, "/target", "an advance is a payer's, by its BIN")
		}
	default:
		if target != "" {
			return fault.New(fault.CaseTargetBad, "/target", "%s names nothing", r)
		}
	}
	return nil
}

// note remembers the act with every case.
func (d *Decision) note(ctx context.Context, tx pgx.Tx) error {
	text := d.Text
	switch d.Act {
	case Assign:
		text = strings.TrimSpace(d.Owner + " " + d.Text)
	case Suggest:
		text = strings.TrimSpace(string(d.Resolution) + " " + d.Target + " " + d.Text)
	}
	if utf8.RuneCountInString(text) > textRunesMax {
		text = string([]rune(text)[:textRunesMax])
	}
	ids := make([]uuid.UUID, len(d.Cases))
	for i := range ids {
		ids[i] = postgres.NewID(d.At)
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO reconcile_note (id, case_id, recorded_at, actor, act, text)
		SELECT u.id, u.case_id, $3, $4, $5, $6 FROM unnest($1::uuid[], $2::uuid[]) AS u (id, case_id)`,
		ids, d.Cases, d.At, d.Person, string(d.Act), text)
	if err != nil {
		return fmt.Errorf("remember what was decided: %w", postgres.Classify(err))
	}
	return nil
}

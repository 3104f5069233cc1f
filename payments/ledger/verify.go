package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// FindingsMax bounds what a Verification lists; a broken book needs a person,
// not a complete list.
const FindingsMax = 100

// Verification is what Verify found.
type Verification struct {
	Entries  int64      `json:"entries"`
	Postings int64      `json:"postings"`
	Debits   money.Tiyn `json:"debits_tiyn"`
	Credits  money.Tiyn `json:"credits_tiyn"`
	Findings []Finding  `json:"findings"` // empty if the book is whole; at most 100
}

// Finding is one thing that is wrong with the book.
type Finding struct {
	Key    string `json:"key"` // the place: an entry's natural key, an account
	Reason string `json:"reason"`

	*Compared // nil where no two amounts are compared
}

// Compared says what stands at a place and what should.
type Compared struct {
	Has    money.Tiyn `json:"has_tiyn"`
	Should money.Tiyn `json:"should_tiyn"`
}

// Add adds findings, as far as there is room.
func (v *Verification) Add(found []Finding) {
	v.Findings = append(v.Findings, found[:min(len(found), FindingsMax-len(v.Findings))]...)
}

// Refusal is fault.LedgerInconsistent if something was found.
func (v *Verification) Refusal() error {
	if len(v.Findings) == 0 {
		return nil
	}
	return fault.New(fault.LedgerInconsistent, v.Findings[0].Key, "%s, and %d more findings", v.Findings[0].Reason, len(v.Findings)-1)
}

// The reasons of a finding.
const (
	EntryMissing    = "entry_missing"    // the key is known, the entry is gone
	EntryUnknown    = "entry_unknown"    // the entry stands under no key
	PostingsDiffer  = "postings_differ"  // fewer or more postings than were posted
	Unbalanced      = "unbalanced"       // the postings do not add up to zero
	DebitsDiffer    = "debits_differ"    // the debits are not those that were posted
	ContentDiffers  = "content_differs"  // the digest of the entry is another
	PostingOrphaned = "posting_orphaned" // a posting of no entry
	AccountUnknown  = "account_unknown"  // an account of no sort there is
	PeriodDiffers   = "period_differs"   // a balance kept at the end of a closed period is another
)

// Verify reads the whole book and checks that nothing was lost, added or
// changed: every entry balances, has its postings and its key with the digest
// it was posted with, no posting is without an entry, every account is of a
// known sort, closed periods have the balances they were closed with, and all
// debits equal all credits. A book that is not whole is fault.LedgerInconsistent, with the
// findings in the Verification. The transaction must be one that sees a single
// moment (repeatable read): the checks are several statements.
func Verify(ctx context.Context, tx pgx.Tx) (*Verification, error) {
	v := Verification{Findings: []Finding{}}
	if err := tx.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM ledger_entry), count(*),
		       coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint,
		       coalesce(sum(amount) FILTER (WHERE amount < 0), 0)::bigint
		  FROM ledger_posting`).Scan(&v.Entries, &v.Postings, &v.Debits, &v.Credits); err != nil {
		return nil, fmt.Errorf("add up the ledger: %w", postgres.Classify(err))
	}
	for _, check := range []func(context.Context, pgx.Tx) ([]Finding, error){checkEntries, checkContents, checkAccounts} {
		found, err := check(ctx, tx)
		if err != nil {
			return nil, err
		}
		v.Add(found)
	}
	return &v, v.Refusal()
}

// checkEntries asks for what sums and counts can show.
func checkEntries(ctx context.Context, tx pgx.Tx) ([]Finding, error) {
	rows, err := tx.Query(ctx, `
		WITH sums AS (
			SELECT entry_id, recorded_at, count(*) AS postings, sum(amount) AS total,
			       coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS debits
			  FROM ledger_posting GROUP BY entry_id, recorded_at),
		book AS (
			SELECT coalesce(k.natural_key, e.natural_key, s.entry_id::text) AS key,
			       CASE WHEN e.id IS NULL AND k.entry_id IS NOT NULL THEN $1
			            WHEN e.id IS NULL THEN $2
			            WHEN k.entry_id IS NULL OR k.natural_key <> e.natural_key THEN $3
			            WHEN s.postings IS DISTINCT FROM e.postings THEN $4
			            WHEN s.total <> 0 THEN $5
			            WHEN s.debits <> k.debits THEN $6 END AS reason
			  FROM ledger_entry e
			  FULL JOIN ledger_key k ON k.entry_id = e.id AND k.recorded_at = e.recorded_at
			  FULL JOIN sums s ON s.entry_id = coalesce(e.id, k.entry_id) AND s.recorded_at = coalesce(e.recorded_at, k.recorded_at))
		SELECT key, reason FROM book WHERE reason IS NOT NULL ORDER BY key LIMIT $7`,
		EntryMissing, PostingOrphaned, EntryUnknown, PostingsDiffer, Unbalanced, DebitsDiffer, FindingsMax)
	if err != nil {
		return nil, fmt.Errorf("check the ledger: %w", postgres.Classify(err))
	}
	return collectFindings(rows)
}

func collectFindings(rows pgx.Rows) ([]Finding, error) {
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Finding, err error) {
		return f, row.Scan(&f.Key, &f.Reason)
	})
	if err != nil {
		return nil, fmt.Errorf("check the ledger: %w", postgres.Classify(err))
	}
	return found, nil
}

// checkAccounts finds accounts of no known sort, and balances of closed
// periods that their entries do not add up to.
func checkAccounts(ctx context.Context, tx pgx.Tx) ([]Finding, error) {
	sorts := make([]string, len(Sorts()))
	for i, s := range Sorts() {
		sorts[i] = string(s)
	}
	rows, err := tx.Query(ctx, `
		WITH summed AS (
			SELECT d.last_day, p.account, sum(greatest(p.amount, 0)) AS debits, sum(least(p.amount, 0)) AS credits
			  FROM ledger_period d
			  JOIN ledger_entry e ON e.day <= d.last_day
			  JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
			 GROUP BY d.last_day, p.account)
		SELECT account, $1::text FROM (SELECT DISTINCT account FROM ledger_posting) AS a
		 WHERE split_part(account, ':', 1) <> ALL ($3::text[])
		UNION ALL
		SELECT last_day || ' ' || account, $2
		  FROM ledger_period_balance b FULL JOIN summed s USING (last_day, account)
		 WHERE b.debits IS DISTINCT FROM s.debits OR b.credits IS DISTINCT FROM s.credits
		 ORDER BY 1 LIMIT $4`, AccountUnknown, PeriodDiffers, sorts, FindingsMax)
	if err != nil {
		return nil, fmt.Errorf("check the accounts: %w", postgres.Classify(err))
	}
	return collectFindings(rows)
}

// checkContents computes the digest of every entry again, one entry in memory
// at a time.
func checkContents(ctx context.Context, tx pgx.Tx) ([]Finding, error) {
	rows, err := tx.Query(ctx, `
		SELECT e.id, e.natural_key, e.kind, e.day, e.transaction_id, k.content, p.account, p.amount
		  FROM ledger_entry e
		  JOIN ledger_key k ON k.entry_id = e.id
		  JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
		 ORDER BY e.recorded_at, e.id, p.position`)
	if err != nil {
		return nil, fmt.Errorf("read the ledger's entries: %w", postgres.Classify(err))
	}
	defer rows.Close()
	var found []Finding
	var current stored
	for rows.Next() {
		next := stored{}
		var day time.Time
		var p Posting
		if err := rows.Scan(&next.id, &next.Key, &next.Kind, &day, &next.Transaction, &next.digest, &p.Account, &p.Amount); err != nil {
			return nil, fmt.Errorf("read the ledger's entries: %w", postgres.Classify(err))
		}
		if err := next.Day.Scan(day); err != nil {
			return nil, fmt.Errorf("read the ledger's entries: %w", err)
		}
		if next.id != current.id {
			found = current.appendFinding(found)
			current = next
		}
		current.Postings = append(current.Postings, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the ledger's entries: %w", postgres.Classify(err))
	}
	return current.appendFinding(found), nil
}

// stored is an entry as it stands in the book, with the digest it was posted
// with.
type stored struct {
	Entry
	id     uuid.UUID
	digest []byte
}

func (s stored) appendFinding(found []Finding) []Finding {
	content := s.content()
	if s.id == uuid.Nil || len(found) >= FindingsMax || string(s.digest) == string(content[:]) {
		return found
	}
	return append(found, Finding{Key: s.Key, Reason: ContentDiffers})
}

package ledger_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
)

var (
	at          = time.Date(2026, time.November, 20, 9, 0, 0, 0, time.UTC)
	transaction = uuid.MustParse("0193a000-0000-7000-8000-000000000001")
	clearing    = ledger.Clearing("pshep")
	payer       = ledger.Payer("190640017419")
	duty        = ledger.Budget("6009", "106104")
	fee         = ledger.Budget("6009", "106201")
)

func entry(key string, amount money.Tiyn) ledger.Entry {
	return ledger.Entry{
		Key: key, Kind: ledger.Payment, Day: kz.DayOf(at), Transaction: transaction, At: at,
		Postings: []ledger.Posting{{clearing, amount}, {payer, -amount}, {payer, amount}, {duty, -amount + 1}, {fee, -1}},
	}
}

func post(t testing.TB, pool *pgxpool.Pool, e ledger.Entry) (posted bool, err error) {
	t.Helper()
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		posted, err = ledger.Post(t.Context(), tx, e)
		return err
	})
	return posted, ledger.Refusal(err)
}

func verify(t testing.TB, pool *pgxpool.Pool) (v *ledger.Verification, err error) {
	t.Helper()
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		v, err = ledger.Verify(t.Context(), tx)
		return err
	})
	return v, err
}

func TestPostOnce(t *testing.T) {
	pool := postgrestest.Pool(t)
	for i, want := range []bool{true, false, false} {
		e := entry("pay:1", 1000)
		e.At = at.Add(time.Duration(i) * time.Hour) // a replay comes later
		if posted, err := post(t, pool, e); err != nil || posted != want {
			t.Fatalf("time %d: %v, %v", i+1, posted, err)
		}
	}
	if _, err := post(t, pool, entry("pay:1", 1001)); !fault.Is(err, fault.LedgerConflict) {
		t.Errorf("another entry under the key: %v", err)
	}
	balances, err := ledger.BalancesAt(t.Context(), pool, ledger.Moment{})
	if err != nil {
		t.Fatal(err)
	}
	want := []ledger.Balance{
		{duty, 0, -999, -999}, {fee, 0, -1, -1}, {clearing, 1000, 0, 1000}, {payer, 1000, -1000, 0},
	}
	if fmt.Sprint(balances) != fmt.Sprint(want) {
		t.Errorf("balances\n%v, want\n%v", balances, want)
	}
	v, err := verify(t, pool)
	if err != nil || v.Entries != 1 || v.Postings != 5 || v.Debits != 2000 || v.Credits != -2000 {
		t.Errorf("%+v, %v", v, err)
	}
}

// A batch posts what is new, whatever else is in it, and one bad entry or
// conflict refuses all of it.
func TestPostAll(t *testing.T) {
	pool := postgrestest.Pool(t)
	postAll := func(entries ...ledger.Entry) (n int, err error) {
		err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			n, err = ledger.PostAll(t.Context(), tx, entries)
			return err
		})
		return n, err
	}
	if n, err := postAll(); err != nil || n != 0 {
		t.Errorf("nothing: %d, %v", n, err)
	}
	a, b, c := entry("a", 100), entry("b", 200), entry("c", 300)
	if n, err := postAll(b, a, b); err != nil || n != 2 {
		t.Errorf("one of them twice: %d, %v", n, err)
	}
	if n, err := postAll(a, b, c); err != nil || n != 1 {
		t.Errorf("two known, one new: %d, %v", n, err)
	}
	d, unbalanced := entry("d", 400), entry("e", 500)
	unbalanced.Postings[0].Amount++
	if _, err := postAll(d, unbalanced); !fault.Is(err, fault.LedgerUnbalanced) {
		t.Errorf("one unbalanced: %v", err)
	}
	if _, err := postAll(d, entry("a", 101)); !fault.Is(err, fault.LedgerConflict) {
		t.Errorf("one conflict: %v", err)
	}
	if _, err := postAll(make([]ledger.Entry, ledger.EntriesMax+1)...); !fault.Is(err, fault.LedgerEntryBad) {
		t.Errorf("too many: %v", err)
	}
	if v, err := verify(t, pool); err != nil || v.Entries != 3 {
		t.Errorf("%+v, %v", v, err)
	}
}

// QueueNew posts in somebody else's batch; a key that is there fails all of it.
func TestQueueNew(t *testing.T) {
	pool := postgrestest.Pool(t)
	queue := func(entries ...ledger.Entry) error {
		var batch pgx.Batch
		if err := ledger.QueueNew(&batch, entries); err != nil {
			if batch.Len() != 0 {
				t.Error("some are queued nevertheless")
			}
			return err
		}
		return ledger.Refusal(pool.SendBatch(t.Context(), &batch).Close())
	}
	if err := queue(); err != nil {
		t.Error(err)
	}
	if err := queue(entry("b", 200), entry("a", 100)); err != nil {
		t.Fatal(err)
	}
	if err := queue(entry("c", 300), entry("a", 100)); !ledger.Taken(err) {
		t.Errorf("a key that is there: %v", err)
	}
	unbalanced := entry("e", 500)
	unbalanced.Postings[0].Amount++
	if err := queue(entry("d", 400), unbalanced); !fault.Is(err, fault.LedgerUnbalanced) {
		t.Errorf("unbalanced: %v", err)
	}
	if err := queue(make([]ledger.Entry, ledger.EntriesMax+1)...); !fault.Is(err, fault.LedgerEntryBad) {
		t.Errorf("too many: %v", err)
	}
	if posted, err := post(t, pool, entry("b", 200)); err != nil || posted {
		t.Errorf("Post of what QueueNew posted: %v, %v", posted, err)
	}
	if v, err := verify(t, pool); err != nil || v.Entries != 2 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestPostOnceInParallel(t *testing.T) {
	pool := postgrestest.Pool(t)
	var wg sync.WaitGroup
	results := make([]bool, 16)
	for i := range results {
		wg.Go(func() {
			posted, err := post(t, pool, entry("pay:1", 1000))
			if err != nil {
				t.Error(err)
			}
			results[i] = posted
		})
	}
	wg.Wait()
	count := 0
	for _, posted := range results {
		if posted {
			count++
		}
	}
	if v, err := verify(t, pool); err != nil || count != 1 || v.Entries != 1 {
		t.Errorf("posted %d times, %+v, %v", count, v, err)
	}
}

func TestRefusals(t *testing.T) {
	pool := postgrestest.Pool(t)
	tests := []struct {
		name   string
		change func(*ledger.Entry)
		code   fault.Code
	}{
		{"unbalanced", func(e *ledger.Entry) { e.Postings[0].Amount++ }, fault.LedgerUnbalanced},
		{"one posting", func(e *ledger.Entry) { e.Postings = e.Postings[:1] }, fault.LedgerEntryBad},
		{"no postings", func(e *ledger.Entry) { e.Postings = nil }, fault.LedgerEntryBad},
		{"zero posting", func(e *ledger.Entry) { e.Postings = append(e.Postings, ledger.Posting{Account: fee}) }, fault.LedgerEntryBad},
		{"no account", func(e *ledger.Entry) { e.Postings[0].Account = "" }, fault.LedgerEntryBad},
		{"no key", func(e *ledger.Entry) { e.Key = "" }, fault.LedgerEntryBad},
		{"no day", func(e *ledger.Entry) { e.Day = kz.Day{} }, fault.LedgerEntryBad},
		{"no transaction", func(e *ledger.Entry) { e.Transaction = uuid.Nil }, fault.LedgerEntryBad},
		{"overflow", func(e *ledger.Entry) { e.Postings[0].Amount = math.MaxInt64 }, fault.AmountOverflow},
	}
	for _, tt := range tests {
		e := entry("bad", 1000)
		tt.change(&e)
		if posted, err := post(t, pool, e); posted || fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, %v", tt.name, posted, err)
		}
	}
	if v, err := verify(t, pool); err != nil || v.Entries != 0 {
		t.Errorf("left behind: %+v, %v", v, err)
	}
}

// grant gives the role of the tests what the migrations took from it, as the
// owner of the tables can.
const grant = `GRANT UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO CURRENT_USER; `

// The database refuses whoever writes, past this package too.
func TestDatabaseRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	if _, err := post(t, pool, entry("pay:1", 1000)); err != nil {
		t.Fatal(err)
	}
	const newEntry = `INSERT INTO ledger_entry SELECT '0193a000-0000-7000-8000-000000000009', recorded_at, 'x', kind, day, transaction_id, 2 FROM ledger_entry;`
	const newPosting = `INSERT INTO ledger_posting SELECT '0193a000-0000-7000-8000-000000000009', recorded_at, %d, 'a', %d FROM ledger_entry WHERE natural_key = 'pay:1';`
	together := func(postings string) string {
		return `WITH e AS (` + strings.TrimSuffix(newEntry, ";") + `)
			INSERT INTO ledger_posting SELECT '0193a000-0000-7000-8000-000000000009', recorded_at, p.position, 'a', p.amount
			  FROM ledger_entry, (VALUES ` + postings + `) AS p (position, amount) WHERE natural_key = 'pay:1'`
	}
	tests := []struct {
		name, sql string
		code      fault.Code
	}{
		{"unbalanced", newEntry + fmt.Sprintf(newPosting, 0, 5) + fmt.Sprintf(newPosting, 1, -4), fault.LedgerUnbalanced},
		{"entry without postings", newEntry, fault.LedgerUnbalanced},
		{"a posting short", newEntry + fmt.Sprintf(newPosting, 0, 5), fault.LedgerUnbalanced},
		{"postings without an entry", fmt.Sprintf(newPosting, 0, 5) + fmt.Sprintf(newPosting, 1, -5), fault.LedgerUnbalanced},
		{"unbalanced at once", together("(0, 5), (1, -4)"), fault.LedgerUnbalanced},
		{"a posting short at once", together("(0, 5)"), fault.LedgerUnbalanced},
		{"a posting too many at once", together("(0, 5), (1, -4), (2, -1)"), fault.LedgerUnbalanced},
		{"no posting at once", together("(0, 5)") + " LIMIT 0", fault.LedgerUnbalanced},
		{"room left before the postings", together("(1, 5), (2, -5)"), fault.LedgerUnbalanced},
		{"room left between the postings", together("(0, 5), (2, -5)"), fault.LedgerUnbalanced},
		{"unbalanced into partitions", strings.ReplaceAll(strings.ReplaceAll(together("(0, 5), (1, -4)"),
			"INTO ledger_entry", "INTO ledger_entry_202611"), "INTO ledger_posting", "INTO ledger_posting_202611"), fault.LedgerUnbalanced},
		{"entry without postings into a partition", strings.Replace(newEntry, "INTO ledger_entry", "INTO ledger_entry_202611", 1), fault.LedgerUnbalanced},
		{"a good entry beside a bad one", `WITH old AS (SELECT recorded_at, kind, day, transaction_id FROM ledger_entry), e AS (
			INSERT INTO ledger_entry SELECT ('0193a000-0000-7000-8000-00000000000' || n)::uuid, recorded_at, 'x' || n, kind, day, transaction_id, 2
			  FROM old, generate_series(7, 8) n)
			INSERT INTO ledger_posting SELECT ('0193a000-0000-7000-8000-00000000000' || n)::uuid, recorded_at, p, 'a', (2 * p - 1) * (5 + (n - 7) * p)
			  FROM old, generate_series(7, 8) n, generate_series(0, 1) p`, fault.LedgerUnbalanced},
		{"balanced postings added to an old entry", `INSERT INTO ledger_posting
			SELECT id, recorded_at, 5, 'a', 7 FROM ledger_entry UNION ALL SELECT id, recorded_at, 6, 'b', -7 FROM ledger_entry`, fault.LedgerUnbalanced},
		{"update", `UPDATE ledger_posting SET amount = amount`, fault.RecordImmutable},
		{"update of a partition", `UPDATE ledger_posting_202611 SET amount = amount`, fault.RecordImmutable},
		{"delete", `DELETE FROM ledger_entry`, fault.RecordImmutable},
		{"delete of a key", `DELETE FROM ledger_key`, fault.RecordImmutable},
		{"truncate", `TRUNCATE ledger_posting`, fault.RecordImmutable},
		{"truncate of a partition", `TRUNCATE ledger_posting_202611`, fault.RecordImmutable},
		{"truncate of keys", `TRUNCATE ledger_key`, fault.RecordImmutable},
	}
	for _, tt := range tests {
		run := func(sql string) error {
			return ledger.Refusal(postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), sql)
				return err
			}))
		}
		if tt.code == fault.RecordImmutable { // the service's role may not even try
			if err := run(tt.sql); !fault.Is(err, fault.DatabaseDenied) {
				t.Errorf("%s without the privilege: %v", tt.name, err)
			}
		}
		if err := run(grant + tt.sql); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := verify(t, pool); err != nil {
		t.Error(err)
	}
	if _, err := pool.Exec(t.Context(), together("(0, 5), (1, -5)")); err != nil { // or the rows above prove nothing
		t.Errorf("a balanced entry at once: %v", err)
	}
}

// Verify sees what somebody did who could switch the triggers off.
func TestVerifyFindsTampering(t *testing.T) {
	tests := []struct{ reason, sql string }{
		{ledger.EntryMissing, `DELETE FROM ledger_posting; DELETE FROM ledger_entry`},
		{ledger.PostingOrphaned, `DELETE FROM ledger_entry; DELETE FROM ledger_key`},
		{ledger.EntryUnknown, `DELETE FROM ledger_key`},
		{ledger.PostingsDiffer, `DELETE FROM ledger_posting WHERE position IN (1, 2)`},
		{ledger.Unbalanced, `UPDATE ledger_posting SET amount = amount + 1 WHERE position = 0`},
		{ledger.DebitsDiffer, `UPDATE ledger_posting SET amount = amount * 2`},
		{ledger.ContentDiffers, `UPDATE ledger_posting SET account = 'budget:6009:999999' WHERE position = 3`},
		{ledger.ContentDiffers, `UPDATE ledger_entry SET day = day + 1`},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			pool := postgrestest.Pool(t)
			if _, err := post(t, pool, entry("pay:1", 1000)); err != nil {
				t.Fatal(err)
			}
			if _, err := pool.Exec(t.Context(), grant+`SET session_replication_role = replica; `+tt.sql+`; SET session_replication_role = origin`); err != nil {
				t.Fatal(err)
			}
			v, err := verify(t, pool)
			if !fault.Is(err, fault.LedgerInconsistent) || v == nil || v.Findings[0].Reason != tt.reason {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

// Whatever is posted, replayed or refused, in any order, all debits equal all
// credits and every account has the sum of its postings.
func TestTrialBalanceStaysZero(t *testing.T) {
	pool := postgrestest.Pool(t)
	model := map[ledger.Account]money.Tiyn{}
	known := map[string]money.Tiyn{}
	accounts := []ledger.Account{clearing, payer, duty, fee, ledger.Treasury("KZ24070105KSN0000000")}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		for i := range rapid.IntRange(1, 6).Draw(rt, "entries") {
			key := fmt.Sprintf("k%d", rapid.IntRange(0, 300).Draw(rt, "key"))
			amount := money.Tiyn(rapid.Int64Range(1, 1e12).Draw(rt, "amount"))
			if rapid.Bool().Draw(rt, "replay") && known[key] != 0 {
				amount = known[key]
			}
			from, to := accounts[len(key)%len(accounts)], accounts[(len(key)+1+int(key[1]))%len(accounts)]
			slip := money.Tiyn(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(rt, "slip"))
			e := ledger.Entry{Key: key, Kind: ledger.Settlement, Day: kz.DayOf(at), Transaction: transaction,
				At: at.Add(time.Duration(run*10+i) * time.Second), Postings: []ledger.Posting{{from, amount}, {to, -amount + slip}}}
			posted, err := post(t, pool, e)
			before, replay := known[key]
			switch {
			case amount == slip: // the credit would be zero
				if !fault.Is(err, fault.LedgerEntryBad) {
					rt.Fatal(err)
				}
			case slip != 0:
				if !fault.Is(err, fault.LedgerUnbalanced) {
					rt.Fatal(err)
				}
			case replay && before != amount:
				if !fault.Is(err, fault.LedgerConflict) {
					rt.Fatal(err)
				}
			case err != nil || posted == replay:
				rt.Fatalf("posted %v, known %v, %v", posted, replay, err)
			case posted:
				known[key] = amount
				model[from] += amount
				model[to] -= amount
			}
		}
		balances, err := ledger.BalancesAt(t.Context(), pool, ledger.Moment{})
		if err != nil {
			rt.Fatal(err)
		}
		var sum money.Tiyn
		for _, b := range balances {
			sum += b.Balance
			if b.Balance != model[b.Account] || b.Debits+b.Credits != b.Balance {
				rt.Fatalf("%+v, model %s", b, model[b.Account])
			}
		}
		if sum != 0 {
			rt.Fatalf("trial balance %s", sum)
		}
	})
	if _, err := verify(t, pool); err != nil {
		t.Error(err)
	}
}

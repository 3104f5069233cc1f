package payments_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/reconcile"
	"github.com/senim-kz/senim/payments/statement"
)

// due is a paid order of one line, put into the tables as it stands there.
type due struct {
	payer, code, purpose, declaration string
	amount                            money.Tiyn
}

// shown is a statement line of the tests of levels.
type shown struct {
	reference, identifier, code, purpose, payer, endToEnd, declaration string
	amount                                                             money.Tiyn
	day                                                                int // after the first
}

// treasuryRoom is a treasury with dues, without a gateway.
type treasuryRoom struct {
	t    testing.TB
	now  time.Time
	pool *pgxpool.Pool
	payments.Treasury
	jobs  *jobs
	first kz.Day
	dues  []order.Identifier
}

func newTreasuryRoom(t testing.TB, dues ...due) *treasuryRoom {
	t.Helper()
	now := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	r := &treasuryRoom{t: t, now: now, pool: postgrestest.Pool(t), jobs: &jobs{}, first: kz.DayOf(now).AddDays(-10)}
	r.Treasury = payments.Treasury{Pool: r.pool, Jobs: r.jobs, Now: func() time.Time { r.now = r.now.Add(time.Millisecond); return r.now }}
	for i, d := range dues {
		r.pay(i, d)
	}
	return r
}

// pay puts a paid order into the tables, with the ledger's entry of its money.
func (r *treasuryRoom) pay(i int, d due) {
	r.t.Helper()
	at := r.first.Start().Add(time.Duration(i) * time.Minute)
	id := uuid.UUID{0x01, 0x9a, 15: byte(i + 1)}
	identifier, err := order.NewIdentifier(r.first, int64(i+1))
	if err != nil {
		r.t.Fatal(err)
	}
	r.dues = append(r.dues, identifier)
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO payment_order (id, recorded_at, transaction_id, payer_bin, total, state, expires_at, received, paid, gateway, declaration)
			VALUES ($1, $2, $1, $3, $4, 'paid', $5, $4, ARRAY[$4::bigint], 'pshep', $6)`,
			[]any{id, at, d.payer, int64(d.amount), at.AddDate(0, 0, 3), d.declaration}},
		{`INSERT INTO payment_order_once (transaction_id, order_id, recorded_at) VALUES ($1, $1, $2)`, []any{id, at}},
		{`INSERT INTO payment_line (identifier, recorded_at, order_id, position, kind, budget_code, purpose_code, revenue_office, beneficiary_bin,
			beneficiary_name, bic, iik, kbe, amount) VALUES ($1, $2, $3, 0, '2010', $4, $5, '6009', '010240002599', 'УГД', 'KKMFKZ2A', 'KZ24070105KSN0000000', '11', $6)`,
			[]any{string(identifier), at, id, d.code, d.purpose, int64(d.amount)}},
		{`INSERT INTO payment_identifier (identifier, order_id, recorded_at) VALUES ($1, $2, $3)`, []any{string(identifier), id, at}},
	} {
		if _, err := r.pool.Exec(r.t.Context(), s.sql, s.args...); err != nil {
			r.t.Fatal(err)
		}
	}
	err = pgx.BeginFunc(r.t.Context(), r.pool, func(tx pgx.Tx) error {
		_, err := ledger.Post(r.t.Context(), tx, ledger.Entry{
			Key: fmt.Sprint("payment:pshep:", i), Kind: ledger.Payment, Day: r.first, Transaction: id, At: at,
			Postings: []ledger.Posting{{Account: ledger.Clearing("pshep"), Amount: d.amount}, {Account: "budget:6009:" + ledger.Account(d.code), Amount: -d.amount}},
		})
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

const csvMapping = `
delimiter: ";"
date: "2006-01-02"
decimal: "."
account: KZ24070105KSN0000000
columns:
  reference: reference
  booking_day: day
  amount: amount
  identifier: identifier
  budget_code: code
  purpose_code: purpose
  payer: payer
  end_to_end: end
  purpose: text
`

// file is a statement as CSV.
func (r *treasuryRoom) file(lines ...shown) []byte {
	var b bytes.Buffer
	b.WriteString("reference;day;amount;identifier;code;purpose;payer;end;text\n")
	for _, l := range lines {
		text := "payment"
		if l.declaration != "" {
			text = "customs duties by " + l.declaration
		}
		fmt.Fprintf(&b, "%s;%s;%s;%s;%s;%s;%s;%s;%s\n", l.reference, r.first.AddDays(l.day), l.amount, l.identifier, l.code, l.purpose, l.payer, l.endToEnd, text)
	}
	return b.Bytes()
}

func (r *treasuryRoom) take(file []byte) {
	r.t.Helper()
	mapping, err := statement.ParseMapping([]byte(csvMapping))
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.ImportStatement(r.t.Context(), "day.csv", bytes.NewReader(file), statement.Options{Mapping: mapping}); err != nil {
		r.t.Fatal(err)
	}
}

// state is all that a reconciliation leaves, by what things are and not by
// their identifiers in the database.
func (r *treasuryRoom) state() []string {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), `
		SELECT s.reference || ' = ' || l.identifier || ' ' || m.amount || ' ' || m.rule || ' ' || m.due_part || m.line_part
		  FROM payment_match m JOIN statement_line s ON s.id = m.line_id JOIN payment_line l ON l.order_id = m.order_id AND l.position = m.position
		UNION ALL
		SELECT coalesce(s.reference, 'due ' || c.identifier) || ' ! ' || c.reason || ' ' || c.amount || ' ' || c.state
		  FROM reconcile_case c LEFT JOIN statement_line s ON s.id = c.line_id WHERE c.state <> 'cleared'
		UNION ALL
		SELECT 'total ' || booking_day || ' ' || budget_code || ' ' || revenue_office || ' ' || lines || ' ' || amount FROM reconcile_total
		ORDER BY 1`)
	if err != nil {
		r.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func (r *treasuryRoom) reconcile() {
	r.t.Helper()
	if _, err := r.ReconcileOpen(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// checkBooks holds the ledger against the matches, and the control totals
// against the statements.
func (r *treasuryRoom) checkBooks() {
	r.t.Helper()
	var matched, treasury, total, lines money.Tiyn
	err := r.pool.QueryRow(r.t.Context(), `
		SELECT (SELECT coalesce(sum(amount), 0)::bigint FROM payment_match),
		       (SELECT coalesce(sum(amount), 0)::bigint FROM ledger_posting WHERE account LIKE 'treasury:%'),
		       (SELECT coalesce(sum(amount), 0)::bigint FROM reconcile_total),
		       (SELECT coalesce(sum(amount), 0)::bigint FROM statement_line WHERE booked)`).Scan(&matched, &treasury, &total, &lines)
	if err != nil || matched != treasury || total != lines {
		r.t.Fatalf("matched %s, treasury %s; totals %s of %s; %v", matched, treasury, total, lines, err)
	}
}

const (
	firm, other, nobody = "190640017419", "210340029574", "000000000000"
	number              = "55302/101126/0000123"
)

// Each level finds what is its own, and none chooses between two.
func TestLevels(t *testing.T) {
	plain := due{payer: firm, code: "106201", purpose: "911", amount: 20_000_00}
	numbered := plain
	numbered.declaration = number
	vat := due{payer: firm, code: "106201", purpose: "911", amount: 5_000_00, declaration: number}
	for name, tt := range map[string]struct {
		dues  []due
		lines []shown // identifier "#1" is that of the first due
		want  []string
	}{
		"end to end": {
			[]due{plain}, []shown{{code: "106201", endToEnd: "#1", amount: 20_000_00}}, []string{"R1 = #1 2000000 end_to_end 00"},
		},
		"requisites": {
			[]due{plain}, []shown{{code: "106201", purpose: "911", payer: firm, amount: 20_000_00}}, []string{"R1 = #1 2000000 requisites 00"},
		},
		"requisites twice": {
			[]due{plain, plain}, []shown{{code: "106201", purpose: "911", payer: firm, amount: 20_000_00}}, []string{"R1 ! match_ambiguous 2000000 open"},
		},
		"a non-resident is nobody": {
			[]due{{payer: nobody, code: "106201", purpose: "911", amount: 700}}, []shown{{code: "106201", purpose: "911", payer: nobody, amount: 700}},
			[]string{"R1 ! missing_identifier 700 open"},
		},
		"a non-resident's declaration": {
			[]due{{payer: nobody, code: "106201", purpose: "911", amount: 700, declaration: number}},
			[]shown{{code: "106201", payer: nobody, declaration: number, amount: 700}}, []string{"R1 = #1 700 declaration 00"},
		},
		"payer and amount": {
			[]due{plain}, []shown{{payer: firm, amount: 20_000_00}}, []string{"R1 = #1 2000000 amount_payer 00"},
		},
		"too late for payer and amount": {
			[]due{plain}, []shown{{payer: firm, amount: 20_000_00, day: 9}},
			[]string{"R1 ! missing_identifier 2000000 open", "due #1 ! payment_missing 2000000 open"},
		},
		"one line for two dues": {
			[]due{numbered, vat}, []shown{{code: "106201", declaration: number, amount: 25_000_00}},
			[]string{"R1 = #1 2000000 declaration 00", "R1 = #2 500000 declaration 01"},
		},
		"two lines for one due": {
			[]due{plain}, []shown{{identifier: "#1", code: "106201", amount: 12_000_00}, {identifier: "#1", code: "106201", amount: 8_000_00}},
			[]string{"R1 = #1 1200000 identifier 00", "R2 = #1 800000 identifier 10"},
		},
		"all that a payer owes": {
			[]due{plain, {payer: firm, code: "106201", purpose: "911", amount: 1}}, []shown{{code: "106201", purpose: "911", payer: firm, amount: 20_000_01}},
			[]string{"R1 = #1 2000000 payer_sum 00", "R1 = #2 1 payer_sum 01"},
		},
		"a duplicate is not another order's money": {
			[]due{plain, plain}, []shown{{identifier: "#1", code: "106201", amount: 20_000_00}, {identifier: "#1", code: "106201", purpose: "911", payer: firm, amount: 20_000_00}},
			[]string{"R1 = #1 2000000 identifier 00", "R2 ! duplicate_payment 2000000 open"},
		},
		"wrong code": {
			[]due{plain}, []shown{{identifier: "#1", code: "105102", amount: 20_000_00}}, []string{"R1 ! wrong_budget_code 2000000 open"},
		},
		"a declaration with another amount": {
			[]due{numbered}, []shown{{code: "106201", declaration: number, amount: 19_999_99}}, []string{"R1 ! amount_differs 1999999 open"},
		},
		"two payers, one amount": {
			[]due{plain, {payer: other, code: "106201", purpose: "911", amount: 20_000_00}}, []shown{{payer: other, amount: 20_000_00}},
			[]string{"R1 = #2 2000000 amount_payer 00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTreasuryRoom(t, tt.dues...)
			names := []string{}
			for i, id := range r.dues {
				names = append(names, fmt.Sprint("#", i+1), string(id))
			}
			for i := range tt.lines {
				l := &tt.lines[i]
				l.reference = fmt.Sprint("R", i+1)
				l.identifier, l.endToEnd = strings.NewReplacer(names...).Replace(l.identifier), strings.NewReplacer(names...).Replace(l.endToEnd)
			}
			r.take(r.file(tt.lines...))
			for range 2 { // again changes nothing
				r.reconcile()
				slices.Reverse(names)
				back := strings.NewReplacer(names...)
				slices.Reverse(names)
				var got []string
				for _, s := range r.state() {
					if !strings.HasPrefix(s, "total") {
						got = append(got, back.Replace(s))
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
			r.checkBooks()
		})
	}
}

// However files are ordered and runs are strewn between them, the same matches,
// cases and totals come out, and the books agree after each run.
func TestAnyOrderGivesTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("some dozen databases: not in a short run")
	}
	amounts := []money.Tiyn{100, 100, 200, 300}
	var cases int
	var failed bool
	rapid.Check(t, func(rt *rapid.T) {
		if cases++; cases > 12 && !failed { // each costs two databases; one that fails is made smaller
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		var dues []due
		for range rapid.IntRange(1, 4).Draw(rt, "dues") {
			dues = append(dues, due{
				payer: rapid.SampledFrom([]string{firm, other, nobody}).Draw(rt, "payer"), code: rapid.SampledFrom([]string{"106201", "105102"}).Draw(rt, "code"),
				purpose: "911", amount: rapid.SampledFrom(amounts).Draw(rt, "amount"), declaration: rapid.SampledFrom([]string{"", number}).Draw(rt, "number"),
			})
		}
		var lines []shown
		for i := range rapid.IntRange(1, 7).Draw(rt, "lines") {
			l := shown{
				reference: fmt.Sprint("R", i), code: rapid.SampledFrom([]string{"", "106201", "105102"}).Draw(rt, "line code"), purpose: "911",
				payer: rapid.SampledFrom([]string{"", firm, other}).Draw(rt, "line payer"), amount: rapid.SampledFrom(amounts).Draw(rt, "line amount"),
				declaration: rapid.SampledFrom([]string{"", "", number}).Draw(rt, "line number"), day: rapid.IntRange(0, 2).Draw(rt, "day"),
			}
			if n := rapid.IntRange(0, len(dues)).Draw(rt, "names"); n > 0 {
				id, err := order.NewIdentifier(kz.DayOf(time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)).AddDays(-10), int64(n))
				if err != nil {
					rt.Fatal(err)
				}
				l.identifier = string(id)
			}
			lines = append(lines, l)
		}
		all := newTreasuryRoom(t, dues...)
		for _, l := range lines {
			all.take(all.file(l))
		}
		all.reconcile()
		all.checkBooks()

		strewn := newTreasuryRoom(t, dues...)
		mixed := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "order"), 1)).Perm(len(lines))
		for _, i := range mixed {
			strewn.take(strewn.file(lines[i]))
			if rapid.Bool().Draw(rt, "run") {
				strewn.reconcile()
				strewn.checkBooks()
			}
		}
		strewn.reconcile()
		strewn.checkBooks()
		if diff := cmp.Diff(all.state(), strewn.state()); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// A case is worked by two persons, and what they decide is posted at once.
func TestCases(t *testing.T) {
	r := newTreasuryRoom(t, due{payer: firm, code: "106201", purpose: "911", amount: 1000}, due{payer: firm, code: "105102", purpose: "911", amount: 500})
	r.take(r.file(shown{reference: "OVER", identifier: string(r.dues[0]), code: "106201", amount: 1001},
		shown{reference: "ALIEN", code: "101111", amount: 77}, shown{reference: "GIFT", code: "101111", amount: 33}))
	r.take(r.file(shown{reference: "LATER", code: "101111", amount: 1, day: 9})) // so that the second due is missing
	r.reconcile()
	ids := map[string]uuid.UUID{}
	all, err := r.Cases(t.Context(), reconcile.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		ids[c.Reference+string(c.Reason)] = c.ID
	}
	over, alien, gift := ids["OVERamount_differs"], ids["ALIENmissing_identifier"], ids["GIFTmissing_identifier"]
	decide := func(d reconcile.Decision) error { return r.DecideCases(t.Context(), d, nil) }
	for _, tt := range []struct {
		name string
		d    reconcile.Decision
		want fault.Code
	}{
		{"nothing named", reconcile.Decision{Act: reconcile.Comment, Person: "a", Text: "x"}, fault.BadArgument},
		{"empty comment", reconcile.Decision{Act: reconcile.Comment, Person: "a", Cases: []uuid.UUID{over}}, fault.BadArgument},
		{"unknown case", reconcile.Decision{Act: reconcile.Assign, Person: "a", Owner: "b", Cases: []uuid.UUID{uuid.New()}}, fault.CaseUnknown},
		{"approve what nobody proposed", reconcile.Decision{Act: reconcile.Approve, Person: "b", Cases: []uuid.UUID{over}}, fault.CaseStateForbids},
		{"rebill a line", reconcile.Decision{Act: reconcile.Suggest, Person: "a", Cases: []uuid.UUID{over}, Resolution: reconcile.ToRebill}, fault.CaseResolutionBad},
		{"advance of nobody", reconcile.Decision{Act: reconcile.Suggest, Person: "a", Cases: []uuid.UUID{over}, Resolution: reconcile.ToAdvance}, fault.CaseTargetBad},
		{"assign", reconcile.Decision{Act: reconcile.Assign, Person: "a", Owner: "b", Cases: []uuid.UUID{over, alien}}, ""},
		{"comment", reconcile.Decision{Act: reconcile.Comment, Person: "a", Text: "asked the bank", Cases: []uuid.UUID{over}}, ""},
		{"propose a match", reconcile.Decision{Act: reconcile.Suggest, Person: "a", Cases: []uuid.UUID{over}, Resolution: reconcile.ToMatch, Target: string(r.dues[0])}, ""},
		{"propose many", reconcile.Decision{Act: reconcile.Suggest, Person: "a", Cases: []uuid.UUID{alien, gift}, Resolution: reconcile.AsForeign}, ""},
		{"the same person", reconcile.Decision{Act: reconcile.Approve, Person: "a", Cases: []uuid.UUID{over}}, fault.TwoPersons},
		{"reject one", reconcile.Decision{Act: reconcile.Reject, Person: "b", Text: "it is theirs", Cases: []uuid.UUID{gift}}, ""},
		{"all or none", reconcile.Decision{Act: reconcile.Approve, Person: "b", Cases: []uuid.UUID{over, gift}}, fault.CaseStateForbids},
		{"propose the advance", reconcile.Decision{Act: reconcile.Suggest, Person: "a", Cases: []uuid.UUID{gift}, Resolution: reconcile.ToAdvance, Target: firm}, ""},
		{"approve many", reconcile.Decision{Act: reconcile.Approve, Person: "b", Cases: []uuid.UUID{over, alien, gift}}, ""},
		{"twice", reconcile.Decision{Act: reconcile.Approve, Person: "b", Cases: []uuid.UUID{over}}, fault.CaseStateForbids},
	} {
		if err := decide(tt.d); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	balances, err := ledger.BalancesAt(t.Context(), r.pool, ledger.Moment{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[ledger.Account]string{}
	for _, b := range balances {
		got[b.Account] = b.Balance.String()
	}
	want := map[ledger.Account]string{
		"budget:6009:105102": "-5.00", "budget:6009:106201": "-10.00", "clearing:pshep": "5.00", "treasury:" + order.TreasuryIIK: "10.34",
		"advance:" + firm: "-0.34",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Another run leaves what the persons decided.
	r.reconcile()
	c, err := r.Case(t.Context(), over)
	if err != nil || c.State != reconcile.CaseResolved || c.Owner != "b" || c.ApprovedBy != "b" || len(c.Notes) != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	if missing := ids["payment_missing"]; missing == uuid.Nil {
		t.Errorf("nothing is missing in %v", ids)
	}
	// Nobody told of the dues, so only the book itself is whole.
	err = pgx.BeginTxFunc(t.Context(), r.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		_, err := ledger.Verify(t.Context(), tx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A day closes once, by two persons, in its order, and stays as it was.
func TestDaysClose(t *testing.T) {
	r := newTreasuryRoom(t, due{payer: firm, code: "106201", purpose: "911", amount: 1000}, due{payer: firm, code: "106201", purpose: "911", amount: 2000})
	id := func(i int) string { return string(r.dues[i]) }
	r.take(r.file(shown{reference: "A", identifier: id(0), code: "106201", amount: 1000}))
	r.take(r.file(shown{reference: "B", code: "106201", amount: 7, day: 1}))
	first, second := r.first, r.first.AddDays(1)
	refused := func(want fault.Code, err error) {
		t.Helper()
		if !fault.Is(err, want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	propose := func(day kz.Day) error { _, err := r.ProposeDay(t.Context(), day, "operator"); return err }
	closing := func(day kz.Day, person string) error { _, err := r.CloseDay(t.Context(), day, person); return err }
	refused(fault.DayNotProposed, closing(first, "controller"))
	refused(fault.DayEarlierOpen, propose(second))
	refused(fault.DayNotOver, propose(kz.DayOf(r.now)))
	if err := propose(first); err != nil {
		t.Fatal(err)
	}
	refused(fault.TwoPersons, closing(first, "operator"))
	if err := closing(first, "controller"); err != nil {
		t.Fatal(err)
	}
	refused(fault.DayClosed, closing(first, "controller"))
	refused(fault.DayClosed, propose(first))
	kept, err := r.ReconciliationOf(t.Context(), first)
	if err != nil || kept.State != reconcile.DayClosed || kept.Matched != 1 || kept.MatchedAmount != 1000 {
		t.Fatalf("%+v, %v", kept, err)
	}
	if closed, err := ledger.ClosedTo(t.Context(), r.Pool); err != nil || closed != first {
		t.Errorf("the ledger is closed to %s, %v", closed, err)
	}
	// What is booked on the closed day from now on is a case of the next.
	r.take(r.file(shown{reference: "C", identifier: id(1), code: "106201", amount: 2000}))
	r.reconcile()
	again, err := r.Reconcile(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(t, kept), asJSON(t, again)); diff != "" {
		t.Error(diff)
	}
	next, err := r.ReconciliationOf(t.Context(), second)
	if err != nil || next.Reasons[string(fault.LateEntry)] != 1 {
		t.Errorf("%+v, %v", next, err)
	}
	r.reconcile()
	for _, s := range []string{`DELETE FROM payment_match`, `UPDATE reconcile_day SET result = '{}'`, `DELETE FROM reconcile_day`, `UPDATE payment_match SET amount = 1`,
		`INSERT INTO payment_match SELECT order_id, position, 1, 1, booking_day, line_id, amount, due_amount, line_amount, run_id, true, rule, gateway FROM payment_match`} {
		if _, err := r.pool.Exec(t.Context(), s); err == nil {
			t.Errorf("the database takes %s", s)
		}
	}
	// Another order's money, whole: only the day stands against it.
	_, err = r.pool.Exec(t.Context(), `
		INSERT INTO payment_match
		SELECT l.order_id, 0, 0, 0, s.booking_day, s.id, s.amount, s.amount, s.amount, gen_random_uuid(), true, 'accepted', 'pshep'
		  FROM statement_line s, payment_line l WHERE s.reference = 'C' AND l.identifier = $1`, id(1))
	refused(fault.DayClosed, reconcile.Refusal(err))
	if diff := cmp.Diff(1, len(slices.DeleteFunc(r.state(), func(s string) bool { return !strings.Contains(s, string(fault.LateEntry)) }))); diff != "" {
		t.Error(diff)
	}
	// Two persons may: it is a case.
	late, err := r.Cases(t.Context(), reconcile.Filter{Reason: fault.LateEntry})
	if err != nil || len(late) != 1 {
		t.Fatalf("%+v, %v", late, err)
	}
	for _, d := range []reconcile.Decision{
		{Act: reconcile.Suggest, Person: "operator", Resolution: reconcile.ToMatch, Target: id(1)}, {Act: reconcile.Approve, Person: "controller"},
	} {
		d.Cases = []uuid.UUID{late[0].ID}
		if err := r.DecideCases(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := r.Reconcile(t.Context(), first); err != nil || again.Matched != 1 {
		t.Errorf("the closed day is %+v, %v", again, err)
	}
}

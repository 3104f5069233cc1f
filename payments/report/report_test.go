package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What is tested of the fixture as it is; making it costs the most.
func TestFixture(t *testing.T) {
	pool := opened(t)
	for name, test := range map[string]func(*testing.T, *pgxpool.Pool){
		"golden": testGolden, "totals are the sums of the rows": testTotals, "totals are the ledger's": testLedger,
		"reconciliation shows every line": testReconciliation, "nothing that must not be there": testSafe,
		"XLSX": testXLSX, "PDF is the same again": testSamePDF, "PDF says what the report does": testPDFText,
	} {
		t.Run(name, func(t *testing.T) { test(t, pool) })
	}
}

// Every report, in the formats that programs read, to the byte.
func testGolden(t *testing.T, pool *pgxpool.Pool) {
	for _, r := range report.All() {
		for _, format := range []report.Format{report.JSON, report.CSV} {
			t.Run(r.Name+"."+string(format), func(t *testing.T) {
				got, _ := write(t, pool, request(t, r.Name, format))
				path := filepath.Join("testdata", r.Name+"."+string(format))
				if *update {
					if err := os.WriteFile(path, got, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// jsonReport is a report as a program reads it.
type jsonReport struct {
	Name    string
	Columns []struct{ Name, Kind string }
	Rows    []map[string]any
	Totals  map[string]json.Number
}

// The totals are the sums of the rows, as whoever reads the formats adds them
// up, and the formats agree.
func testTotals(t *testing.T, pool *pgxpool.Pool) {
	for _, r := range report.All() {
		t.Run(r.Name, func(t *testing.T) {
			text, _ := write(t, pool, request(t, r.Name, report.JSON))
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.UseNumber()
			var read jsonReport
			if err := decoder.Decode(&read); err != nil {
				t.Fatal(err)
			}
			text, totals := write(t, pool, request(t, r.Name, report.CSV))
			records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if len(read.Rows) == 0 || len(read.Rows) != totals.Rows || len(records) != totals.Rows+2 {
				t.Fatalf("%d rows in JSON, %d records of CSV, %d written", len(read.Rows), len(records), totals.Rows)
			}
			for i, c := range r.Columns {
				if !c.Summed {
					if _, there := read.Totals[c.Key()]; there {
						t.Errorf("%s has a total", c.Name)
					}
					continue
				}
				var fromJSON, fromCSV int64
				for n, row := range read.Rows {
					number, err := row[c.Key()].(json.Number).Int64()
					if err != nil {
						t.Fatal(err)
					}
					fromJSON += number
					fromCSV += number64(t, c, records[n+1][i])
				}
				last := number64(t, c, records[len(records)-1][i])
				told, err := read.Totals[c.Key()].Int64()
				if err != nil || told != fromJSON || told != fromCSV || told != last || told != totals.Cells[i].Number {
					t.Errorf("%s: JSON says %d and its rows %d, CSV says %d and its rows %d, Write says %d (%v)",
						c.Name, told, fromJSON, last, fromCSV, totals.Cells[i].Number, err)
				}
			}
		})
	}
}

func number64(t *testing.T, c report.Column, text string) int64 {
	t.Helper()
	if c.Kind == report.Count {
		n, err := json.Number(text).Int64()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	amount, err := money.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return int64(amount)
}

// The reports are the ledger's, to the tiyn: the fixture's whole time is that of
// the whole book.
func testLedger(t *testing.T, pool *pgxpool.Pool) {
	all := func(name string) report.Request { return request(t, name, report.JSON) }
	for _, row := range []struct {
		name, column, accounts string
		sign                   money.Tiyn
	}{
		{"received", "credited", "budget:", -1},
		{"received", "let_go", "tolerance:", 1},
		{"half-year", "let_go", "tolerance:", 1},
		{"half-year", "matched", "treasury:", 1},
		{"reconciliation", "matched", "treasury:", 1},
		{"fees", "fee", "fees:", 1},
	} {
		if got, want := total(t, pool, all(row.name), row.column), row.sign*balance(t, pool, row.accounts); got != want || want == 0 {
			t.Errorf("%s: %s is %s, the ledger has %s", row.name, row.column, got, want)
		}
	}
	half := all("half-year")
	if got, want := total(t, pool, half, "paid")-total(t, pool, half, "refunded"), -balance(t, pool, "budget:"); got != want {
		t.Errorf("half-year: paid without refunded is %s, the ledger has %s", got, want)
	}
	// Each account by itself.
	r := all("received")
	text, _ := write(t, pool, r)
	var read struct {
		Rows []struct {
			Office   string     `json:"revenue_office"`
			Code     string     `json:"budget_code"`
			Credited money.Tiyn `json:"credited_tiyn"`
		}
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	for _, row := range read.Rows {
		if row.Office == "" {
			continue
		}
		b, err := ledger.BalanceOf(t.Context(), pool, ledger.Account("budget:"+row.Office+":"+row.Code), ledger.Moment{})
		if err != nil || b.Balance != -row.Credited {
			t.Errorf("%+v: the ledger has %s, %v", row, b.Balance, err)
		}
	}
	// What is owed is the same in detail and in sum; what refunds moved is what
	// the gateway paid back.
	for _, column := range []string{"owed", "paid", "outstanding"} {
		if a, b := total(t, pool, all("outstanding"), column), total(t, pool, all("ageing"), column); a != b || a == 0 {
			t.Errorf("%s is %s in detail and %s by age", column, a, b)
		}
	}
	if got := total(t, pool, all("refunds"), "executed"); got != 40000 {
		t.Errorf("refunds executed: %s", got)
	}
}

// What the statements show is in the daily reconciliation once, matched or not.
func testReconciliation(t *testing.T, pool *pgxpool.Pool) {
	var shown money.Tiyn
	if err := pool.QueryRow(t.Context(), `SELECT sum(amount)::bigint FROM statement_line WHERE booked`).Scan(&shown); err != nil {
		t.Fatal(err)
	}
	if got := total(t, pool, request(t, "reconciliation", report.JSON), "shown"); got != shown {
		t.Errorf("the report shows %s, the statements %s", got, shown)
	}
}

// A period that has nothing is a report with no rows and totals of zero.
func TestNothingToReport(t *testing.T) {
	pool := postgrestest.Pool(t)
	for _, r := range report.All() {
		for _, format := range report.Formats() {
			text, totals := write(t, pool, request(t, r.Name, format))
			if totals.Rows != 0 || len(text) == 0 {
				t.Errorf("%s.%s: %d rows, %d bytes", r.Name, format, totals.Rows, len(text))
			}
			for i, c := range totals.Cells {
				if c.Number != 0 {
					t.Errorf("%s: %s is %d", r.Name, r.Columns[i].Name, c.Number)
				}
			}
		}
	}
	text, _ := write(t, pool, request(t, "fees", report.JSON))
	if !strings.Contains(string(text), `"rows":[],`+"\n"+`"totals":{"rows":0,"postings":0,"charged_tiyn":0,`) {
		t.Errorf("%s", text)
	}
}

// An IIN is in no report, and no cell of CSV is a formula.
func testSafe(t *testing.T, pool *pgxpool.Pool) {
	for _, r := range report.All() {
		text, _ := write(t, pool, request(t, r.Name, report.CSV))
		if strings.Contains(string(text), "900101300123") {
			t.Errorf("%s has an IIN", r.Name)
		}
		records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, cell := range slices.Concat(records...) {
			if _, err := money.Parse(cell); err != nil && cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("%s has the cell %q", r.Name, cell)
			}
		}
	}
	text, _ := write(t, pool, request(t, "exceptions", report.CSV))
	if !strings.Contains(string(text), ",'=1+1,") {
		t.Errorf("the place is not neutralised: %s", text)
	}
}

func TestPeriods(t *testing.T) {
	find := func(name string) *report.Report {
		r, err := report.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	none := kz.Day{}
	parse := func(s string) kz.Day {
		if s == "" {
			return none
		}
		return day(t, s)
	}
	for _, row := range []struct{ name, from, to, now, want string }{
		{"reconciliation", "", "", "2026-11-21T18:59:59Z", "2026-11-20 2026-11-20"},
		{"reconciliation", "", "", "2026-11-21T19:00:00Z", "2026-11-21 2026-11-21"},
		{"received", "2026-11-01", "", "2026-11-21T09:00:00Z", "2026-11-01 2026-11-20"},
		{"received", "", "2026-11-01", "2026-11-21T09:00:00Z", "2026-11-01 2026-11-01"},
		{"received", "2026-11-25", "", "2026-11-21T09:00:00Z", "2026-11-25 2026-11-25"},
		{"outstanding", "", "", "2026-11-21T09:00:00Z", "2025-11-21 2026-11-21"},
		{"half-year", "", "", "2026-11-21T09:00:00Z", "2026-07-01 2026-11-21"},
		{"half-year", "", "", "2026-06-30T18:59:59Z", "2026-01-01 2026-06-30"},
		{"half-year", "", "", "2026-06-30T19:00:00Z", "2026-07-01 2026-07-01"},
		{"half-year", "2024-01-01", "2024-12-31", "2026-11-21T09:00:00Z", "2024-01-01 2024-12-31"},
		{"half-year", "2026-11-02", "2026-11-01", "2026-11-21T09:00:00Z", ""},
		{"half-year", "2025-01-01", "2026-01-02", "2026-11-21T09:00:00Z", ""},
	} {
		at, err := time.Parse(time.RFC3339, row.now)
		if err != nil {
			t.Fatal(err)
		}
		p, err := find(row.name).Period(parse(row.from), parse(row.to), at)
		if row.want == "" {
			if !fault.Is(err, fault.ReportPeriodInvalid) {
				t.Errorf("%+v: %v", row, err)
			}
			continue
		}
		if got := p.From.String() + " " + p.To.String(); err != nil || got != row.want {
			t.Errorf("%+v: %s, %v", row, got, err)
		}
	}
}

// full takes nothing.
type full struct{ why error }

func (f full) Write([]byte) (int, error) { return 0, f.why }

func TestWriteRefuses(t *testing.T) {
	if _, err := report.Find("balance"); !fault.Is(err, fault.ReportUnknown) {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := report.ParseFormat("html"); !fault.Is(err, fault.ReportFormatUnknown) {
		t.Errorf("an unknown format: %v", err)
	}
	pool := opened(t)
	for name, row := range map[string]struct {
		spoil func(*report.Request)
		want  fault.Code
	}{
		"no period":         {func(r *report.Request) { r.Period = report.Period{} }, fault.ReportPeriodInvalid},
		"an unknown format": {func(r *report.Request) { r.Format = "html" }, fault.ReportFormatUnknown},
	} {
		r := request(t, "received", report.JSON)
		row.spoil(&r)
		if _, err := report.Write(t.Context(), pool, &bytes.Buffer{}, r); !fault.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, format := range report.Formats() {
		if _, err := report.Write(t.Context(), pool, full{errors.New("the disk is full")}, request(t, "received", format)); !fault.Is(err, fault.OutputFailed) {
			t.Errorf("%s on a full disk: %v", format, err)
		}
		why := fault.New(fault.ReportTooLarge, "", "no more")
		if _, err := report.Write(t.Context(), pool, full{why}, request(t, "received", format)); !fault.Is(err, fault.ReportTooLarge) {
			t.Errorf("%s where its reader takes no more: %v", format, err)
		}
	}
	// A sum that does not fit in 64 bits is refused, not wrapped.
	for i, key := range []string{"fee:pshep:1", "fee:pshep:2"} {
		amount := money.Tiyn(1<<63 - 1)
		post(t, pool, key, ledger.Fee, []string{"2026-11-17", "2026-11-18"}[i], pair{ledger.Fees("pshep"), amount}, pair{ledger.Clearing("pshep"), -amount})
	}
	if _, err := report.Write(t.Context(), pool, &bytes.Buffer{}, request(t, "fees", report.JSON)); !fault.Is(err, fault.AmountOverflow) {
		t.Errorf("a sum beyond 64 bits: %v", err)
	}
}

// Every title and word is there in every language.
func TestEveryTitleInEveryLanguage(t *testing.T) {
	for _, r := range report.All() {
		titles := []report.Title{r.Title}
		for _, c := range r.Columns {
			titles = append(titles, c.Title)
		}
		for _, title := range titles {
			for _, l := range fault.Languages() {
				if title.In(l) == "" {
					t.Errorf("%s: %+v lacks %s", r.Name, title, l)
				}
			}
		}
	}
}

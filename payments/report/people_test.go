package report_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/xuri/excelize/v2"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/report"
)

// A workbook has the rows of the report as numbers, dates and texts, and its
// column adds up to its total.
func testXLSX(t *testing.T, pool *pgxpool.Pool) {
	for _, r := range report.All() {
		t.Run(r.Name, func(t *testing.T) {
			q := request(t, r.Name, report.XLSX)
			q.Language = fault.Kazakh
			raw, totals := write(t, pool, q)
			file, err := excelize.OpenReader(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			name := file.GetSheetName(0)
			rows, err := file.GetRows(name, excelize.Options{RawCellValue: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 4+totals.Rows+1 || rows[0][0] != r.Title.KK || !strings.Contains(rows[1][0], "2026-09-01 – 2026-11-21") {
				t.Fatalf("%d rows: %q", len(rows), rows)
			}
			if panes, err := file.GetPanes(name); err != nil || !panes.Freeze || panes.YSplit != 4 {
				t.Errorf("the head is not frozen: %+v, %v", panes, err)
			}
			for i, c := range r.Columns {
				if rows[3][i] != c.Title.KK {
					t.Errorf("column %d is %q", i, rows[3][i])
				}
				if !c.Summed {
					continue
				}
				var sum int64
				for n := 4; n < len(rows)-1; n++ {
					sum += spreadsheet(t, file, name, c, i+1, n+1, rows[n][i])
				}
				if last := spreadsheet(t, file, name, c, i+1, len(rows), rows[len(rows)-1][i]); sum != last || last != totals.Cells[i].Number {
					t.Errorf("%s: the rows have %d, the total %d, the report %d", c.Name, sum, last, totals.Cells[i].Number)
				}
			}
		})
	}
}

// spreadsheet is the number of a cell, which must be one.
func spreadsheet(t *testing.T, file *excelize.File, sheet string, c report.Column, column, row int, raw string) int64 {
	t.Helper()
	name, err := excelize.CoordinatesToCellName(column, row)
	if err != nil {
		t.Fatal(err)
	}
	if kind, err := file.GetCellType(sheet, name); err != nil || kind != excelize.CellTypeNumber && kind != excelize.CellTypeUnset {
		t.Errorf("%s is no number but %v, %v", name, kind, err)
	}
	if c.Kind == report.Count {
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	amount, err := money.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return int64(amount)
}

// What a bank wrote is a text in a workbook, and an amount with more digits than
// a spreadsheet keeps is written to the tiyn.
func TestXLSXKeepsWhatItIsGiven(t *testing.T) {
	pool := opened(t)
	const huge = money.Tiyn(123_456_789_012_345_678)
	post(t, pool, "fee:pshep:1", ledger.Fee, "2026-11-18", pair{ledger.Fees("pshep"), huge}, pair{ledger.Clearing("pshep"), -huge})
	read := func(name string) [][]string {
		raw, _ := write(t, pool, request(t, name, report.XLSX))
		file, err := excelize.OpenReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if formula, err := file.GetCellFormula(file.GetSheetName(0), "K6"); err != nil || formula != "" {
			t.Errorf("the formula %q, %v", formula, err)
		}
		rows, err := file.GetRows(file.GetSheetName(0), excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if rows := read("fees"); rows[4][5] != huge.String() {
		t.Errorf("the fee is %q", rows[4][5])
	}
	if rows := read("exceptions"); rows[5][10] != "=1+1" {
		t.Errorf("the place is %q", rows[5][10])
	}
}

// The same report is the same file, another one is not.
func testSamePDF(t *testing.T, pool *pgxpool.Pool) {
	first, _ := write(t, pool, request(t, "received", report.PDF))
	again, _ := write(t, pool, request(t, "received", report.PDF))
	if !bytes.HasPrefix(first, []byte("%PDF-")) || !bytes.Equal(first, again) {
		t.Errorf("%d and %d bytes", len(first), len(again))
	}
	later := request(t, "received", report.PDF)
	later.At = later.At.AddDate(0, 0, 1)
	if other, _ := write(t, pool, later); bytes.Equal(first, other) {
		t.Error("a report of another day is the same")
	}
}

// pdfText is the text of a PDF, in its layout.
func pdfText(t *testing.T, raw []byte) string {
	t.Helper()
	program, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Skip("needs pdftotext (poppler-utils): ", err)
	}
	path := filepath.Join(t.TempDir(), "report.pdf")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.CommandContext(t.Context(), program, "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A reader of PDF finds the titles, with Kazakh's own letters, the amounts and
// the totals.
func testPDFText(t *testing.T, pool *pgxpool.Pool) {
	for _, row := range []struct {
		name     string
		language fault.Language
		want     []string
	}{
		{"received", fault.Kazakh, []string{"БСК және МКБ бойынша түсімдер", "Қайтарымдар", "1-бет, барлығы 1", "Барлығы", "3 409,90", "-400,00"}},
		{"outstanding", fault.Russian, []string{"Неоплаченные обязательства", "Страница 1 из 1", "Итого", "1 234 967,94", "2026-11-21 14:00"}},
		{"exceptions", fault.English, []string{"Exceptions", "Page 1 of 1", "Total", "504,77", "=1+1"}},
	} {
		q := request(t, row.name, report.PDF)
		q.Language = row.language
		raw, _ := write(t, pool, q)
		text := strings.ReplaceAll(pdfText(t, raw), "\u00a0", " ")
		for _, want := range row.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", row.name, want, text)
			}
		}
	}
}

// A long table goes on on the next page, under its titles again.
func TestPDFPages(t *testing.T) {
	pool := opened(t)
	if _, err := pool.Exec(t.Context(), `
		INSERT INTO payment_refund (id, recorded_at, order_id, transaction_id, payer_bin, gateway, payment, amount, lines, credit, reason, due, state, asked_by)
		SELECT ('00000000-0000-7000-a000-' || lpad(n::text, 12, '0'))::uuid, '2026-11-10 06:00Z', '00000000-0000-7000-8000-000000000001',
		       '00000000-0000-7000-9000-000000000001', '040240001234', 'pshep', 'P1', 1, '{1}', 0, 'x', '2026-11-20', 'asked', 'one'
		  FROM generate_series(100, 199) n`); err != nil {
		t.Fatal(err)
	}
	raw, totals := write(t, pool, request(t, "refunds", report.PDF))
	text := pdfText(t, raw)
	pages := strings.Count(text, "Page ")
	if totals.Rows != 102 || pages < 3 || strings.Count(text, "Payer's BIN") != pages || !strings.Contains(text, "Page "+strconv.Itoa(pages)+" of "+strconv.Itoa(pages)) {
		t.Errorf("%d rows on %d pages:\n%s", totals.Rows, pages, text)
	}
}

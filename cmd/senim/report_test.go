package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/report"
)

func TestReport(t *testing.T) {
	dsn := postgrestest.DSN(t)
	data, pool, o := running(t, dsn), openPool(t, dsn), newOperator()
	check(t, o.run(t, o.statementCommand(), "import", "--data", data, statementFile(t, "20.xml", order.TreasuryIIK, "2026-11-20", "1.00", "unknown", "other")))
	check(t, o.run(t, o.reconcileCommand(), "--data", data))

	// At noon of the 21st, the day that is reported is the 20th.
	check(t, o.run(t, o.reportCommand(), "reconciliation", "--data", data))
	var got struct {
		Name   string
		Period report.Period
		Rows   []map[string]any
		Totals map[string]int64
	}
	check(t, json.Unmarshal(o.out.Bytes(), &got))
	if got.Name != "reconciliation" || got.Period.From.String() != "2026-11-20" || got.Period.To != got.Period.From || len(got.Rows) != 1 ||
		got.Totals["shown_tiyn"] != 200 || got.Totals["unmatched_lines"] != 2 || got.Totals["open_exceptions"] != 2 {
		t.Errorf("%s", o.out.String())
	}
	if !strings.Contains(o.errs.String(), "reconciliation_2026-11-20_2026-11-20.json: 1 rows") {
		t.Errorf("said is %q", o.errs.String())
	}

	// To a file, whole or not at all.
	path := filepath.Join(t.TempDir(), "exceptions.xlsx")
	check(t, o.run(t, o.reportCommand(), "exceptions", "--data", data, "--format", "xlsx", "--lang", "ru", "--out", path))
	if o.out.Len() != 0 {
		t.Errorf("printed is %q", o.out.String())
	}
	file, err := excelize.OpenFile(path)
	check(t, err)
	defer file.Close()
	if name := file.GetSheetName(0); name != "Исключения" {
		t.Errorf("the sheet is %q", name)
	}
	if err := o.run(t, o.reportCommand(), "exceptions", "--data", data, "--out", path); !fault.Is(err, fault.OutputExists) {
		t.Errorf("over a file: %v", err)
	}
	check(t, o.run(t, o.reportCommand(), "exceptions", "--data", data, "--out", path, "--force", "--format", "pdf"))
	if raw, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(raw, []byte("%PDF-")) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}

	// Every report and format, for a time in which nothing was.
	for _, r := range report.All() {
		for _, format := range report.Formats() {
			check(t, o.run(t, o.reportCommand(), r.Name, "--data", data, "--format", string(format), "--from", "2026-01-01", "--to", "2026-01-31"))
			if o.out.Len() == 0 {
				t.Errorf("%s as %s is empty", r.Name, format)
			}
		}
	}
	check(t, o.run(t, o.reportCommand(), "ageing", "--data", data, "--as-of", "2026-01-31"))
	if !strings.Contains(o.out.String(), `"at":"2026-01-31T18:59:59Z"`) {
		t.Errorf("as of a day: %s", o.out.String())
	}
	if all := audited(t, pool); all[2] != "report reconciliation_2026-11-20_2026-11-20.json done" {
		t.Errorf("%q", all)
	}
}

func TestReportRefuses(t *testing.T) {
	data, o := running(t, postgrestest.DSN(t)), newOperator()
	for name, row := range map[string]struct {
		args []string
		want fault.Code
	}{
		"an unknown name":     {[]string{"profit"}, fault.ReportUnknown},
		"an unknown format":   {[]string{"fees", "--format", "html"}, fault.ReportFormatUnknown},
		"an unknown language": {[]string{"fees", "--lang", "de"}, fault.BadArgument},
		"no date":             {[]string{"fees", "--from", "2026-02-30"}, fault.BadArgument},
		"an end too early":    {[]string{"fees", "--from", "2026-02-02", "--to", "2026-02-01"}, fault.ReportPeriodInvalid},
		"more than a year":    {[]string{"fees", "--from", "2024-01-01", "--to", "2026-01-01"}, fault.ReportPeriodInvalid},
		"a day to come":       {[]string{"outstanding", "--as-of", "2100-01-01"}, fault.ReportPeriodInvalid},
		"another moment":      {[]string{"fees", "--as-of", "2026-01-01"}, fault.ReportPeriodInvalid},
		"a folder":            {[]string{"fees", "--out", t.TempDir()}, fault.BadArgument},
		"no file":             {[]string{"fees", "--out", ""}, fault.BadArgument},
	} {
		err := o.run(t, o.reportCommand(), append(row.args, "--data", data)...)
		if !fault.Is(err, row.want) || exitOf(err) != exitUsage || o.out.Len() != 0 {
			t.Errorf("%s: %v, exit %d", name, err, exitOf(err))
		}
	}
	if err := o.run(t, o.reportCommand(), "profit", "--data", data); !strings.Contains(err.Error(), "half-year") {
		t.Errorf("an unknown name does not list the names: %v", err)
	}
	if err := o.run(t, o.reportCommand(), "fees", "--data", t.TempDir()); !fault.Is(err, fault.NotRunning) || exitOf(err) != exitFailed {
		t.Errorf("where nothing runs: %v", err)
	}
}

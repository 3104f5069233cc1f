package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/hsm"
)

// benchRow is one comparison of `senim bench`.
type benchRow struct {
	name string
	what string  // ours against what
	must float64 // the least ratio that is good enough
	run  func(context.Context, *bench, benchRow) (benchResult, error)
}

// benchRows lists every row, in the order in which they run.
var benchRows = []benchRow{
	{
		"submit", "a signed document over HTTP to its receipt, 8 callers, against its bare signatures and one commit",
		0.35, submitWith(8),
	},
	{
		"submit-alone", "the same by 1 caller, who waits for each receipt",
		0.35, submitWith(1),
	},
	{
		"hsm-p256", "hsm.Key.Sign, P-256 in SoftHSM, 8 callers, against a bare loop of C_SignInit and C_Sign, 8 sessions",
		0.95, signWith(hsm.P256, 16),
	},
	{
		"hsm-rsa2048", "as hsm-p256 with RSA-2048",
		0.95, signWith(hsm.RSA2048, 2),
	},
	{
		"tsa", "time-stamps over HTTP, P-256 in memory, 16 connections, against sigstore's timestamp-server",
		1.5, stampAgainstPeer,
	},
	{
		"tsa-hsm", "the same with the key in SoftHSM, against a bare C_Sign loop with 8 sessions",
		0.25, stampAgainstToken,
	},
	{
		"post", "payments told over HTTP, authenticated and durable, 64 callers, against multi-row inserts of the same rows, 200 at once, 2 connections",
		0.30, payAgainstRaw(64),
	},
	{
		"post-256", "the same by 256 callers; the aim is 0.45",
		0.30, payAgainstRaw(256),
	},
	{
		"post-single", "payments told by 64 callers, against a transaction for each by the same statements: pgbench, 64 clients",
		1.5, paySingle,
	},
	{
		"post-alone", "the same by 1 caller, against a bare statement that writes the same rows: at most 2 times its time",
		0.50, payAlone,
	},
	{
		"charges", "charges told over HTTP, a thousand a request, 4 callers, durable, against bare statements of UNNEST that write the same rows",
		0.6, tellAgainstUnnest(chargesMax),
	},
	{
		"charges-100", "the same, a hundred a request",
		0.6, tellAgainstUnnest(100),
	},
	{
		"camt-parse", "entries of a camt.053 read by payments/statement, against encoding/xml into a structure of the same fields",
		9, parseAgainstStandard,
	},
	{
		"statement-import", "lines of a camt.053 imported, known again and durable, against a bare COPY of them into a table without an index",
		0.1, importAgainstCopy,
	},
	{
		"reconcile", "a day of 1,000,000 statement lines with as many orders, against the bare SQL that makes the same rows: at most 1.3 times its time",
		0.77, reconcileAgainstBare,
	},
	{
		"statement-to-reconciled", "a camt.053 of 100,000 entries from the file to reconciled, against a bare COPY of its lines and the bare SQL",
		0.3, wholeAgainstBare,
	},
}

// benchResult is a measured row. Ours and Reference are rates per second, the
// medians of the rounds; Ratio is the median of the rounds' ratios.
type benchResult struct {
	Row       string  `json:"row"`
	Ours      float64 `json:"ours"`
	Reference float64 `json:"reference"`
	Ratio     float64 `json:"ratio"`
	Must      float64 `json:"must"`
	P50       float64 `json:"p50_ms,omitempty"`
	P99       float64 `json:"p99_ms,omitempty"`
	// Skipped says why a row has no figures.
	Skipped string `json:"skipped,omitempty"`
}

// benchConfig says how long to measure.
type benchConfig struct {
	Rounds   int // of each row
	Warmup   int // operations of each side before the first round
	PerRound int // operations of each side in one round, by all callers together

	// Small surroundings (short CA keys, no fsync) measure nothing that is true;
	// they are for tests of the command itself.
	Small bool
}

// fullBench has rounds of about a second, so that both sides of one see the
// same machine, and gives a thousand latencies to take a 99th percentile of.
var fullBench = benchConfig{Rounds: 15, Warmup: 32, PerRound: 64}

func (p *program) benchCommand() *cobra.Command {
	var asJSON bool
	var long strings.Builder
	long.WriteString("Measures rows against the peer or limit of each, in alternating rounds of one run\n" +
		"(docs/performance.md). Starts surroundings of its own, with a durable database,\nin the temporary folder (TMPDIR), and removes them.\n\nRows:\n")
	for _, row := range benchRows {
		fmt.Fprintf(&long, "  %-23s %s\n", row.name, row.what)
	}
	c := &cobra.Command{
		Use:   "bench [ROW…]",
		Short: "Measure the service against the limits of this machine",
		Long:  strings.TrimSuffix(long.String(), "\n"),
		RunE: func(c *cobra.Command, args []string) error {
			rows, err := chooseRows(args)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return p.bench(c.Context(), rows, fullBench, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the rows as one JSON object")
	return c
}

// chooseRows finds the rows by name; no name means all.
func chooseRows(names []string) ([]benchRow, error) {
	var known []string
	for _, row := range benchRows {
		known = append(known, row.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no row %q; the rows are %s", name, strings.Join(known, ", "))
		}
	}
	var rows []benchRow
	for _, row := range benchRows {
		if len(names) == 0 || slices.Contains(names, row.name) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// bench is one run of the command. What rows share is made by the first that
// needs it.
type bench struct {
	config   benchConfig
	now      func() time.Time
	progress io.Writer
	dir      string
	submit   *submitBench
	pay      *payBench
}

func (p *program) bench(ctx context.Context, rows []benchRow, config benchConfig, asJSON bool) (err error) {
	b := &bench{config: config, now: p.now, progress: p.stderr}
	if b.dir, err = os.MkdirTemp("", "senim-bench-"); err != nil {
		return fmt.Errorf("make a folder for the measurements: %w", err)
	}
	defer func() { err = errors.Join(err, b.close()) }()
	// PostgreSQL's unprivileged user must be able to pass.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	results := make([]benchResult, 0, len(rows))
	for _, row := range rows {
		result, err := row.run(ctx, b, row)
		if err != nil {
			return fmt.Errorf("measure %s: %w", row.name, err)
		}
		if result.Skipped != "" {
			b.tell("%s is skipped: %s", row.name, result.Skipped)
		}
		results = append(results, result)
	}
	if asJSON {
		return p.printJSON(struct {
			Rows []benchResult `json:"rows"`
		}{results})
	}
	p.printBench(results)
	return nil
}

func (b *bench) close() error {
	var err error
	if b.submit != nil {
		err = b.submit.close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// tell says on stderr how far the run is.
func (b *bench) tell(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

func (p *program) printBench(results []benchResult) {
	milliseconds := func(v float64) string {
		if v == 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f ms", v)
	}
	rows := [][]string{{"row", "ours/s", "reference/s", "ratio", "must", "p50", "p99"}}
	for _, r := range results {
		if r.Skipped != "" {
			rows = append(rows, []string{r.Row, "–", "–", "–", fmt.Sprintf("≥ %.2f", r.Must), "–", "–"})
			continue
		}
		rows = append(rows, []string{
			r.Row, fmt.Sprintf("%.1f", r.Ours), fmt.Sprintf("%.1f", r.Reference), fmt.Sprintf("%.2f", r.Ratio),
			fmt.Sprintf("≥ %.2f", r.Must), milliseconds(r.P50), milliseconds(r.P99),
		})
	}
	n := &narrator{out: p.stdout, language: p.language, now: p.now}
	n.table(rows)
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// TestBench runs the command's rows as small as they go: that both sides do
// their work, not how fast.
func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database, a token and every stand-in: some ten seconds")
	}
	if _, err := hsm.SoftHSMLibrary(); err != nil {
		t.Skipf("no SoftHSM: %v", err)
	}
	dir := postgrestest.Folder(t)
	t.Setenv("TMPDIR", dir)
	var out bytes.Buffer
	p := &program{stdout: &out, stderr: io.Discard, environ: os.Environ(), language: fault.English, now: time.Now}
	err := p.bench(t.Context(), benchRows, benchConfig{Rounds: 1, Warmup: 1, PerRound: 2, Small: true}, true)
	if fault.Is(err, fault.PostgresMissing) {
		t.Skip(err)
	}
	check(t, err)
	var got struct {
		Rows []map[string]any `json:"rows"`
	}
	check(t, json.Unmarshal(out.Bytes(), &got))
	if len(got.Rows) != len(benchRows) {
		t.Fatalf("%d rows, want %d", len(got.Rows), len(benchRows))
	}
	for i, row := range got.Rows {
		if row["row"] != benchRows[i].name {
			t.Errorf("row %d is %v, want %s", i, row["row"], benchRows[i].name)
		}
		if (row["row"] == "tsa" || row["row"] == "post-single") && row["skipped"] != nil {
			continue // the peer is not built for a test, or not there
		}
		for _, field := range []string{"ours", "reference", "ratio", "must", "p50_ms", "p99_ms"} {
			if value, _ := row[field].(float64); value <= 0 {
				t.Errorf("%v: %s is %v", row["row"], field, row[field])
			}
		}
		if len(row) != 7 {
			t.Errorf("%v has %d fields, want 7", row["row"], len(row))
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBenchRefusesUnknownRows(t *testing.T) {
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, language: fault.English, now: time.Now}
	if code := p.run(context.Background(), []string{"bench", "submit", "sumbit"}); code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
	for _, row := range benchRows {
		if !strings.Contains(errs.String(), row.name) {
			t.Errorf("the message lists no %s: %s", row.name, errs.String())
		}
	}
}

func TestQuantile(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		sorted []time.Duration
		q      float64
		want   float64
	}{
		{[]time.Duration{7 * ms}, 0.50, 7},
		{[]time.Duration{7 * ms}, 0.99, 7},
		{[]time.Duration{1 * ms, 2 * ms, 3 * ms, 4 * ms}, 0.50, 2},
		{[]time.Duration{1 * ms, 2 * ms, 3 * ms, 4 * ms}, 0.75, 3},
		{[]time.Duration{1 * ms, 2 * ms, 3 * ms, 4 * ms}, 0.76, 4},
	} {
		if got := quantile(tt.sorted, tt.q); got != tt.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.sorted, tt.q, got, tt.want)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// pgbenchFolder is where Debian puts pgbench, besides the PATH.
const pgbenchFolder = "/usr/lib/postgresql/15/bin"

// paySingle measures payments told by 64 callers against one transaction for
// each payment, by the same statements, through PostgreSQL's own pgbench with 64
// clients.
func paySingle(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
	program, err := exec.LookPath("pgbench")
	if err != nil {
		program = filepath.Join(pgbenchFolder, "pgbench")
	}
	if _, err := os.Stat(program); err != nil {
		return benchResult{Row: row.name, Must: row.must, Skipped: "no pgbench"}, nil
	}
	return payAgainst(ctx, b, row, 64, payPerOperation, func(p *payBench, ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
		return p.pgbench(ctx, program, n)
	})
}

const pgbenchClients = 64

// pgbenchColumns hold one payment's arguments of payWrites, each as PostgreSQL
// writes it, so that pgbench has them at hand.
const pgbenchColumns = 15

var tpsForm = regexp.MustCompile(`tps = ([0-9.]+)`)

// pgbench posts n payments, and somewhat more so that every client has as many.
func (p *payBench) pgbench(ctx context.Context, program string, n int) ([]time.Duration, time.Duration, error) {
	each := (n + pgbenchClients - 1) / pgbenchClients
	n = each * pgbenchClients
	if err := p.layOut(ctx, n); err != nil {
		return nil, 0, err
	}
	script := filepath.Join(p.bench.dir, "payment.pgbench")
	if err := os.WriteFile(script, []byte(pgbenchScript()), 0o600); err != nil {
		return nil, 0, fault.Wrap(err, fault.Internal, script, "write the script")
	}
	var out bytes.Buffer
	c := exec.CommandContext(ctx, program, "-n", "-M", "prepared", "-c", strconv.Itoa(pgbenchClients), "-j", "2", "-t", strconv.Itoa(each),
		"-f", script, p.service.around.cluster.DSN())
	c.Stdout, c.Stderr = &out, &out
	c.Env = append(os.Environ(), "PGOPTIONS=-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan")
	if err := c.Run(); err != nil {
		return nil, 0, fault.Wrap(err, fault.Internal, "", "pgbench: %.400s", out.String())
	}
	found := tpsForm.FindSubmatch(out.Bytes())
	if found == nil {
		return nil, 0, fault.New(fault.Internal, "", "pgbench says no rate: %.400s", out.String())
	}
	rate, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil || rate <= 0 {
		return nil, 0, fault.Wrap(err, fault.Internal, "", "pgbench says the rate %s", found[1])
	}
	return make([]time.Duration, n), time.Duration(float64(n) / rate * float64(time.Second)), nil
}

// layOut puts the arguments of n payments where pgbench finds them by number.
func (p *payBench) layOut(ctx context.Context, n int) error {
	all, err := p.draw(ctx, n)
	if err != nil {
		return err
	}
	var columns []string
	for i := range pgbenchColumns {
		columns = append(columns, fmt.Sprintf("a%d text", i+1))
	}
	pool := p.service.service.pool
	if _, err := pool.Exec(ctx, `DROP TABLE IF EXISTS bench_payment; DROP SEQUENCE IF EXISTS bench_payment_number;
		CREATE SEQUENCE bench_payment_number; CREATE UNLOGGED TABLE bench_payment (n bigint PRIMARY KEY, `+strings.Join(columns, ", ")+`)`); err != nil {
		return fmt.Errorf("make room for pgbench: %w", postgres.Classify(err))
	}
	names := []string{"n"}
	for i := range pgbenchColumns {
		names = append(names, fmt.Sprintf("a%d", i+1))
	}
	_, err = pool.CopyFrom(ctx, pgx.Identifier{"bench_payment"}, names, pgx.CopyFromSlice(n, func(i int) ([]any, error) {
		arguments, err := rawColumns(all[i : i+1])
		row := []any{int64(i + 1)}
		for _, a := range arguments {
			row = append(row, literal(a))
		}
		return row, err
	}))
	if err != nil {
		return fmt.Errorf("lay out payments for pgbench: %w", postgres.Classify(err))
	}
	return nil
}

// literal is an argument as PostgreSQL writes its type.
func literal(argument any) string {
	quoted := func(s string) string {
		return `{"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"}`
	}
	switch a := argument.(type) {
	case []time.Time:
		return quoted(a[0].Format(time.RFC3339Nano))
	case [][]byte:
		return quoted(`\x` + hex.EncodeToString(a[0]))
	case []string:
		if len(a) == 1 {
			return quoted(a[0])
		}
		return `{"` + strings.Join(a, `","`) + `"}`
	case []int64:
		return "{" + strings.ReplaceAll(strings.Trim(fmt.Sprint(a), "[]"), " ", ",") + "}"
	}
	return strings.NewReplacer("[", "{", "]", "}").Replace(fmt.Sprint(argument))
}

// argumentTypes are those of rawColumns.
var argumentTypes = [pgbenchColumns]string{
	"text[]", "timestamptz[]", "uuid[]", "uuid[]", "uuid[]", "bytea[]", "bigint", "bigint[]", "text[]", "bigint[]", "bytea[]", "text[]", "text", "bytea[]", "text[]",
}

// pgbenchScript is one payment: its order is locked, what is known is looked up,
// and its rows are written, in one transaction.
func pgbenchScript() string {
	var s strings.Builder
	var columns []string
	for i := range pgbenchColumns {
		columns = append(columns, fmt.Sprintf("a%d AS p%d", i+1, i+1))
	}
	fmt.Fprintf(&s, "SELECT %s FROM bench_payment WHERE n = (SELECT nextval('bench_payment_number')) \\gset\nBEGIN;\n", strings.Join(columns, ", "))
	statements := []string{
		`SELECT p.id FROM payment_order p WHERE p.id = ANY ($3) AND p.recorded_at = ANY ($2) FOR UPDATE`,
		`SELECT 1 FROM gateway_reference WHERE gateway = '` + payClient + `' AND reference = ANY ($1)`,
		`SELECT 1 FROM idempotency WHERE caller = '` + payClient + `' AND key = ANY ($1)`,
	}
	for i, sql := range payWrites {
		if strings.Contains(sql, "INTO ledger_entry") {
			sql = "WITH entry AS (" + sql + ") " + payWrites[i+1]
		} else if strings.Contains(sql, "INTO ledger_posting") {
			continue
		}
		statements = append(statements, sql)
	}
	typed := regexp.MustCompile(`\$(\d+)(::[a-z]+(\[\])?)?`)
	for _, sql := range statements {
		sql = typed.ReplaceAllStringFunc(sql, func(parameter string) string {
			n, _ := strconv.Atoi(typed.FindStringSubmatch(parameter)[1]) // the form is digits
			return fmt.Sprintf("(:p%d)::%s", n, argumentTypes[n-1])
		})
		// pgbench takes a colon before a letter for a variable, in a text too.
		sql = strings.ReplaceAll(sql, "'payment:", "'payment' || chr(58) || '")
		s.WriteString(strings.Join(strings.Fields(sql), " ") + ";\n")
	}
	s.WriteString("COMMIT;\n")
	return s.String()
}

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/postgres"
)

// payWrites are the statements that write the rows of some payments, as many at
// once as there are: what a payment that is told over HTTP leaves in every
// table, and nothing else. The arguments are those of rawColumns.
var payWrites = []string{
	`INSERT INTO gateway_reference (gateway, reference, recorded_at) SELECT '` + payClient + `', * FROM unnest($1::text[], $2::timestamptz[])`,
	`INSERT INTO gateway_fact (gateway, reference, recorded_at, kind, order_id, payer_bin, bank_bic, amount, paid_at, message, state, applied)
		SELECT '` + payClient + `', reference, at, 'captured', id, '` + benchPayer + `', '` + benchBIC + `', $7, at, message, 'posted', $8::bigint[]
		  FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $6::bytea[]) AS g (reference, at, id, message)`,
	`UPDATE payment_order p SET state = 'paid', received = $7, paid = $8::bigint[]
		  FROM unnest($2::timestamptz[], $3::uuid[]) AS g (at, id) WHERE p.id = g.id AND p.recorded_at = g.at`,
	`INSERT INTO ledger_key (natural_key, entry_id, recorded_at, content, debits)
		SELECT 'payment:` + payClient + `:' || reference, entry, at, message, 2 * $7 FROM unnest($1::text[], $5::uuid[], $2::timestamptz[], $6::bytea[]) AS g (reference, entry, at, message)`,
	`INSERT INTO ledger_entry (id, recorded_at, natural_key, kind, day, transaction_id, postings)
		SELECT entry, at, 'payment:` + payClient + `:' || reference, 'payment', at::date, transaction, 6
		  FROM unnest($5::uuid[], $2::timestamptz[], $1::text[], $4::uuid[]) AS g (entry, at, reference, transaction)`,
	`INSERT INTO ledger_posting (entry_id, recorded_at, position, account, amount)
		SELECT entry, at, position - 1, account, amount
		  FROM unnest($5::uuid[], $2::timestamptz[]) AS g (entry, at), unnest($9::text[], $10::bigint[]) WITH ORDINALITY AS p (account, amount, position)`,
	`INSERT INTO evidence_digests (digest, recorded_at) SELECT digest, now() FROM unnest($6::bytea[]) AS g (digest)`,
	`INSERT INTO evidence_objects (recorded_at, digest, kind, raw) SELECT now(), digest, 'payment.fact', raw FROM unnest($6::bytea[], $11::bytea[]) AS g (digest, raw)`,
	`INSERT INTO evidence_entries (id, transaction_id, kind, at, objects)
		SELECT entry, transaction, 'payment.received', at, ARRAY[digest] FROM unnest($5::uuid[], $4::uuid[], $2::timestamptz[], $6::bytea[]) AS g (entry, transaction, at, digest)`,
	`UPDATE event_heads h SET last = last + 1, last_at = greatest(last_at, now()) FROM unnest($4::uuid[]) AS g (transaction) WHERE h.transaction_id = g.transaction`,
	`INSERT INTO events (recorded_at, transaction_id, sequence, type, at, data)
		SELECT now(), transaction, 3, 'payment.posted', at, data::json FROM unnest($4::uuid[], $2::timestamptz[], $12::text[]) AS g (transaction, at, data)`,
	`INSERT INTO river_job (kind, queue, args, max_attempts) SELECT 'events_published', 'events', '{}', 25
		 WHERE NOT EXISTS (SELECT FROM river_job WHERE state = 'available' AND queue = 'events')`,
	`INSERT INTO audit_records (id, at, actor, action, object, purpose, outcome)
		SELECT entry, at, '` + payClient + `', 'payment.captured', '` + payClient + `:' || reference, $13 || reference, 'posted'
		  FROM unnest($5::uuid[], $2::timestamptz[], $1::text[]) AS g (entry, at, reference)`,
	`INSERT INTO idempotency (caller, key, operation, body_sha256, lease, lease_until, answer, recorded_at)
		SELECT '` + payClient + `', reference, 'post payment', request, entry, at, answer::jsonb, at
		  FROM unnest($1::text[], $14::bytea[], $5::uuid[], $2::timestamptz[], $15::text[]) AS g (reference, request, entry, at, answer)`,
}

// rawColumns are the arguments of payWrites.
func rawColumns(all []benchPayment) ([]any, error) {
	var references, events, answers []string
	var ats []time.Time
	var orders, transactions, entries []uuid.UUID
	var digests, bodies, requests [][]byte
	for i := range all {
		p := &all[i]
		event, err := json.Marshal(map[string]any{
			"order_id": p.order, "gateway": payClient, "reference": p.reference, "amount_tiyn": benchTotal, "bank_bic": benchBIC, "paid_at": p.at, "order_state": "paid",
		})
		if err != nil {
			return nil, fmt.Errorf("write an event: %w", err)
		}
		references, events, answers, ats = append(references, p.reference), append(events, string(event)), append(answers, p.answer), append(ats, p.at)
		orders, transactions, entries = append(orders, p.order), append(transactions, p.transaction), append(entries, p.entry)
		digests, bodies, requests = append(digests, p.digest), append(bodies, p.body), append(requests, p.request)
	}
	accounts := []string{"clearing:" + payClient, "payer:" + benchPayer, "payer:" + benchPayer}
	amounts := []int64{benchTotal, -benchTotal, benchTotal}
	lines := make([]int64, len(benchLines))
	for i, amount := range benchLines {
		lines[i] = int64(amount)
		accounts, amounts = append(accounts, "budget:"+benchOffice+":"+benchBudget[i]), append(amounts, -int64(amount))
	}
	purpose := "sha256:" + hex.EncodeToString(make([]byte, 16)) // with the reference as long as a digest
	return []any{references, ats, orders, transactions, entries, digests, int64(benchTotal), lines, accounts, amounts, bodies, events, purpose, requests, answers}, nil
}

// rawStatement is a statement with those of the arguments that it names.
type rawStatement struct {
	sql  string
	used []int // argument of each parameter, from 0
}

var parameterForm = regexp.MustCompile(`\$\d+`)

// renumber makes the parameters of a statement 1, 2, 3 … PostgreSQL wants no
// gaps, and no argument that nothing names.
func renumber(sql string) rawStatement {
	var s rawStatement
	number := make(map[string]string)
	s.sql = parameterForm.ReplaceAllStringFunc(sql, func(old string) string {
		if number[old] == "" {
			n, _ := strconv.Atoi(old[1:]) // the form is digits
			s.used = append(s.used, n-1)
			number[old] = "$" + strconv.Itoa(len(s.used))
		}
		return number[old]
	})
	return s
}

func (s rawStatement) queue(batch *pgx.Batch, arguments []any) {
	chosen := make([]any, len(s.used))
	for i, n := range s.used {
		chosen[i] = arguments[n]
	}
	batch.Queue(s.sql, chosen...)
}

// batchWrites are payWrites for many payments. An entry and its postings are one
// statement, as the ledger demands.
func batchWrites() []rawStatement {
	var all []rawStatement
	for i, sql := range payWrites {
		if strings.Contains(sql, "INTO ledger_entry") {
			all = append(all, renumber("WITH entry AS ("+sql+") "+payWrites[i+1]))
		} else if !strings.Contains(sql, "INTO ledger_posting") {
			all = append(all, renumber(sql))
		}
	}
	return all
}

// oneStatement is all of payWrites in one.
func oneStatement() rawStatement {
	parts := make([]string, len(payWrites))
	for i, sql := range payWrites {
		parts[i] = fmt.Sprintf("w%d AS (%s)", i, sql)
	}
	return renumber("WITH " + strings.Join(parts, ", ") + " SELECT 1")
}

// raw writes the rows of n payments, 200 at once from each of two connections;
// what is written is at hand before the clock runs.
func (p *payBench) raw(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
	all, err := p.draw(ctx, n)
	if err != nil {
		return nil, 0, err
	}
	statements := batchWrites()
	var batches []*pgx.Batch
	for begin := 0; begin < n; begin += rawBatch {
		arguments, err := rawColumns(all[begin:min(begin+rawBatch, n)])
		if err != nil {
			return nil, 0, err
		}
		batch := &pgx.Batch{}
		for _, s := range statements {
			s.queue(batch, arguments)
		}
		batches = append(batches, batch)
	}
	connections, closeAll, err := p.rawConnections(ctx, rawWriters)
	if err != nil {
		return nil, 0, err
	}
	defer closeAll()
	_, total, err := inParallel(ctx, p.bench.now, rawWriters, len(batches), func(ctx context.Context, i int) error {
		// Statements in one batch are one transaction.
		return postgres.Classify(connections[i%rawWriters].SendBatch(ctx, batches[i]).Close())
	})
	return make([]time.Duration, n), total, err
}

// bareStatement writes the rows of n payments one by one, each by one statement.
func (p *payBench) bareStatement(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
	all, err := p.draw(ctx, n)
	if err != nil {
		return nil, 0, err
	}
	statement := oneStatement()
	batches := make([]*pgx.Batch, n)
	for i := range all {
		arguments, err := rawColumns(all[i : i+1])
		if err != nil {
			return nil, 0, err
		}
		batches[i] = &pgx.Batch{}
		statement.queue(batches[i], arguments)
	}
	connections, closeAll, err := p.rawConnections(ctx, 1)
	if err != nil {
		return nil, 0, err
	}
	defer closeAll()
	return inParallel(ctx, p.bench.now, 1, n, func(ctx context.Context, i int) error {
		return postgres.Classify(connections[0].SendBatch(ctx, batches[i]).Close())
	})
}

// rawConnections are some of the service's own, kept for the round, whose plans
// find rows by their keys: or the limit would be lower.
func (p *payBench) rawConnections(ctx context.Context, n int) (all []*pgxpool.Conn, closeAll func(), err error) {
	closeAll = func() {
		for _, c := range all {
			_, _ = c.Exec(ctx, "RESET ALL") // one that is broken is not used again
			c.Release()
		}
	}
	for range n {
		c, err := p.service.service.pool.Acquire(ctx)
		if err == nil {
			all = append(all, c)
			_, err = c.Exec(ctx, "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET plan_cache_mode = force_generic_plan")
		}
		if err != nil {
			closeAll()
			return nil, nil, postgres.Classify(err)
		}
	}
	return all, closeAll, nil
}

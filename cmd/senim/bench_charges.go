package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
)

// chargesPerRequest is the most that a body tells at once.
const chargesPerRequest = 1000

// chargeWarmup and chargeRequests are the requests of one side before the
// first round and in each.
const (
	chargeWarmup   = 2
	chargeRequests = 8

	// chargeCallers tell at once, so that one is read while another is written.
	chargeCallers = 4
)

// chargeBench tells charges of one transaction, as the single window does, and
// writes the same rows bare.
type chargeBench struct {
	service     *submitBench
	window      *apiClient
	transaction uuid.UUID
	told        atomic.Int64 // so far, on either side
}

// tellAgainstUnnest measures charges told a thousand at once over HTTP,
// durable, against a bare transaction of two UNNEST statements that writes as
// many rows into the same tables.
func tellAgainstUnnest(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
	c, err := newChargeBench(ctx, b)
	if err != nil {
		return benchResult{}, err
	}
	config := b.config
	defer func() { b.config = config }()
	if !config.Small {
		b.config.Warmup, b.config.PerRound = chargeWarmup, chargeRequests
	}
	one := func(tell func(context.Context) error) benchSide {
		return func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
			return inParallel(ctx, b.now, chargeCallers, n, func(ctx context.Context, _ int) error { return tell(ctx) })
		}
	}
	result, err := b.alternate(ctx, row, one(c.tell), one(c.unnest))
	result.Ours *= chargesPerRequest
	result.Reference *= chargesPerRequest
	return result, err
}

func newChargeBench(ctx context.Context, b *bench) (*chargeBench, error) {
	s, err := b.startedService(ctx)
	if err != nil {
		return nil, err
	}
	key, err := s.around.clientKey("single-window")
	if err != nil {
		return nil, err
	}
	c := &chargeBench{service: s, window: &apiClient{base: s.service.config.PublicURL, language: fault.English, http: s.callers.trader.http}}
	if err := c.window.signIn(ctx, "single-window", key, b.now()); err != nil {
		return nil, err
	}
	t, err := s.callers.open(ctx, c.window, "charges")
	c.transaction = t.ID
	return c, err
}

// tell tells a thousand charges that nobody told before.
func (c *chargeBench) tell(ctx context.Context) error {
	body := api.TellCharges{Charges: make([]api.ToldCharge, chargesPerRequest)}
	for i := range body.Charges {
		number := c.told.Add(1)
		body.Charges[i] = api.ToldCharge{
			TransactionID: c.transaction, Reference: fmt.Sprintf("FEE-2026-%08d", number), Body: "MA-VET", Kind: string(charge.StateServiceFee),
			BudgetCode: "201105", PurposeCode: "859", AmountTiyn: number, Act: "price list of the veterinary service",
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	var answer api.ToldCharges
	err = c.window.call(ctx, request{
		method: http.MethodPost, path: "/v1/charges", contentType: "application/json", body: raw, idempotencyKey: uuid.NewString(),
	}, &answer)
	if err == nil && answer.Stored != chargesPerRequest {
		return fault.New(fault.Internal, "/stored", "%d of %d charges were stored", answer.Stored, chargesPerRequest)
	}
	return err
}

// unnest writes the rows of a thousand charges by one statement for each table,
// every column an array.
func (c *chargeBench) unnest(ctx context.Context) error {
	at := c.service.bench.now().UTC().Truncate(time.Microsecond)
	ids, transactions, contents := make([]uuid.UUID, chargesPerRequest), make([]uuid.UUID, chargesPerRequest), make([][]byte, chargesPerRequest)
	amounts := make([]int64, chargesPerRequest)
	var texts [7][]string // reference, body, kind, budget code, purpose code, act, note
	for i := range ids {
		number := c.told.Add(1)
		ids[i], transactions[i], amounts[i] = postgres.NewID(at), c.transaction, number
		reference := fmt.Sprintf("FEE-2026-%08d", number)
		content := sha256.Sum256([]byte(reference))
		contents[i] = content[:]
		for column, text := range [...]string{reference, "MA-VET", string(charge.StateServiceFee), "201105", "859", "price list of the veterinary service", ""} {
			texts[column] = append(texts[column], text)
		}
	}
	err := pgx.BeginFunc(ctx, c.service.service.pool, func(tx pgx.Tx) error {
		var batch pgx.Batch
		batch.Queue(`INSERT INTO charge_told_once (teller, reference, id, recorded_at, content)
			SELECT 'bare', reference, id, $4, content FROM unnest($1::text[], $2::uuid[], $3::bytea[]) AS t (reference, id, content)`,
			texts[0], ids, contents, at)
		batch.Queue(`INSERT INTO charge_told (id, recorded_at, teller, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note)
			SELECT id, $1, 'bare', transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note
			  FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[])
			    AS t (id, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note)`,
			at, ids, transactions, texts[0], texts[1], texts[2], texts[3], texts[4], amounts, texts[5], texts[6])
		return tx.SendBatch(ctx, &batch).Close()
	})
	if err != nil {
		return fmt.Errorf("write bare charges: %w", err)
	}
	return nil
}

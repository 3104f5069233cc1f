package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
)

// chargeTeller is the client that tells.
const chargeTeller = "single-window"

// chargesMax is the most that a request tells.
const chargesMax = 1000

// Requests of one side before the first round and in each, and how many tell at
// once, so that one is read while another is written.
const (
	chargeWarmup   = 16
	chargeRequests = 32
	chargeCallers  = 4
)

// chargeBench tells charges of one transaction, as the single window does, and
// writes the same rows bare.
type chargeBench struct {
	service     *submitBench
	window      *apiClient
	transaction uuid.UUID
	perRequest  int
	kind        string // of the references
	told        int    // so far, on either side
}

// tellAgainstUnnest measures charges told so many at once over HTTP, durable,
// against a bare statement of UNNEST that writes as many rows into the same
// tables.
func tellAgainstUnnest(perRequest int) func(context.Context, *bench, benchRow) (benchResult, error) {
	return func(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
		c, err := newChargeBench(ctx, b, perRequest)
		if err != nil {
			return benchResult{}, err
		}
		config := b.config
		defer func() { b.config = config }()
		if !config.Small {
			b.config.Warmup, b.config.PerRound = chargeWarmup, chargeRequests*chargesMax/perRequest
		}
		result, err := b.alternate(ctx, row, c.tell, c.unnest)
		result.Ours *= float64(perRequest)
		result.Reference *= float64(perRequest)
		return result, err
	}
}

func newChargeBench(ctx context.Context, b *bench, perRequest int) (*chargeBench, error) {
	s, err := b.startedService(ctx)
	if err != nil {
		return nil, err
	}
	key, err := s.around.clientKey(chargeTeller)
	if err != nil {
		return nil, err
	}
	c := &chargeBench{
		service: s, perRequest: perRequest, kind: fmt.Sprintf("FEE-%d", perRequest),
		window: &apiClient{base: s.service.config.PublicURL, language: fault.English, http: s.callers.trader.http},
	}
	if err := c.window.signIn(ctx, chargeTeller, key, b.now()); err != nil {
		return nil, err
	}
	t, err := s.callers.open(ctx, c.window, c.kind)
	c.transaction = t.ID
	return c, err
}

// next makes the charges of a request, which nobody told before.
func (c *chargeBench) next() []api.ToldCharge {
	charges := make([]api.ToldCharge, c.perRequest)
	for i := range charges {
		c.told++
		charges[i] = api.ToldCharge{
			TransactionID: c.transaction, Reference: fmt.Sprintf("%s-%09d", c.kind, c.told), Body: "MA-VET", Kind: string(charge.StateServiceFee),
			BudgetCode: "201105", PurposeCode: "859", AmountTiyn: int64(c.told), Act: "price list of the veterinary service",
		}
	}
	return charges
}

// tell tells charges by n requests, which are at hand before the clock runs.
func (c *chargeBench) tell(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
	bodies := make([][]byte, n)
	for i := range bodies {
		var err error
		if bodies[i], err = json.Marshal(api.TellCharges{Charges: c.next()}); err != nil {
			return nil, 0, fmt.Errorf("encode request: %w", err)
		}
	}
	return inParallel(ctx, c.service.bench.now, chargeCallers, n, func(ctx context.Context, i int) error {
		var answer api.ToldCharges
		err := c.window.call(ctx, request{
			method: http.MethodPost, path: "/v1/charges", contentType: "application/json", body: bodies[i], idempotencyKey: uuid.NewString(),
		}, &answer)
		if err == nil && answer.Stored != c.perRequest {
			return fault.New(fault.Internal, "/stored", "%d of %d charges were stored", answer.Stored, c.perRequest)
		}
		return err
	})
}

// unnest writes the rows of as many charges by n statements, every column an
// array, which are at hand before the clock runs. A statement is a transaction.
func (c *chargeBench) unnest(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
	arguments := make([][]any, n)
	for i := range arguments {
		arguments[i] = c.columns()
	}
	return inParallel(ctx, c.service.bench.now, chargeCallers, n, func(ctx context.Context, i int) error {
		_, err := c.service.service.pool.Exec(ctx, `
			WITH told AS (
				INSERT INTO charge_told (id, recorded_at, teller, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note)
				SELECT id, $2, $1, transaction_id, reference, body, kind, budget_code, purpose_code, amount, act, note
				  FROM unnest($3::uuid[], $4::text[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[])
				    AS t (id, reference, transaction_id, body, kind, budget_code, purpose_code, amount, act, note))
			INSERT INTO charge_told_once (teller, reference, id, recorded_at, content)
			SELECT $1, reference, id, $2, content FROM unnest($3::uuid[], $4::text[], $5::bytea[]) AS t (id, reference, content)`, arguments[i]...)
		return postgres.Classify(err)
	})
}

// columns are the arguments of one bare statement.
func (c *chargeBench) columns() []any {
	at := c.service.bench.now().UTC().Truncate(time.Microsecond)
	var ids, transactions []uuid.UUID
	var contents [][]byte
	var amounts []int64
	var references, bodies, kinds, budgets, purposes, acts, notes []string
	for _, t := range c.next() {
		content := sha256.Sum256([]byte(t.Reference))
		ids, transactions, contents = append(ids, postgres.NewID(at)), append(transactions, t.TransactionID), append(contents, content[:])
		references, bodies, kinds = append(references, t.Reference), append(bodies, t.Body), append(kinds, t.Kind)
		budgets, purposes, amounts = append(budgets, t.BudgetCode), append(purposes, t.PurposeCode), append(amounts, t.AmountTiyn)
		acts, notes = append(acts, t.Act), append(notes, t.Note)
	}
	return []any{chargeTeller, at, ids, references, contents, transactions, bodies, kinds, budgets, purposes, amounts, acts, notes}
}

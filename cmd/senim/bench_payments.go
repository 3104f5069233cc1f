package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

const (
	payClient = "payment-gateway" // of the surroundings, with the role payment_gateway

	// payPerOperation makes a round of payments as long as one of submissions;
	// payAlonePerOperation the same by one caller, who waits for each commit.
	payPerOperation      = 40
	payAlonePerOperation = 4

	// rawBatch and rawWriters are how PostgreSQL takes the most of such rows on a
	// machine of two cores.
	rawBatch   = 200
	rawWriters = 2
)

// payBench is a bank that tells of payments over HTTP, and the same rows written
// by nobody but PostgreSQL. Every payment has an order of three lines, drawn up
// and presented before the round.
type payBench struct {
	bench       *bench
	service     *submitBench
	bank        *apiClient
	connections []*stampConnection
	drawn       int // orders so far
}

// payAgainstRaw measures payments told by some callers at once against the raw
// limit: multi-row inserts of the same rows, from two connections.
func payAgainstRaw(callers int) func(context.Context, *bench, benchRow) (benchResult, error) {
	return func(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
		return payAgainst(ctx, b, row, callers, payPerOperation, (*payBench).raw)
	}
}

// payAlone measures one caller, who waits for each payment, against a bare
// statement that writes the same rows.
func payAlone(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
	return payAgainst(ctx, b, row, 1, payAlonePerOperation, (*payBench).bareStatement)
}

func payAgainst(ctx context.Context, b *bench, row benchRow, callers, perOperation int,
	reference func(*payBench, context.Context, int) ([]time.Duration, time.Duration, error)) (benchResult, error) {
	p, err := b.payBench(ctx)
	if err != nil {
		return benchResult{}, err
	}
	ours := func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
		return p.tell(ctx, callers, n*perOperation)
	}
	return b.alternate(ctx, row, ours, func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
		return reference(p, ctx, n*perOperation)
	})
}

// payBench is the bank that the rows share: no two payments have one reference.
func (b *bench) payBench(ctx context.Context) (*payBench, error) {
	s, err := b.startedService(ctx)
	if err != nil || b.pay != nil {
		return b.pay, err
	}
	p := &payBench{bench: b, service: s, bank: &apiClient{
		base: s.service.config.PublicURL, language: fault.English, http: &http.Client{Timeout: time.Minute},
	}}
	s.onClose(func() error {
		for _, c := range p.connections {
			_ = c.close() // nothing is under way
		}
		return nil
	})
	b.pay = p
	return p, nil
}

// tell has callers tell of n payments, each its own share over one connection.
func (p *payBench) tell(ctx context.Context, callers, n int) ([]time.Duration, time.Duration, error) {
	all, err := p.draw(ctx, n)
	if err != nil {
		return nil, 0, err
	}
	if err := p.connect(ctx, callers); err != nil {
		return nil, 0, err
	}
	requests := make([][]byte, n)
	for i := range all {
		if requests[i], err = p.request(&all[i]); err != nil {
			return nil, 0, err
		}
	}
	return inParallel(ctx, p.bench.now, callers, n, func(_ context.Context, i int) error {
		reply, err := p.connections[i%callers].ask(requests[i])
		if err == nil && !bytes.Contains(reply, []byte(`"state":"posted"`)) {
			err = fault.New(fault.Internal, "", "not posted: %.200s", reply)
		}
		return err
	})
}

// connect gives every caller a connection, and the bank a fresh token.
func (p *payBench) connect(ctx context.Context, callers int) error {
	key, err := p.service.around.clientKey(payClient)
	if err != nil {
		return err
	}
	if err := p.bank.signIn(ctx, payClient, key, p.bench.now()); err != nil {
		return err
	}
	for len(p.connections) < callers {
		c, err := dialStamps(ctx, p.bank.base)
		if err != nil {
			return err
		}
		p.connections = append(p.connections, c)
	}
	for _, c := range p.connections {
		if err := c.conn.SetDeadline(p.bench.now().Add(stampRoundMax)); err != nil {
			return fault.Wrap(err, fault.PeerDown, p.bank.base, "bound the round")
		}
	}
	return nil
}

// request is a whole request, as it goes down a connection.
func (p *payBench) request(one *benchPayment) ([]byte, error) {
	r, err := http.NewRequest(http.MethodPost, p.bank.base+"/v1/payments", bytes.NewReader(one.body))
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "make the request")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+p.bank.bearer)
	r.Header.Set("Idempotency-Key", one.reference)
	r.Header.Set("User-Agent", "senim-bench")
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "write the request")
	}
	return out.Bytes(), nil
}

// benchPayment is a payment of an order that is there, with everything that its
// rows hold.
type benchPayment struct {
	order, transaction, entry uuid.UUID
	at                        time.Time
	reference                 string
	body                      []byte // of its request, and its evidence
	digest, request           []byte // of that, and of what it says
	answer                    string // to it
}

// What every order of the bench owes, by line.
var (
	benchLines  = [...]money.Tiyn{288_409_21, 802_067_22, 20_000_00}
	benchBudget = [...]string{"106104", "105102", "106201"}
)

const (
	benchTotal  = 1_110_476_43
	benchBIC    = "HSBKKZKX"
	benchPayer  = string(sample.DeclarantBIN)
	benchOffice = string(sample.RevenueOffice)
)

// draw draws up n orders and presents them, and makes a payment of each.
func (p *payBench) draw(ctx context.Context, n int) ([]benchPayment, error) {
	all := make([]benchPayment, n)
	var orders, transactions, lineOrders []uuid.UUID
	var identifiers, budgets []string
	var positions []int32
	var amounts []int64
	at := p.bench.now().UTC().Truncate(time.Millisecond)
	for i := range all {
		one := benchPayment{order: postgres.NewID(at), transaction: postgres.NewID(at), entry: postgres.NewID(at), at: at, reference: fmt.Sprintf("BENCH-%09d", p.drawn)}
		if err := one.complete(); err != nil {
			return nil, err
		}
		orders, transactions = append(orders, one.order), append(transactions, one.transaction)
		for j, amount := range benchLines {
			lineOrders, positions = append(lineOrders, one.order), append(positions, int32(j))
			identifiers, budgets = append(identifiers, fmt.Sprintf("%015d%02d", p.drawn, j)), append(budgets, benchBudget[j])
			amounts = append(amounts, int64(amount))
		}
		p.drawn++
		all[i] = one
	}
	var batch pgx.Batch
	batch.Queue(`INSERT INTO payment_order (id, recorded_at, transaction_id, payer_bin, total, state, expires_at, gateway, presentations)
		SELECT id, $3::timestamptz, transaction_id, $4, $5, 'presented', $3 + interval '1 day', 'pshep', 1 FROM unnest($1::uuid[], $2::uuid[]) AS g (id, transaction_id)`,
		orders, transactions, at, sample.DeclarantBIN, int64(benchTotal))
	batch.Queue(`INSERT INTO payment_order_once (transaction_id, order_id, recorded_at)
		SELECT transaction_id, id, $3 FROM unnest($1::uuid[], $2::uuid[]) AS g (id, transaction_id)`, orders, transactions, at)
	batch.Queue(`INSERT INTO payment_line (identifier, recorded_at, order_id, position, kind, budget_code, purpose_code, revenue_office,
			beneficiary_bin, beneficiary_name, bic, iik, kbe, amount)
		SELECT identifier, $6, id, position, '2010', budget, '911', $7, '010240002599', 'УГД', 'KKMFKZ2A', 'KZ24070105KSN0000000', '11', amount
		  FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::bigint[]) AS g (identifier, id, position, budget, amount)`,
		identifiers, lineOrders, positions, budgets, amounts, at, sample.RevenueOffice)
	batch.Queue(`INSERT INTO event_heads (transaction_id, last, first_at, last_at) SELECT id, 2, now(), now() FROM unnest($1::uuid[]) AS g (id)`, transactions)
	if err := p.service.service.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("draw up %d orders: %w", n, postgres.Classify(err))
	}
	return all, nil
}

// complete makes what a payment's request and rows hold.
func (b *benchPayment) complete() error {
	f := gateway.Fact{Kind: gateway.Captured, Reference: b.reference, Order: b.order, Payer: sample.DeclarantBIN, BankBIC: benchBIC, Amount: benchTotal, PaidAt: b.at}
	var err error
	b.body, err = json.Marshal(map[string]any{
		"kind": f.Kind, "reference": f.Reference, "order_id": f.Order, "payer_bin": f.Payer, "bank_bic": f.BankBIC, "amount_tiyn": int64(f.Amount), "paid_at": f.PaidAt,
	})
	if err != nil {
		return fmt.Errorf("write a payment: %w", err)
	}
	answer, err := json.Marshal(payments.Outcome{
		Gateway: payClient, Reference: f.Reference, Kind: f.Kind, Order: f.Order, Amount: f.Amount, State: payments.FactPosted, OrderState: "paid", ReceivedAt: b.at,
	})
	if err != nil {
		return fmt.Errorf("write an answer: %w", err)
	}
	digest, request := sha256.Sum256(b.body), payments.DigestOf(&f)
	b.digest, b.request, b.answer = digest[:], request[:], string(answer)
	return nil
}

package payments

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// PostArgs names the fact that a job posts.
type PostArgs struct {
	Gateway   string `json:"gateway"`
	Reference string `json:"reference"`
}

// Kind of the job.
func (PostArgs) Kind() string { return "payment_post" }

// AddWorkers adds the workers of this package to those of the program, before
// the job queue is made of them.
func AddWorkers(workers *river.Workers, pool *pgxpool.Pool, now func() time.Time) error {
	if err := river.AddWorkerSafely(workers, &poster{pool: pool, now: now}); err != nil {
		return fault.Wrap(err, fault.BadArgument, "", "add the workers of payments")
	}
	return nil
}

// poster posts facts to the ledger.
type poster struct {
	river.WorkerDefaults[PostArgs]
	pool *pgxpool.Pool
	now  func() time.Time
}

// Work posts one fact, once: the second time it finds the fact posted.
func (p *poster) Work(ctx context.Context, job *river.Job[PostArgs]) error {
	err := postgres.InTx(ctx, p.pool, func(tx pgx.Tx) error { return p.post(ctx, tx, job.Args) })
	if err != nil {
		return fmt.Errorf("post payment %s: %w", job.Args.Reference, ledger.Refusal(err))
	}
	return nil
}

func (p *poster) post(ctx context.Context, tx pgx.Tx, args PostArgs) error {
	f, state, recordedAt, err := lockFact(ctx, tx, args)
	if err != nil || state != factReceived {
		return err
	}
	o, err := order.Lock(ctx, tx, f.Order)
	if err != nil {
		return err
	}
	// Judged again under the order's lock: another payment may have come first.
	reason := judge(f, o)
	data, now := paymentOf(args.Gateway, f), p.now()
	if reason != "" {
		data.Reason = reason
		if err := moveFact(ctx, tx, args, recordedAt, factException, reason); err != nil {
			return err
		}
		return publish(ctx, tx, o, EventException, now, data)
	}
	if _, err := ledger.Post(ctx, tx, entryOf(args, f, o, now)); err != nil {
		return err
	}
	if _, err := o.Receive(f.Amount, money.Tolerance{}); err != nil {
		return err
	}
	if err := order.SaveAll(ctx, tx, []*order.Order{o}); err != nil {
		return err
	}
	if err := moveFact(ctx, tx, args, recordedAt, factPosted, ""); err != nil {
		return err
	}
	return publish(ctx, tx, o, EventPosted, now, data)
}

// entryOf is the entry of a payment: the gateway owes us the money, the payer
// paid it and it is applied to the lines of the order.
func entryOf(args PostArgs, f gateway.Fact, o *order.Order, now time.Time) ledger.Entry {
	payer := ledger.Payer(o.Payer)
	postings := []ledger.Posting{
		{Account: ledger.Clearing(args.Gateway), Amount: f.Amount}, {Account: payer, Amount: -f.Amount},
		{Account: payer, Amount: f.Amount},
	}
	for _, l := range o.Lines {
		postings = append(postings, ledger.Posting{Account: ledger.Budget(l.Requisites.RevenueOffice, l.BudgetCode), Amount: -l.Amount})
	}
	return ledger.Entry{
		Key: "payment:" + args.Gateway + ":" + args.Reference, Kind: ledger.Payment,
		Day: kz.DayOf(f.PaidAt), Transaction: o.Transaction, At: now, Postings: postings,
	}
}

func lockFact(ctx context.Context, tx pgx.Tx, args PostArgs) (f gateway.Fact, state string, recordedAt time.Time, err error) {
	err = tx.QueryRow(ctx, `
		SELECT f.reference, f.order_id, f.payer_bin, f.bank_bic, f.amount, f.paid_at, f.state, f.recorded_at
		  FROM gateway_reference r
		  JOIN gateway_fact f ON f.gateway = r.gateway AND f.reference = r.reference AND f.recorded_at = r.recorded_at
		 WHERE r.gateway = $1 AND r.reference = $2
		   FOR UPDATE OF f`, args.Gateway, args.Reference).
		Scan(&f.Reference, &f.Order, &f.Payer, &f.BankBIC, &f.Amount, &f.PaidAt, &state, &recordedAt)
	if err != nil {
		return gateway.Fact{}, "", time.Time{}, fmt.Errorf("read the fact: %w", postgres.Classify(err))
	}
	f.Kind = gateway.Captured // no other kind is ever received for posting
	return f, state, recordedAt, nil
}

func moveFact(ctx context.Context, tx pgx.Tx, args PostArgs, recordedAt time.Time, state string, reason fault.Code) error {
	_, err := tx.Exec(ctx, `
		UPDATE gateway_fact SET state = $4, reason = $5 WHERE gateway = $1 AND reference = $2 AND recorded_at = $3`,
		args.Gateway, args.Reference, recordedAt, state, string(reason))
	if err != nil {
		return fmt.Errorf("move the fact: %w", postgres.Classify(err))
	}
	return nil
}

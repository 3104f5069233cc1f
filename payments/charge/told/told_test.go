package told_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/told"
)

var (
	at          = time.Date(2026, time.November, 20, 9, 0, 0, 0, time.UTC)
	transaction = uuid.MustParse("0193a000-0000-7000-8000-000000000001")
)

func fee(reference string) told.Charge {
	return told.Charge{
		Transaction: transaction, Reference: reference, Body: "MA-VET", Kind: charge.StateServiceFee, BudgetCode: "201105", PurposeCode: "859",
		Amount: 450000, Act: "price list of the veterinary service", Note: "examination of 12 t",
	}
}

// store tells charges as a use case does: again while others are in the way.
func store(t *testing.T, pool *pgxpool.Pool, teller string, charges ...told.Charge) (outcomes []told.Outcome) {
	t.Helper()
	b := &told.Batch{
		Teller: teller, At: at, Charges: charges, Known: map[uuid.UUID]bool{transaction: true},
		Payable: func(body charge.RevenueOffice) bool { return body == "MA-VET" },
	}
	for repeated := false; ; repeated = true {
		err := postgres.InPipeline(t.Context(), pool,
			func(batch *pgx.Batch) error { b.QueueRead(batch, repeated); return nil },
			func(batch *pgx.Batch) error { outcomes = b.QueueStore(batch); return nil })
		if err == nil {
			return outcomes
		}
		if !told.Taken(err) {
			t.Fatal(err)
		}
	}
}

func amounts(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	all, err := told.Of(t.Context(), pool, transaction)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "%s=%s ", c.Path, c.Amount)
	}
	return b.String()
}

func TestStore(t *testing.T) {
	pool := postgrestest.Pool(t)
	first := store(t, pool, "mwr", fee("a"), fee("b"), fee("a"))
	if first[0].Err != nil || first[0].Known || first[1].Known || !first[2].Known || first[2].ID != first[0].ID {
		t.Errorf("%+v", first)
	}
	other := fee("b")
	other.Amount++
	again := store(t, pool, "mwr", fee("a"), other, fee("c"))
	if !again[0].Known || again[0].ID != first[0].ID || !fault.Is(again[1].Err, fault.ChargeConflict) || again[2].Err != nil || again[2].Known {
		t.Errorf("%+v", again)
	}
	if theirs := store(t, pool, "mz", fee("a")); theirs[0].Known || theirs[0].Err != nil {
		t.Errorf("another teller's reference: %+v", theirs)
	}
	if got := amounts(t, pool); strings.Count(got, "4500.00") != 4 {
		t.Error(got)
	}
}

// One that is refused says why and spoils no other.
func TestStoreRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	tests := []struct {
		code  fault.Code
		spoil func(*told.Charge)
	}{
		{fault.BadArgument, func(c *told.Charge) { c.Transaction = uuid.Nil }},
		{fault.TransactionNotFound, func(c *told.Charge) { c.Transaction = uuid.New() }},
		{fault.BadArgument, func(c *told.Charge) { c.Reference = "" }},
		{fault.BadArgument, func(c *told.Charge) { c.Reference = strings.Repeat("x", 65) }},
		{fault.BadArgument, func(c *told.Charge) { c.Reference = "ю" }},
		{fault.RevenueOfficeUnknown, func(c *told.Charge) { c.Body = "MZ" }},
		{fault.PaymentKindUnknown, func(c *told.Charge) { c.Kind = "0000" }},
		{fault.PaymentKindUnknown, func(c *told.Charge) { c.Kind = charge.Advance }},
		{fault.OrderInvalid, func(c *told.Charge) { c.BudgetCode = "20110" }},
		{fault.OrderInvalid, func(c *told.Charge) { c.PurposeCode = "8590" }},
		{fault.AmountInvalid, func(c *told.Charge) { c.Amount = 0 }},
		{fault.AmountInvalid, func(c *told.Charge) { c.Amount = -1 }},
		{fault.BadArgument, func(c *told.Charge) { c.Act = "" }},
		{fault.InputTooBig, func(c *told.Charge) { c.Act = strings.Repeat("x", 513) }},
		{fault.InputTooBig, func(c *told.Charge) { c.Note = strings.Repeat("x", 513) }},
		{fault.BadArgument, func(c *told.Charge) { c.Act = "a\x00b" }},
		{fault.BadArgument, func(c *told.Charge) { c.Note = "\xff" }},
	}
	charges := make([]told.Charge, 0, 2*len(tests))
	for i, tt := range tests {
		bad := fee(fmt.Sprint("bad", i))
		tt.spoil(&bad)
		charges = append(charges, bad, fee(fmt.Sprint("good", i)))
	}
	outcomes := store(t, pool, "mwr", charges...)
	for i, tt := range tests {
		if err := outcomes[2*i].Err; !fault.Is(err, tt.code) {
			t.Errorf("row %d: %v, want %s", i, err, tt.code)
		}
		if good := outcomes[2*i+1]; good.Err != nil || good.ID == uuid.Nil {
			t.Errorf("the neighbour of row %d: %+v", i, good)
		}
	}
	if got := amounts(t, pool); strings.Count(got, "=") != len(tests) || strings.Contains(got, "bad") {
		t.Error(got)
	}
}

// Whoever draws up the order has every charge that was told, and what comes
// later is refused: none is told and left out.
func TestTellingAndOrderingAtOnce(t *testing.T) {
	pool := postgrestest.Pool(t)
	var wg sync.WaitGroup
	var billed int
	accepted := make(chan string, 20)
	for i := range 20 {
		wg.Go(func() {
			if i == 10 {
				err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
					charges, err := told.Close(t.Context(), tx, transaction)
					billed = len(charges)
					if err != nil {
						return err
					}
					return drawUp(t, tx)
				})
				if err != nil {
					t.Error(err)
				}
				return
			}
			reference := fmt.Sprint("r", i)
			switch o := store(t, pool, "mwr", fee(reference))[0]; {
			case o.Err == nil:
				accepted <- reference
			case !fault.Is(o.Err, fault.OrderExists):
				t.Error(o.Err)
			}
		})
	}
	wg.Wait()
	if len(accepted) != billed {
		t.Errorf("%d were accepted and %d are in the order", len(accepted), billed)
	}
}

// drawUp stores the least of an order of the transaction.
func drawUp(t *testing.T, tx pgx.Tx) error {
	order := uuid.New()
	if _, err := tx.Exec(t.Context(), `INSERT INTO payment_order_once (transaction_id, order_id, recorded_at) VALUES ($1, $2, $3)`, transaction, order, at); err != nil {
		return err
	}
	_, err := tx.Exec(t.Context(), `
		INSERT INTO payment_order (id, recorded_at, transaction_id, declarant_bin, payer_bin, total, state, expires_at, paid, refunded)
		VALUES ($1, $2, $3, '190640017419', '190640017419', 1, 'draft', $4, '{0}', '{0}')`, order, at, transaction, at.Add(time.Hour))
	return err
}

// A cancelled order makes room for another.
func TestTellAfterCancellation(t *testing.T) {
	pool := postgrestest.Pool(t)
	if err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return drawUp(t, tx) }); err != nil {
		t.Fatal(err)
	}
	if o := store(t, pool, "mwr", fee("a"))[0]; !fault.Is(o.Err, fault.OrderExists) {
		t.Errorf("%+v", o)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE payment_order SET state = 'cancelled'`); err != nil {
		t.Fatal(err)
	}
	if o := store(t, pool, "mwr", fee("a"))[0]; o.Err != nil {
		t.Errorf("%+v", o)
	}
}

// One charge told by many at once is stored once, and everybody learns so.
func TestSameChargeAtOnce(t *testing.T) {
	pool := postgrestest.Pool(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if o := store(t, pool, "mwr", fee("a"))[0]; o.Err != nil {
				t.Error(o.Err)
			}
		})
	}
	wg.Wait()
	if got := amounts(t, pool); strings.Count(got, "=") != 1 {
		t.Error(got)
	}
}

package dossier

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/told"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
)

// Neither a gateway nor a job has a part in telling charges.
type noGateway struct{ gateway.Port }

func (noGateway) Name() string { return "none" }

type noJobs struct{}

func (noJobs) Insert(context.Context, pgx.Tx, river.JobArgs, *river.InsertOpts) error { return nil }

var (
	ministry = access.Caller{ID: "mwr", Role: access.Ministry}
	vet      = order.Requisites{
		RevenueOffice: "MA-VET", BIN: "010240002599", Name: "Ветеринарная служба", BIC: "KKMFKZ2A", IIK: "KZ24070105KSN0000000", KBe: "11",
	}
)

// teller is a service with one open transaction.
func teller(t *testing.T) (*Service, uuid.UUID) {
	t.Helper()
	now := func() time.Time { return postgrestest.FixedMonth.Add(36 * time.Hour) }
	pool := postgrestest.Pool(t)
	house, err := payments.New(payments.Config{Pool: pool, Jobs: noJobs{}, Gateway: noGateway{}, Book: order.Book{vet.RevenueOffice: vet}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Pool: pool, Payments: house, Now: now, Control: kz.FormatOnly})
	opened, err := s.Open(t.Context(), access.Caller{ID: "window", Role: access.SingleWindow}, requestKey("open", ""), OpenRequest{Reference: "R", DeclarantBIN: "190640017419"})
	if err != nil {
		t.Fatal(err)
	}
	return s, opened.ID
}

func requestKey(value, body string) idempotency.Key {
	return idempotency.Key{Value: value, BodySHA256: sha256.Sum256([]byte(body))}
}

func fees(transaction uuid.UUID, n int) []told.Charge {
	all := make([]told.Charge, n)
	for i := range all {
		all[i] = told.Charge{
			Transaction: transaction, Reference: fmt.Sprintf("F-%04d", i), Body: "MA-VET", Kind: charge.StateServiceFee,
			BudgetCode: "201105", PurposeCode: "859", Amount: 100, Act: "price list",
		}
	}
	return all
}

func count(t *testing.T, s *Service, query string) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTellCharges(t *testing.T) {
	s, transaction := teller(t)
	charges := fees(transaction, 3)
	charges[1].Amount = 0
	for range 2 { // the same request gets the same answer
		answer, err := s.TellCharges(t.Context(), ministry, requestKey("k", "body"), charges)
		if err != nil || answer.Stored != 2 || len(answer.Known) != 0 || len(answer.Refused) != 1 ||
			answer.Refused[0] != (ChargeRefusal{1, fault.AmountInvalid, "/amount_tiyn"}) {
			t.Fatalf("%+v, %v", answer, err)
		}
	}
	if rows, audits := count(t, s, `SELECT count(*) FROM charge_told`), count(t, s, `SELECT count(*) FROM audit_records WHERE action = 'tell charges'`); rows != 2 || audits != 1 {
		t.Errorf("%d charges, %d audit records", rows, audits)
	}
	charges[1].Amount = 1
	charges[2].Amount++
	answer, err := s.TellCharges(t.Context(), ministry, requestKey("k2", "body"), charges)
	if err != nil || answer.Stored != 1 || len(answer.Known) != 1 || answer.Known[0] != 0 || answer.Refused[0].Code != fault.ChargeConflict {
		t.Errorf("told again: %+v, %v", answer, err)
	}
	other := fees(uuid.Must(uuid.NewV7()), 1)
	if answer, err := s.TellCharges(t.Context(), ministry, requestKey("k3", "body"), other); err != nil || answer.Refused[0].Code != fault.TransactionNotFound {
		t.Errorf("of an unknown transaction: %+v, %v", answer, err)
	}
}

func TestTellChargesRefuses(t *testing.T) {
	s, transaction := teller(t)
	if _, err := s.TellCharges(t.Context(), ministry, requestKey("k", "body"), fees(transaction, 1)); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		key  idempotency.Key
		n    int
		want fault.Code
	}{
		"no key":                {requestKey("", "body"), 1, fault.IdempotencyKeyMissing},
		"another body":          {requestKey("k", "other"), 1, fault.IdempotencyKeyReused},
		"no charges":            {requestKey("n", "body"), 0, fault.BadArgument},
		"more charges than may": {requestKey("n", "body"), told.AtOnceMax + 1, fault.InputTooBig},
	} {
		if _, err := s.TellCharges(t.Context(), ministry, row.key, fees(transaction, row.n)); !fault.Is(err, row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
	if rows := count(t, s, `SELECT count(*) FROM charge_told`); rows != 1 {
		t.Errorf("%d charges", rows)
	}
}

// While a request is at work, the same again is told so; when it fails, the key
// is free.
func TestTellChargesInFlight(t *testing.T) {
	s, transaction := teller(t)
	key := requestKey("k", "body")
	first := &idempotency.Request{Caller: ministry.ID, Key: key, Operation: tellOperation}
	err := postgres.InPipeline(t.Context(), s.pool,
		func(b *pgx.Batch) error { idempotency.QueueClaim(b, first); return nil },
		func(*pgx.Batch) error {
			if _, err := s.TellCharges(t.Context(), ministry, key, fees(transaction, 1)); !fault.Is(err, fault.RequestInFlight) {
				t.Errorf("%v", err)
			}
			return fault.New(fault.BadArgument, "", "fails")
		})
	if !fault.Is(err, fault.BadArgument) {
		t.Fatal(err)
	}
	if _, err := s.TellCharges(t.Context(), ministry, key, fees(transaction, 1)); err != nil {
		t.Error(err)
	}
}

// The same charges told by many requests at once are stored once, and everybody
// learns what became of them.
func TestTellChargesAtOnce(t *testing.T) {
	s, transaction := teller(t)
	const callers, n = 8, 50
	var running sync.WaitGroup
	answers := make([]*ToldCharges, callers)
	for i := range callers {
		running.Go(func() {
			var err error
			if answers[i], err = s.TellCharges(t.Context(), ministry, requestKey(fmt.Sprint("k", i), "body"), fees(transaction, n)); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	stored := 0
	for _, a := range answers {
		if a == nil || a.Stored+len(a.Known) != n {
			t.Fatalf("%+v", a)
		}
		stored += a.Stored
	}
	if rows := count(t, s, `SELECT count(*) FROM charge_told`); stored != n || rows != n {
		t.Errorf("%d said to be stored, %d are", stored, rows)
	}
}

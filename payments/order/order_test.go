package order_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/order"
)

var (
	at     = time.Date(2026, time.November, 20, 20, 30, 0, 123456789, time.UTC) // the 21st in Almaty
	office = order.Treasury(sample.RevenueOffice, "010240002599", "УГД")
)

func charges(t *testing.T) []charge.Charge {
	t.Helper()
	d, err := charge.Read(sample.Declaration(), kz.Full)
	if err != nil {
		t.Fatal(err)
	}
	return d.Charges
}

func book(t *testing.T) order.Book {
	t.Helper()
	b, err := order.NewBook(kz.FormatOnly, office)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func request(t *testing.T) order.Request {
	return order.Request{Transaction: uuid.New(), Declarant: sample.DeclarantBIN, Payer: sample.DeclarantBIN, Declaration: "55302/221126/0000123", Charges: charges(t), At: at, Life: 24 * time.Hour}
}

func TestIdentifier(t *testing.T) {
	day := kz.DayOf(at)
	id, err := order.NewIdentifier(day, 1)
	if err != nil || id != "26112100000000113" {
		t.Fatalf("%s, %v", id, err)
	}
	if got := id.Print(); got != "261121 000 000 001 13" {
		t.Errorf("printed %q", got)
	}
	for _, n := range []int64{0, -1, 1_000_000_000, math.MaxInt64} {
		if _, err := order.NewIdentifier(day, n); !fault.Is(err, fault.IdentifierInvalid) {
			t.Errorf("number %d: %v", n, err)
		}
	}
	for _, s := range []string{"", "26112100000000126", "2611210000000012", "261121000000001135", "2611210000000012x", "２6112100000000125"} {
		if _, err := order.ParseIdentifier(s); !fault.Is(err, fault.IdentifierInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// One wrong digit and two swapped neighbours never pass, and the check digits
// have one spelling.
func TestIdentifierCatchesMistakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := kz.DayOf(at).AddDays(rapid.IntRange(0, 20000).Draw(t, "day"))
		id, err := order.NewIdentifier(day, rapid.Int64Range(1, 999_999_999).Draw(t, "number"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := order.ParseIdentifier(string(id)); err != nil {
			t.Fatal(err)
		}
		wrong := []byte(id)
		i := rapid.IntRange(0, len(wrong)-1).Draw(t, "place")
		if rapid.Bool().Draw(t, "swap") && i > 0 {
			wrong[i-1], wrong[i] = wrong[i], wrong[i-1]
		} else {
			wrong[i] = '0' + (wrong[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		}
		if string(wrong) == string(id) {
			return // two equal neighbours
		}
		if _, err := order.ParseIdentifier(string(wrong)); err == nil {
			t.Fatalf("%s taken for %s", wrong, id)
		}
	})
}

func TestRequisites(t *testing.T) {
	if err := office.Check(kz.FormatOnly); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*order.Requisites)
		at     string
	}{
		{"office", func(r *order.Requisites) { r.RevenueOffice = "60" }, "/revenue_office"},
		{"BIC", func(r *order.Requisites) { r.BIC = "KKMFRU2A" }, "/bic"},
		{"IIK of another country", func(r *order.Requisites) { r.IIK = "DE24070105KSN0000000" }, "/iik"},
		{"IIK check digits", func(r *order.Requisites) { r.IIK = "KZ25070105KSN0000000" }, "/iik"},
		{"IIK digits swapped", func(r *order.Requisites) { r.IIK = "KZ24070015KSN0000000" }, "/iik"},
		{"IIK of another bank", func(r *order.Requisites) { r.IIK = "KZ24601A871000000001" }, "/iik"},
		{"treasury's IIK at another bank", func(r *order.Requisites) { r.BIC = "HSBKKZKX" }, "/iik"},
		{"КБе", func(r *order.Requisites) { r.KBe = "31" }, "/kbe"},
		{"BIN", func(r *order.Requisites) { r.BIN = "0102" }, "/bin"},
	}
	for _, tt := range tests {
		r := office
		tt.change(&r)
		err := r.Check(kz.FormatOnly)
		if !fault.Is(err, fault.RequisiteInvalid) || fault.Of(err).At != tt.at {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := office.Check(kz.Full); !fault.Is(err, fault.RequisiteInvalid) {
		t.Errorf("a BIN whose control digit is wrong: %v", err)
	}
	if _, err := order.NewBook(kz.FormatOnly, office, office); !fault.Is(err, fault.RequisiteInvalid) {
		t.Errorf("an office twice: %v", err)
	}
}

func TestCreateAndRead(t *testing.T) {
	pool := postgrestest.Pool(t)
	ctx := t.Context()
	r := request(t)
	var made *order.Order
	create := func(r order.Request) error {
		return postgres.InTx(ctx, pool, func(tx pgx.Tx) (err error) {
			made, err = order.Create(ctx, tx, book(t), r)
			return err
		})
	}
	if err := create(r); err != nil {
		t.Fatal(err)
	}
	first := made
	type line struct{ Kind, Budget, Amount string }
	var got []line
	for _, l := range first.Lines {
		got = append(got, line{string(l.Kind), string(l.BudgetCode), l.Amount.String()})
		if _, err := order.ParseIdentifier(string(l.Identifier)); err != nil || l.Identifier[:6] != "261121" {
			t.Errorf("identifier %s: %v", l.Identifier, err)
		}
		if l.Requisites != office || l.State != order.LineOwed {
			t.Errorf("line %+v", l)
		}
	}
	want := []line{{"1010", "106201", "20000.00"}, {"2010", "106104", "288409.21"}, {"5060", "105102", "802067.22"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if first.Total.String() != "1110476.43" || first.State != order.Draft {
		t.Errorf("total %s, state %s", first.Total, first.State)
	}
	read, err := order.Get(ctx, pool, first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, read); diff != "" {
		t.Errorf("read back: %s", diff)
	}
	all, err := order.Of(ctx, pool, r.Transaction)
	if err != nil || len(all) != 1 || all[0].ID != first.ID {
		t.Errorf("Of: %d, %v", len(all), err)
	}
	if err := create(r); !fault.Is(err, fault.OrderExists) {
		t.Errorf("a second order: %v", err)
	}
	if none, err := order.Of(ctx, pool, uuid.New()); err != nil || len(none) != 0 {
		t.Errorf("no order: %v, %v", none, err)
	}
	if _, err := order.Get(ctx, pool, uuid.New()); !fault.Is(err, fault.OrderNotFound) {
		t.Errorf("unknown order: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	ctx := t.Context()
	tests := []struct {
		name   string
		change func(*order.Request)
		code   fault.Code
	}{
		{"no charges", func(r *order.Request) { r.Charges = nil }, fault.OrderEmpty},
		{"charges of nothing", func(r *order.Request) {
			for i := range r.Charges {
				r.Charges[i].Amount = 0
			}
		}, fault.OrderEmpty},
		{"unknown office", func(r *order.Request) { r.Charges[0].RevenueOffice = "7001" }, fault.RevenueOfficeUnknown},
		{"negative", func(r *order.Request) { r.Charges[0].Amount = -1 }, fault.OrderInvalid},
		{"budget code", func(r *order.Request) { r.Charges[0].BudgetCode = "1062" }, fault.OrderInvalid},
		{"purpose code", func(r *order.Request) { r.Charges[0].PurposeCode = "" }, fault.OrderInvalid},
		{"overflow", func(r *order.Request) { r.Charges[1].Amount = math.MaxInt64 }, fault.AmountOverflow},
		{"no transaction", func(r *order.Request) { r.Transaction = uuid.Nil }, fault.BadArgument},
		{"no payer", func(r *order.Request) { r.Payer = "" }, fault.BadArgument},
		{"no declarant", func(r *order.Request) { r.Declarant = "" }, fault.BadArgument},
		{"no life", func(r *order.Request) { r.Life = 0 }, fault.BadArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t)
			tt.change(&r)
			err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
				_, err := order.Create(ctx, tx, book(t), r)
				return err
			})
			if fault.CodeOf(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
			if all, err := order.Of(ctx, pool, r.Transaction); err != nil || len(all) != 0 {
				t.Errorf("left behind: %d, %v", len(all), err)
			}
		})
	}
}

func FuzzParseIdentifier(f *testing.F) {
	f.Add("26112100000000113")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := order.ParseIdentifier(s); err == nil && string(id) != s {
			t.Errorf("%q became %q", s, id)
		}
	})
}

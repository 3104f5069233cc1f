package payments_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/assess"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// bolts are 2 000 000 tenge of Chinese bolts, which are dumped.
func bolts(t *testing.T) assess.Request {
	t.Helper()
	day, err := kz.ParseDay("2026-08-01")
	if err != nil {
		t.Fatal(err)
	}
	value, err := money.ParseRate("2000000")
	if err != nil {
		t.Fatal(err)
	}
	return assess.Request{Registered: day, RevenueOffice: sample.RevenueOffice, Procedure: "40", Items: []assess.Item{
		{CommodityCode: "7318159008", CustomsValue: value, NetWeight: value, Origin: "CN"},
	}}
}

func (w *world) assessing(t *testing.T) *payments.Service {
	t.Helper()
	book, err := order.NewBook(kz.FormatOnly, order.Treasury(sample.RevenueOffice, officeBIN, "УГД"))
	if err != nil {
		t.Fatal(err)
	}
	c := payments.Config{Pool: w.pool, Jobs: w.jobs, Gateway: w.port, Book: book, Now: w.clock.Now, OrderLife: time.Hour}
	law, err := tariff.Sample()
	if err != nil {
		t.Fatal(err)
	}
	c.Law = func() payments.Law { return payments.Law{Tariff: law} }
	s, err := payments.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAssessedChargesBecomeAnOrder(t *testing.T) {
	w := newWorld(t)
	s := w.assessing(t)
	create := func(charges []charge.Charge) (o *order.Order, err error) {
		err = postgres.InTx(w.ctx(), w.pool, func(tx pgx.Tx) error {
			o, err = s.CreateOrder(w.ctx(), tx, payments.OrderRequest{
				Transaction: uuid.New(), Declarant: sample.DeclarantBIN, Payer: sample.DeclarantBIN, Charges: charges,
			})
			return err
		})
		return o, err
	}

	a, err := s.AssessCharges(bolts(t))
	if err != nil {
		t.Fatal(err)
	}
	o, err := create(a.Charges())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := order.Get(w.ctx(), w.pool, o.ID)
	if err != nil || stored.Total != a.Total || a.Total != 915_360_00 || len(stored.Lines) != 4 || len(stored.Charges) != len(a.Lines) {
		t.Errorf("%+v, %v; assessed %s in %d lines", stored, err, a.Total, len(a.Lines))
	}

	meat := bolts(t)
	meat.Items[0].CommodityCode, meat.Items[0].Origin = "0201300004", "KZ"
	if _, err := s.AssessCharges(meat); !fault.Is(err, fault.ExchangeMissing) {
		t.Errorf("a rate in euro without an exchange rate: %v", err)
	}
	if _, err := w.service.AssessCharges(bolts(t)); !fault.Is(err, fault.NotAvailable) {
		t.Errorf("without a tariff: %v", err)
	}
	foreign := a.Charges()
	foreign[0].RevenueOffice = "" // as a ministry's fee comes
	if _, err := create(foreign); !fault.Is(err, fault.RevenueOfficeUnknown) {
		t.Errorf("a charge that is nobody's: %v", err)
	}
}

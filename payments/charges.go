package payments

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/assess"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/charge/told"
	"github.com/senim-kz/senim/payments/money"
)

// Law is what charges are computed by. Without a tariff nothing is computed;
// without exchange rates, only what needs one is refused.
type Law struct {
	Tariff    *tariff.Tariff
	Exchanges *money.Exchanges
}

func (s *Service) law() Law {
	if s.config.Law == nil {
		return Law{}
	}
	return s.config.Law()
}

// AssessCharges computes what a declaration owes, by the tariff and the
// exchange rates of its day of registration. It stores nothing. Errors:
// not_available without a tariff, and those of assess.Assess.
func (s *Service) AssessCharges(r assess.Request) (*assess.Assessment, error) {
	law := s.law()
	if law.Tariff == nil {
		return nil, fault.New(fault.NotAvailable, "payments", "no customs tariff is loaded")
	}
	a, err := assess.Assess(law.Tariff, law.Exchanges, r)
	if err != nil {
		return nil, fmt.Errorf("assess the charges: %w", err)
	}
	return a, nil
}

// ReadDeclaration reads a single input document with what it owes. Where a
// tariff is loaded, the charges are those of the tariff and the document must
// state the same to the tiyn; otherwise they are those that it states, as far
// as its own figures prove them.
func (s *Service) ReadDeclaration(raw []byte, c kz.Control) (*charge.Declaration, error) {
	d, err := charge.Read(raw, c)
	if err != nil {
		return nil, err
	}
	law := s.law()
	switch {
	case law.Tariff != nil:
		a, err := assess.Declared(law.Tariff, law.Exchanges, d)
		if err != nil {
			return nil, fmt.Errorf("hold the declaration against the tariff: %w", err)
		}
		d.Charges, d.Total = a.Charges(), a.Total
	case d.Unchecked != "":
		return nil, fault.New(fault.NotAvailable, d.Unchecked, "specific and combined rates are computed by the customs tariff, and none is loaded")
	}
	return d, nil
}

// Telling is a batch of charges that a state body tells, to be stored in the
// caller's transaction.
func (s *Service) Telling(teller string, charges []told.Charge) *told.Batch {
	return &told.Batch{
		Teller: teller, At: s.config.Now(), Charges: charges,
		Payable: func(body charge.RevenueOffice) bool { _, ok := s.config.Book[body]; return ok },
	}
}

// ChargesTold returns what state bodies told of a transaction.
func (s *Service) ChargesTold(ctx context.Context, q postgres.Querier, transaction uuid.UUID) ([]charge.Charge, error) {
	return told.Of(ctx, q, transaction)
}

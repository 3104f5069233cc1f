package assess

import (
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/money"
)

// RequestOf is what a single input document asks to be assessed.
func RequestOf(d *charge.Declaration) Request {
	r := Request{Registered: d.Issued, RevenueOffice: d.RevenueOffice, Procedure: d.Procedure, Items: make([]Item, len(d.Items))}
	for i, item := range d.Items {
		r.Items[i] = Item{
			CommodityCode: item.CommodityCode, CustomsValue: item.CustomsValue.Tenge(), NetWeight: item.NetWeight,
			Quantity: item.Quantity, Unit: tariff.Unit(item.Unit), Origin: item.Origin, Preference: item.Preference,
		}
	}
	return r
}

// Declared assesses a single input document and holds what it states against
// the result: each charge to the tiyn. State bodies' fees, which a declarant
// does not state, come with the assessment. The lines' paths are those of the
// document.
//
// Errors: those of Assess; charge_amount_mismatch where another amount is
// stated, charge_missing where one is owed and not stated.
func Declared(t *tariff.Tariff, rates *money.Exchanges, d *charge.Declaration) (*Assessment, error) {
	a, err := Assess(t, rates, RequestOf(d))
	if err != nil {
		return nil, err
	}
	type place struct {
		kind charge.Kind
		item int
	}
	stated := make(map[place]charge.Charge, len(d.Charges))
	for _, c := range d.Charges {
		stated[place{c.Kind, c.Item}] = c
	}
	for i := range a.Lines {
		l := &a.Lines[i]
		at := place{l.Kind, l.Item}
		c, found := stated[at]
		delete(stated, at)
		switch {
		case l.Kind == charge.StateServiceFee:
			l.Path = itemPath(d, l.Item)
			continue
		case !found && l.Amount != 0:
			return nil, fault.New(fault.ChargeMissing, itemPath(d, l.Item)+"/DutyTaxFee",
				"kind %s is not stated; the measure %s makes it %s", l.Kind, l.Measure.ID, l.Amount)
		case found && c.Amount != l.Amount:
			return nil, fault.New(fault.ChargeMismatch, c.Path+"/Payment/TaxAssessedAmount",
				"stated %s; the measure %s makes it %s", c.Amount, l.Measure.ID, l.Amount)
		}
		l.Path = itemPath(d, l.Item)
		if found {
			l.Path = c.Path
		}
	}
	for _, c := range d.Charges { // in their order, so that the first is named
		if left, unmet := stated[place{c.Kind, c.Item}]; unmet && left.Amount != 0 {
			return nil, fault.New(fault.ChargeMismatch, c.Path, "no measure owes kind %s", c.Kind)
		}
	}
	return a, nil
}

// itemPath is where an item stands in the document; item 0 is the document
// itself.
func itemPath(d *charge.Declaration, item int) string {
	if item == 0 {
		return "/Declaration"
	}
	return d.Items[item-1].Path
}

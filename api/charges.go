package api

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/assess"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/charge/told"
	"github.com/senim-kz/senim/payments/money"
)

// Owed is what the handlers ask of charges: part of Dossier.
type Owed interface {
	TellCharges(ctx context.Context, caller access.Caller, key idempotency.Key, charges []told.Charge) (*dossier.ToldCharges, error)
	AssessCharges(r assess.Request) (*assess.Assessment, error)
	Charges(ctx context.Context, caller access.Caller, transaction uuid.UUID) ([]charge.Charge, error)
}

// TellCharges is the body of tellCharges. The generator makes no type of a body
// that its handler decodes.
type TellCharges struct {
	Charges []ToldCharge `json:"charges"`
}

// ToldCharge is one charge that a state body tells.
type ToldCharge struct {
	TransactionID uuid.UUID `json:"transaction_id"`
	Reference     string    `json:"reference"`
	Body          string    `json:"body"`
	Kind          string    `json:"kind"`
	BudgetCode    string    `json:"budget_code"`
	PurposeCode   string    `json:"purpose_code"`
	AmountTiyn    int64     `json:"amount_tiyn"`
	Act           string    `json:"act"`
	Note          string    `json:"note,omitempty"`
}

func (h handlers) TellCharges(ctx context.Context, r TellChargesRequestObject) (TellChargesResponseObject, error) {
	ctx, c := enter(ctx)
	charges, err := readCharges(c.body)
	if err != nil {
		return nil, err
	}
	told, err := h.rooms.Dossier.TellCharges(ctx, c.caller, c.key(r.Params.IdempotencyKey), charges)
	if err != nil {
		return nil, err
	}
	return TellCharges200JSONResponse{
		Stored: told.Stored, Known: told.Known,
		Refused: each(told.Refused, func(refused dossier.ChargeRefusal) RefusedCharge {
			return RefusedCharge{
				Index: refused.Index, Code: string(refused.Code), Title: refused.Code.Message(c.language), At: refused.At,
			}
		}),
	}, nil
}

// chargeBytes is the least that a charge with all its members has in JSON.
const chargeBytes = 160

// readCharges reads the body of tellCharges. A member that is not there is
// empty: that is its charge's own refusal.
func readCharges(body []byte) (charges []told.Charge, err error) {
	r := newJSONReader(body)
	charges = make([]told.Charge, 0, min(told.AtOnceMax, len(body)/chargeBytes))
	err = r.object(func(name string) error {
		if name != "charges" {
			return fault.New(fault.BodyInvalid, "", "there is no such member")
		}
		return r.list(func() error {
			if len(charges) == told.AtOnceMax {
				return fault.New(fault.InputTooBig, "/charges", "more than %d charges", told.AtOnceMax)
			}
			charges = append(charges, told.Charge{})
			return readCharge(r, &charges[len(charges)-1])
		})
	})
	if err == nil {
		err = r.end()
	}
	return charges, err
}

func readCharge(r *jsonReader, c *told.Charge) error {
	return r.object(func(name string) error {
		if name == "amount_tiyn" {
			amount, err := r.integer()
			c.Amount = money.Tiyn(amount)
			return err
		}
		text, err := r.string()
		if err != nil {
			return err
		}
		switch name {
		case "transaction_id":
			c.Transaction, err = uuid.Parse(text)
			if err != nil || len(text) != uuidText {
				return fault.New(fault.BodyInvalid, "", "a transaction's id is a UUID")
			}
		case "reference":
			c.Reference = text
		case "body":
			c.Body = charge.RevenueOffice(text)
		case "kind":
			c.Kind = charge.Kind(text)
		case "budget_code":
			c.BudgetCode = charge.BudgetCode(text)
		case "purpose_code":
			c.PurposeCode = charge.PurposeCode(text)
		case "act":
			c.Act = text
		case "note":
			c.Note = text
		default:
			return fault.New(fault.BodyInvalid, "", "there is no such member")
		}
		return nil
	})
}

func (h handlers) AssessCharges(ctx context.Context, r AssessChargesRequestObject) (AssessChargesResponseObject, error) {
	_, c := enter(ctx)
	request, err := readAssessment(r.Body)
	if err != nil {
		return nil, err
	}
	a, err := h.rooms.Dossier.AssessCharges(request)
	if err != nil {
		return nil, err
	}
	return AssessCharges200JSONResponse(renderAssessment(a, c.language)), nil
}

func readAssessment(b *AssessRequest) (assess.Request, error) {
	r := assess.Request{
		Registered: b.Registered, RevenueOffice: charge.RevenueOffice(b.RevenueOffice), Procedure: value(b.Procedure),
		Items: make([]assess.Item, len(b.Items)),
	}
	if r.Procedure == "" {
		r.Procedure = charge.FreeCirculation
	}
	for i, item := range b.Items {
		at := "/items/" + strconv.Itoa(i)
		numbers := [...]struct {
			name, text string
			to         *money.Rate
		}{
			{"customs_value", item.CustomsValue, &r.Items[i].CustomsValue},
			{"net_weight_kg", value(item.NetWeightKg), &r.Items[i].NetWeight},
			{"quantity", value(item.Quantity), &r.Items[i].Quantity},
		}
		for _, n := range numbers {
			if n.text == "" {
				continue
			}
			var err error
			if *n.to, err = money.ParseRate(n.text); err != nil {
				return r, fault.Wrap(err, fault.ItemInvalid, at+"/"+n.name, "read a number")
			}
		}
		r.Items[i].CommodityCode, r.Items[i].Origin = charge.CommodityCode(item.CommodityCode), item.Origin
		r.Items[i].Currency, r.Items[i].Preference = value(item.Currency), value(item.Preference)
		r.Items[i].Unit = tariff.Unit(value(item.Unit))
	}
	return r, nil
}

func renderAssessment(a *assess.Assessment, language fault.Language) Assessment {
	shown := Assessment{
		Registered: a.Day, TariffVersion: a.TariffVersion, TariffSha256: a.TariffDigest, TotalTiyn: int64(a.Total), TotalRounding: a.TotalRounding,
		Charges: each(a.Charges(), func(c charge.Charge) Charge { return renderCharge(c, language) }),
		Permits: []Permit{},
	}
	for _, p := range a.Permits {
		shown.Permits = append(shown.Permits, Permit{
			Item: p.Item, Document: p.Measure.Document, Authority: p.Measure.Authority, Name: p.Measure.Name.In(language), Act: p.Measure.Ground,
		})
	}
	return shown
}

func (h handlers) GetCharges(ctx context.Context, r GetChargesRequestObject) (GetChargesResponseObject, error) {
	ctx, c := enter(ctx)
	charges, err := h.rooms.Dossier.Charges(ctx, c.caller, r.ID)
	if err != nil {
		return nil, err
	}
	return GetCharges200JSONResponse{Charges: each(charges, func(ch charge.Charge) Charge { return renderCharge(ch, c.language) })}, nil
}

func renderCharge(c charge.Charge, language fault.Language) Charge {
	shown := Charge{
		Kind: string(c.Kind), Name: c.Kind.Name(), Body: string(c.RevenueOffice), BudgetCode: string(c.BudgetCode), PurposeCode: string(c.PurposeCode),
		Item: c.Item, CommodityCode: string(c.CommodityCode), BaseTiyn: int64(c.Base), Quantity: c.Quantity, Rate: c.Rate,
		Rounding: string(c.Rounding), AmountTiyn: int64(c.Amount), At: c.Path,
	}
	if g := c.Ground; g != nil {
		shown.Ground = &ChargeGround{
			Measure: g.Measure, Tariff: g.Tariff, Act: g.Act, From: optionalDay(g.From), To: optionalDay(g.To), Note: g.Note,
			Explanation: g.Explanation[string(language)],
			Exchanges: each(g.Exchanges, func(x money.Exchange) ExchangeRate {
				return ExchangeRate{Currency: x.Currency, Units: x.Units, Tenge: x.Tenge.String(), Day: x.Day, Source: x.Source}
			}),
		}
	}
	return shown
}

func optionalDay(d kz.Day) *kz.Day {
	if d.IsZero() {
		return nil
	}
	return &d
}

package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/assess"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/charge/told"
)

// The rooms' part in charges: computing is the real one, by the sample tariff.

func (r *rooms) TellCharges(_ context.Context, c access.Caller, k idempotency.Key, charges []told.Charge) (*dossier.ToldCharges, error) {
	answer := &dossier.ToldCharges{Known: []int{}, Refused: []dossier.ChargeRefusal{}}
	for i, t := range charges {
		switch t.Reference {
		case "known":
			answer.Known = append(answer.Known, i)
		case "bad":
			answer.Refused = append(answer.Refused, dossier.ChargeRefusal{Index: i, Code: fault.OrderInvalid, At: "/budget_code"})
		default:
			answer.Stored++
		}
	}
	return answer, r.note(c, k, []byte(charges[0].Act))
}

func (r *rooms) AssessCharges(q assess.Request) (*assess.Assessment, error) {
	sample, err := tariff.Sample()
	if err != nil {
		return nil, err
	}
	return assess.Assess(sample, nil, q)
}

func (r *rooms) Charges(_ context.Context, c access.Caller, _ uuid.UUID) ([]charge.Charge, error) {
	day := kz.DayOf(start)
	return []charge.Charge{
		{Kind: charge.StateServiceFee, RevenueOffice: "MA-VET", BudgetCode: "201105", Amount: 450000, Path: "F-1", Ground: &charge.Ground{Act: "price list", Note: "12 t", From: day}},
		{Kind: charge.ImportDuty, Amount: 1},
	}, r.note(c, idempotency.Key{}, nil)
}

func TestTellCharges(t *testing.T) {
	h := newHouse(t)
	ministry := h.client(clientOf(access.Ministry), access.Ministry)
	r := good(t, "tellCharges", ministry)
	one := r.body[len(`{"charges":[`) : len(r.body)-2]
	r.body = `{"charges":[` + strings.Join([]string{one, strings.Replace(one, `"R"`, `"known"`, 1), strings.Replace(one, `"R"`, `"bad"`, 1)}, ",") + `]}`
	r.headers["Accept-Language"] = "ru"
	a := h.do(r)
	want := `{"known":[1],"refused":[{"at":"/budget_code","code":"order_invalid","index":2,"title":"` + fault.OrderInvalid.Message(fault.Russian) + `"}],"stored":1}`
	if a.status != 200 || strings.TrimSpace(string(a.body)) != want {
		t.Errorf("%d %s\nwant %s", a.status, a.body, want)
	}
	for name, body := range map[string]string{
		"an unknown field": strings.Replace(r.body, `"act"`, `"law"`, 1),
		"half a tiyn":      strings.Replace(r.body, `:100,`, `:100.5,`, 1),
		"a text as amount": strings.Replace(r.body, `:100,`, `:"100",`, 1),
		"a text left null": strings.Replace(r.body, `"act":"a"`, `"act":null`, 1),
		"another case":     strings.Replace(r.body, `"act"`, `"Act"`, 1),
		"a member twice":   strings.Replace(r.body, `"act":"a"`, `"act":"a","act":"b"`, 1),
		"no UUID":          strings.Replace(r.body, `"transaction_id":"`, `"transaction_id":"x`, 1),
		"a UUID in braces": strings.Replace(r.body, `019aa5c0-0000-7000-8000-000000000001`, `{019aa5c0-0000-7000-8000-000000000001}`, 1),
		"two values":       r.body + "{}",
		"a list":           `[]`,
		"no list":          `{"charges":{}}`,
		"something else":   `{"charges":[],"x":1}`,
		"a broken text":    strings.Replace(r.body, `"act":"a"`, `"act":"\ud800"`, 1),
	} {
		r := good(t, "tellCharges", ministry)
		r.body = body
		if a := h.do(r); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// What is written is what is read.
func TestReadCharges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z"\\\\ қ😀\n]{0,9}`)
		body := TellCharges{Charges: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ToldCharge {
			return ToldCharge{
				TransactionID: uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")), Reference: text.Draw(t, "reference"), Body: text.Draw(t, "body"),
				Kind: text.Draw(t, "kind"), BudgetCode: text.Draw(t, "budget"), PurposeCode: text.Draw(t, "purpose"),
				AmountTiyn: rapid.Int64().Draw(t, "amount"), Act: text.Draw(t, "act"), Note: text.Draw(t, "note"),
			}
		}), 0, 5).Draw(t, "charges")}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		charges, err := readCharges(raw)
		if err != nil || len(charges) != len(body.Charges) {
			t.Fatalf("%d charges, %v: %s", len(charges), err, raw)
		}
		for i, c := range charges {
			read := ToldCharge{
				TransactionID: c.Transaction, Reference: c.Reference, Body: string(c.Body), Kind: string(c.Kind), BudgetCode: string(c.BudgetCode),
				PurposeCode: string(c.PurposeCode), AmountTiyn: int64(c.Amount), Act: c.Act, Note: c.Note,
			}
			if read != body.Charges[i] {
				t.Errorf("%+v was read of %s", read, raw)
			}
		}
	})
	many := `{"charges":[` + strings.Repeat(`{},`, told.AtOnceMax) + `{}]}`
	if _, err := readCharges([]byte(many)); !fault.Is(err, fault.InputTooBig) {
		t.Errorf("too many: %v", err)
	}
}

// Whatever is taken, encoding/json reads alike.
func FuzzReadCharges(f *testing.F) {
	f.Add([]byte(`{"charges":[{"transaction_id":"019aa5c0-0000-7000-8000-000000000001","reference":"R","amount_tiyn":100,"act":"\u0430"}]}`))
	f.Add([]byte(`{"charges":[{},{"note":"a\"b"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		charges, err := readCharges(body)
		if err != nil {
			return
		}
		var other TellCharges
		if err := json.Unmarshal(body, &other); err != nil || len(other.Charges) != len(charges) {
			t.Fatalf("%d charges; encoding/json: %d, %v", len(charges), len(other.Charges), err)
		}
		for i, c := range charges {
			if o := other.Charges[i]; o.Act != c.Act || o.Note != c.Note || o.Reference != c.Reference || o.AmountTiyn != int64(c.Amount) || o.TransactionID != c.Transaction {
				t.Errorf("%+v; encoding/json: %+v", c, o)
			}
		}
	})
}

func TestAssessCharges(t *testing.T) {
	h := newHouse(t)
	trader := h.client(clientOf(access.SingleWindow), access.SingleWindow)
	r := good(t, "assessCharges", trader)
	r.headers["Accept-Language"] = "kk"
	a := h.do(r)
	var got Assessment
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// 1000 tenge of toasters: the fee, 5 % duty, 16 % of 1050.
	if got.TotalTiyn != 20000_00+50_00+168_00 || len(got.Charges) != 3 || !strings.HasPrefix(got.Charges[1].Ground.Explanation, "Кедендік әкелу бажы: 5% × ") {
		t.Errorf("%s", a.body)
	}
	for name, c := range map[string]struct {
		old, new string
		status   int
		code     fault.Code
	}{
		"an unknown code":    {"8516720000", "8516720001", 422, fault.CommodityUnknown},
		"no rate of the day": {`"origin"`, `"currency":"USD","origin"`, 422, fault.ExchangeMissing},
		"a negative value":   {`"1000"`, `"-1000"`, 400, fault.BodyInvalid},
		"no items":           {`"items":[`, `"items":[],"x":[`, 400, fault.BodyInvalid},
	} {
		r := good(t, "assessCharges", trader)
		r.body = strings.Replace(r.body, c.old, c.new, 1)
		if a := h.do(r); a.status != c.status || !strings.Contains(string(a.body), `"`+string(c.code)+`"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestGetCharges(t *testing.T) {
	h := newHouse(t)
	a := h.do(good(t, "getCharges", h.client(clientOf(access.Auditor), access.Auditor)))
	var got GetCharges200JSONResponse
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 || len(got.Charges) != 2 ||
		got.Charges[0].Ground == nil || got.Charges[0].Ground.From == nil || got.Charges[0].Ground.Note != "12 t" || got.Charges[1].Ground != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
}

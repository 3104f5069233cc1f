package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/payments/charge"
)

// debitAccount is ISO 13616's example of an account in Kazakhstan.
const debitAccount = "KZ86125KZT5004100100"

// bodies puts the fees of two ministries on the bill of a third transaction,
// beside what its declaration owes to the revenue office, and has the bill
// debited from the trader's account under a mandate that its head signed.
func (d *demo) bodies(ctx context.Context) error {
	t, err := d.openWithDocument(ctx, "DEMO-BODIES")
	if err != nil {
		return err
	}
	if err := d.tellFees(ctx, t.ID); err != nil {
		return err
	}
	var order api.Order
	err = d.trader.call(ctx, request{method: http.MethodPost, path: "/v1/transactions/" + t.ID.String() + "/orders", idempotencyKey: uuid.NewString()}, &order)
	if err != nil {
		return err
	}
	beneficiaries := map[string]bool{}
	for _, l := range order.Lines {
		beneficiaries[l.Beneficiary.BIN] = true
		d.tell(sayLine, l.Name, l.BudgetCode, display(l.AmountTiyn), l.Identifier)
	}
	d.tell(sayBodies, display(order.TotalTiyn), len(beneficiaries))
	return d.debit(ctx, order)
}

// tellFees is what two ministries' systems do at any time before the bill is
// drawn up.
func (d *demo) tellFees(ctx context.Context, transaction uuid.UUID) error {
	fees := api.TellCharges{}
	for _, fee := range []struct {
		body, act string
		tiyn      int64
	}{
		{"MA-VET", "прейскурант ветеринарной службы (стенд)", 4_500_00},
		{"MH", "прейскурант медицинского контроля (стенд)", 7_250_00},
	} {
		fees.Charges = append(fees.Charges, api.ToldCharge{
			TransactionID: transaction, Reference: "FEE-" + fee.body, Body: fee.body, Kind: string(charge.StateServiceFee),
			BudgetCode: "201105", PurposeCode: "859", AmountTiyn: fee.tiyn, Act: fee.act,
		})
	}
	body, err := json.Marshal(fees)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	var told api.ToldCharges
	err = d.window.call(ctx, request{method: http.MethodPost, path: "/v1/charges", contentType: "application/json", body: body, idempotencyKey: uuid.NewString()}, &told)
	if err == nil && told.Stored != len(fees.Charges) {
		return fault.New(fault.Internal, "charges", "%d of %d were stored", told.Stored, len(fees.Charges))
	}
	return err
}

// debit gives a mandate for just this order and has it debited.
func (d *demo) debit(ctx context.Context, order api.Order) error {
	today := kz.DayOf(d.now())
	mandate, err := d.signAs(ctx, d.people[sandbox.Head], fmt.Appendf(nil,
		`{"payer_bin":%q,"account":%q,"debit_max_tiyn":%d,"month_max_tiyn":%d,"valid_from":%q,"valid_to":%q}`,
		order.PayerBIN, debitAccount, order.TotalTiyn, order.TotalTiyn, today, today.AddDays(365)))
	if err != nil {
		return err
	}
	var given api.Mandate
	err = d.trader.call(ctx, request{method: http.MethodPost, path: "/v1/mandates", contentType: cmsType, body: mandate, idempotencyKey: uuid.NewString()}, &given)
	if err != nil {
		return err
	}
	d.tell(sayMandate, display(given.DebitMaxTiyn), given.Account)
	var debit api.Debit
	path := "/v1/orders/" + order.ID.String()
	err = d.trader.call(ctx, request{
		method: http.MethodPost, path: path + "/debit", contentType: "application/json", body: fmt.Appendf(nil, `{"mandate_id":%q}`, given.ID), idempotencyKey: uuid.NewString(),
	}, &debit)
	if err != nil {
		return err
	}
	if _, err := d.orderIs(ctx, order.ID, "paid"); err != nil {
		return err
	}
	d.tell(sayDebited, display(debit.AmountTiyn), debit.State)
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
)

// overpaidBy is what the demo's payer pays too much, in tiyn.
const overpaidBy = 500_00

// refund pays the order of a second transaction in two parts and 500 tenge too
// much, and gives that back: the treasury's operator asks, its controller
// approves.
func (d *demo) refund(ctx context.Context) error {
	order, err := d.secondOrder(ctx)
	if err != nil {
		return err
	}
	const part = 100_000_00
	if err := d.bankPays(ctx, order.ID, part); err != nil {
		return err
	}
	if order, err = d.orderIs(ctx, order.ID, "partially_paid"); err != nil {
		return err
	}
	d.tell(sayPart, display(part), display(order.OwedTiyn))
	if err := d.bankPays(ctx, order.ID, order.OwedTiyn+overpaidBy); err != nil {
		return err
	}
	if order, err = d.orderIs(ctx, order.ID, "overpaid"); err != nil {
		return err
	}
	d.tell(sayOverpaid, display(order.CreditedTiyn))
	return d.payBack(ctx, order)
}

// secondOrder is that of another transaction with the same document.
func (d *demo) secondOrder(ctx context.Context) (order api.Order, err error) {
	t, err := d.openWithDocument(ctx, "DEMO-REFUND")
	if err != nil {
		return order, err
	}
	err = d.trader.call(ctx, request{method: http.MethodPost, path: "/v1/transactions/" + t.ID.String() + "/orders", idempotencyKey: uuid.NewString()}, &order)
	return order, err
}

// openWithDocument opens another transaction with the same document.
func (d *demo) openWithDocument(ctx context.Context, reference string) (t api.Transaction, err error) {
	if t, err = d.open(ctx, d.trader, reference); err != nil {
		return t, err
	}
	return t, d.send(ctx, d.trader, t.ID, d.signed, nil)
}

// bankPays has the stand-in for the bank pay so much of an order.
func (d *demo) bankPays(ctx context.Context, order uuid.UUID, tiyn int64) error {
	return d.treasury.call(ctx, request{
		method: http.MethodPost, path: d.around.sandbox.URLs().Control.PSHEP + "acts", contentType: "application/json",
		body: fmt.Appendf(nil, `{"act":"pay","order_id":%q,"amount_tiyn":%d}`, order, tiyn),
	}, nil)
}

// payBack gives back what was paid too much, by the larger of the payments.
func (d *demo) payBack(ctx context.Context, order api.Order) error {
	payment, err := d.largestPayment(ctx, order.TransactionID)
	if err != nil {
		return err
	}
	body, err := json.Marshal(api.AskRefund{OrderID: order.ID, CreditTiyn: &order.CreditedTiyn, Payment: &payment, Reason: "paid too much"})
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	var refund api.Refund
	err = d.treasury.call(ctx, request{method: http.MethodPost, path: "/v1/refunds", contentType: "application/json", body: body, idempotencyKey: uuid.NewString()}, &refund)
	if err != nil {
		return err
	}
	d.tell(sayRefundAsked, display(refund.AmountTiyn), refund.AskedBy, refund.Due)
	path := "/v1/refunds/" + refund.ID.String()
	err = d.controller.call(ctx, request{method: http.MethodPost, path: path + "/approval", idempotencyKey: uuid.NewString()}, &refund)
	if err != nil {
		return err
	}
	d.tell(sayRefundApproved, *refund.DecidedBy)
	err = d.until(ctx, "refund", func() (bool, error) {
		err := d.controller.call(ctx, request{method: http.MethodGet, path: path}, &refund)
		return refund.State == "executed", err
	})
	if err != nil {
		return err
	}
	d.tell(sayRefundExecuted, *refund.Reference)
	return nil
}

// largestPayment is the gateway's reference of the largest payment of a
// transaction, as its events tell.
func (d *demo) largestPayment(ctx context.Context, transaction uuid.UUID) (reference string, err error) {
	t, err := d.show(ctx, d.trader, transaction)
	if err != nil {
		return "", err
	}
	var most int64
	for _, e := range t.Events {
		raw, err := json.Marshal(e.Data)
		if err != nil {
			return "", fmt.Errorf("read an event: %w", err)
		}
		var posted struct {
			Reference string `json:"reference"`
			Amount    int64  `json:"amount_tiyn"`
		}
		if err := json.Unmarshal(raw, &posted); err != nil || e.Type != "payment.posted" {
			continue
		}
		if posted.Amount > most {
			reference, most = posted.Reference, posted.Amount
		}
	}
	return reference, nil
}

func (d *demo) orderIs(ctx context.Context, id uuid.UUID, state api.OrderState) (o api.Order, err error) {
	err = d.until(ctx, "order", func() (bool, error) {
		err := d.treasury.call(ctx, request{method: http.MethodGet, path: "/v1/orders/" + id.String()}, &o)
		return o.State == state, err
	})
	return o, err
}

// until asks until something holds.
func (d *demo) until(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		if done, err := holds(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.PeerDown, what, "not as it should be after %s", settleTimeout)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

package gateway

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// EncodeQuery asks what has happened to an order's bill.
func EncodeQuery(order uuid.UUID) string { return encodeOrder(queryElement, order) }

// DecodeQuery reads what EncodeQuery wrote.
func DecodeQuery(root *xmldsig.Element) (uuid.UUID, error) { return decodeOrder(root, queryElement) }

// EncodeCancel withdraws the bill of an order.
func EncodeCancel(order uuid.UUID) string { return encodeOrder(cancelElement, order) }

// DecodeCancel reads what EncodeCancel wrote.
func DecodeCancel(root *xmldsig.Element) (uuid.UUID, error) { return decodeOrder(root, cancelElement) }

func encodeOrder(element string, order uuid.UUID) string {
	w := open(element)
	w.field("Order", order.String())
	return w.close(element)
}

func decodeOrder(root *xmldsig.Element, element string) (uuid.UUID, error) {
	r := read(root, element)
	id := r.id("Order")
	return id, r.done()
}

// EncodeRefund orders a refund.
func EncodeRefund(o RefundOrder) string {
	w := open(refundElement)
	w.field("Refund", o.ID.String())
	w.field("Order", o.Order.String())
	w.field("Payment", o.Payment)
	w.field("Amount", o.Amount.String())
	return w.close(refundElement)
}

// DecodeRefund reads what EncodeRefund wrote.
func DecodeRefund(root *xmldsig.Element) (RefundOrder, error) {
	r := read(root, refundElement)
	o := RefundOrder{
		ID: r.id("Refund"), Order: r.id("Order"), Payment: r.pattern("Payment", referencePattern), Amount: r.amount("Amount"),
	}
	return o, r.done()
}

// EncodeReport writes what has happened to an order's bill: the answer to
// every request but the bill itself.
func EncodeReport(order uuid.UUID, facts []Fact) string {
	w := open(reportElement)
	w.field("Order", order.String())
	for _, f := range facts {
		w.start(factElement)
		w.fact(f)
		w.end(factElement)
	}
	return w.close(reportElement)
}

// DecodeReport reads what EncodeReport wrote. All its facts are of its order.
func DecodeReport(root *xmldsig.Element, c kz.Control) (order uuid.UUID, facts []Fact, err error) {
	r := read(root, reportElement)
	order = r.id("Order")
	told := r.all(factElement)
	if len(told) > factsMax {
		r.fail(factElement, "%d facts, at most %d", len(told), factsMax)
		told = nil
	}
	for i, e := range told {
		f, err := decodeTold(e, i, c)
		if err != nil {
			return uuid.Nil, nil, err
		}
		if f.Order != order {
			return uuid.Nil, nil, fault.New(fault.CallbackMalformed, fmt.Sprintf("/%s/%s/%d/Order", reportElement, factElement, i), "a fact of another order")
		}
		facts = append(facts, f)
	}
	return order, facts, r.done()
}

func decodeTold(e *xmldsig.Element, i int, c kz.Control) (Fact, error) {
	r := &reader{element: e, path: fmt.Sprintf("/%s/%s/%d", reportElement, factElement, i), taken: map[string]bool{}}
	f := r.fact(c)
	return f, r.done()
}

// EncodeCapture asks for held money.
func EncodeCapture(c CaptureOrder) string {
	w := open(captureElement)
	w.field("Order", c.Order.String())
	w.field("Authorisation", c.Authorisation)
	w.field("Amount", c.Amount.String())
	return w.close(captureElement)
}

// DecodeCapture reads what EncodeCapture wrote.
func DecodeCapture(root *xmldsig.Element) (CaptureOrder, error) {
	r := read(root, captureElement)
	c := CaptureOrder{Order: r.id("Order"), Authorisation: r.pattern("Authorisation", referencePattern), Amount: r.amount("Amount")}
	return c, r.done()
}

// EncodeDebit asks for money under a mandate.
func EncodeDebit(d DebitOrder) string {
	w := open(debitElement)
	w.field("Debit", d.ID.String())
	w.field("Order", d.Order.String())
	w.field("Mandate", d.Mandate.String())
	w.field("PayerBIN", string(d.Payer))
	w.field("Account", d.Account)
	w.field("Amount", d.Amount.String())
	return w.close(debitElement)
}

// DecodeDebit reads what EncodeDebit wrote.
func DecodeDebit(root *xmldsig.Element, c kz.Control) (DebitOrder, error) {
	r := read(root, debitElement)
	d := DebitOrder{
		ID: r.id("Debit"), Order: r.id("Order"), Mandate: r.id("Mandate"), Payer: r.bin("PayerBIN", c),
		Account: r.pattern("Account", iikPattern), Amount: r.amount("Amount"),
	}
	return d, r.done()
}

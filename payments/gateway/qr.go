package gateway

import (
	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// QRStatus is how far a code is, in the words that the country's QR payments
// use.
type QRStatus string

// The statuses of a code.
const (
	QRNew      QRStatus = "NEW"
	QRScanned  QRStatus = "SCANNED"
	QRBlocked  QRStatus = "BLOCKED" // the money is held, and must not be taken for settled
	QRPaid     QRStatus = "PAID"
	QRRejected QRStatus = "REJECTED"
	QRClosed   QRStatus = "CLOSED" // it died unpaid
	QRReturned QRStatus = "RETURN"
)

// qrKinds are what the statuses are as facts. A code that is new is none: we
// asked for it.
var qrKinds = map[QRStatus]FactKind{
	QRScanned: Pending, QRBlocked: Authorised, QRPaid: Captured, QRRejected: Failed, QRClosed: Failed, QRReturned: Reversed,
}

// Kind is the status as a kind of fact; ok is false for one that is none.
func (s QRStatus) Kind() (k FactKind, ok bool) {
	k, ok = qrKinds[s]
	return k, ok
}

// payloadMax is what a QR code of version 25 holds at its medium error
// correction, and what a phone's camera still reads from a screen.
const payloadMax = 1000

// EncodeQRRequest asks for a code.
func EncodeQRRequest(q QRRequest) string {
	w := open(qrRequestElement)
	w.field("QR", q.ID.String())
	w.field("Order", q.Order.String())
	w.field("Amount", q.Amount.String())
	w.field("ExpiresAt", q.ExpiresAt.Format(timeLayout))
	return w.close(qrRequestElement)
}

// DecodeQRRequest reads what EncodeQRRequest wrote.
func DecodeQRRequest(root *xmldsig.Element) (QRRequest, error) {
	r := read(root, qrRequestElement)
	q := QRRequest{ID: r.id("QR"), Order: r.id("Order"), Amount: r.amount("Amount"), ExpiresAt: r.time("ExpiresAt")}
	return q, r.done()
}

// EncodeQR writes a code.
func EncodeQR(id uuid.UUID, payload string) string {
	w := open(qrElement)
	w.field("QR", id.String())
	w.field("Payload", payload)
	return w.close(qrElement)
}

// DecodeQR reads what EncodeQR wrote.
func DecodeQR(root *xmldsig.Element) (id uuid.UUID, payload string, err error) {
	r := read(root, qrElement)
	id, payload = r.id("QR"), r.text("Payload")
	if len(payload) > payloadMax {
		r.fail("Payload", "more than %d bytes", payloadMax)
	}
	for _, c := range payload {
		if c < ' ' || c > '~' {
			r.fail("Payload", "not printable ASCII")
			break
		}
	}
	return id, payload, r.done()
}

// EncodeQRStatus tells of a code's new status.
func EncodeQRStatus(s QRStatus, f Fact) string {
	w := open(qrStatusElement)
	w.field("Status", string(s))
	w.happening(f)
	return w.close(qrStatusElement)
}

// DecodeQRStatus reads what EncodeQRStatus wrote as a fact.
func DecodeQRStatus(root *xmldsig.Element, c kz.Control) (Fact, error) {
	r := read(root, qrStatusElement)
	f := r.happening(c)
	kind, ok := QRStatus(r.text("Status")).Kind()
	if !ok {
		r.fail("Status", "not a status that is told")
	}
	if f.Kind = kind; kind.Refers() && f.Original == "" {
		r.fail("Original", "a return says of what")
	}
	return f, r.done()
}

// DecodeTold reads any message that a gateway sends by itself.
func DecodeTold(root *xmldsig.Element, c kz.Control) (Fact, error) {
	switch {
	case root.Is(Namespace, factElement):
		return DecodeFact(root, c)
	case root.Is(Namespace, qrStatusElement):
		return DecodeQRStatus(root, c)
	}
	return Fact{}, fault.New(fault.CallbackMalformed, "", "not a message about a payment")
}

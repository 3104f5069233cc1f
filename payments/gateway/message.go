package gateway

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Namespace of the messages: ours, see the package comment.
const Namespace = "urn:senim:payment-gateway:1"

// The messages, by their root elements.
const (
	billElement         = "RegisterBill"
	registrationElement = "BillRegistered"
	factElement         = "PaymentFact"
	queryElement        = "QueryBill"
	reportElement       = "BillReport"
	refundElement       = "OrderRefund"
	cancelElement       = "CancelBill"
	captureElement      = "CaptureHold"
	debitElement        = "DebitAccount"
	qrRequestElement    = "RequestQR"
	qrElement           = "QRIssued"
	qrStatusElement     = "QRStatus"
	receiptElement      = "PaymentFactReceived"
)

const (
	fieldBytesMax = 2048 // a payment URL; everything else is far shorter
	linesMax      = 64   // as an order has
	factsMax      = 256  // of one order in a report
	timeLayout    = time.RFC3339Nano
)

var (
	referencePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	bicPattern       = regexp.MustCompile(`^[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$`)
	iikPattern       = regexp.MustCompile(`^KZ[0-9]{5}[A-Z0-9]{13}$`)
	numberPattern    = regexp.MustCompile(`^[1-9][0-9]{0,5}$`)
	positionPattern  = regexp.MustCompile(`^(0|[1-9][0-9]?)$`)
)

// EncodeBill writes a bill.
func EncodeBill(b Bill) string {
	w := open(billElement)
	w.field("Order", b.Order.String())
	w.field("Number", strconv.Itoa(b.Number))
	w.field("PayerBIN", string(b.Payer))
	w.field("Amount", b.Amount.String())
	w.field("Owed", b.Owed.String())
	w.field("ExpiresAt", b.ExpiresAt.Format(timeLayout))
	for i, l := range b.Lines {
		r := l.Requisites
		w.start("Line")
		w.field("Position", strconv.Itoa(i))
		w.field("Identifier", string(l.Identifier))
		w.field("Kind", string(l.Kind))
		w.field("BudgetCode", string(l.BudgetCode))
		w.field("PurposeCode", string(l.PurposeCode))
		w.field("RevenueOffice", string(r.RevenueOffice))
		w.field("BeneficiaryBIN", string(r.BIN))
		w.field("BeneficiaryName", r.Name)
		w.field("BIC", r.BIC)
		w.field("IIK", r.IIK)
		w.field("KBe", r.KBe)
		w.field("Amount", l.Amount.String())
		w.end("Line")
	}
	return w.close(billElement)
}

// DecodeBill reads what EncodeBill wrote, and checks that the lines make up
// the amount. c is the control of the BINs.
func DecodeBill(root *xmldsig.Element, c kz.Control) (Bill, error) {
	r := read(root, billElement)
	b := Bill{
		Order: r.id("Order"), Payer: r.bin("PayerBIN", c), Amount: r.amount("Amount"), Owed: r.amount("Owed"), ExpiresAt: r.time("ExpiresAt"),
	}
	b.Number, _ = strconv.Atoi(r.pattern("Number", numberPattern))
	lines := r.all("Line")
	if len(lines) == 0 || len(lines) > linesMax {
		r.fail("Line", "%d lines, not 1 to %d", len(lines), linesMax)
	}
	var total money.Tiyn
	for i, e := range lines {
		l, err := decodeLine(e, i, c)
		if err != nil {
			return Bill{}, err
		}
		if total, err = total.Add(l.Amount); err != nil {
			return Bill{}, fault.Wrap(err, fault.CallbackMalformed, "/"+billElement, "add up the lines")
		}
		b.Lines = append(b.Lines, l)
	}
	if err := r.done(); err != nil {
		return Bill{}, err
	}
	if b.Owed > b.Amount {
		return Bill{}, fault.New(fault.CallbackMalformed, "/"+billElement+"/Owed", "more than the amount")
	}
	if total != b.Amount {
		return Bill{}, fault.New(fault.CallbackMalformed, "/"+billElement+"/Amount", "the lines make %s", total)
	}
	return b, nil
}

func decodeLine(e *xmldsig.Element, i int, c kz.Control) (order.Line, error) {
	r := &reader{element: e, path: fmt.Sprintf("/%s/Line/%d", billElement, i), taken: map[string]bool{}}
	if r.pattern("Position", positionPattern) != strconv.Itoa(i) {
		r.fail("Position", "the lines are not in their order")
	}
	l := order.Line{
		Kind: charge.Kind(r.text("Kind")), BudgetCode: charge.BudgetCode(r.text("BudgetCode")),
		PurposeCode: charge.PurposeCode(r.text("PurposeCode")), Amount: r.amount("Amount"), State: order.LineOwed,
		Requisites: order.Requisites{
			RevenueOffice: charge.RevenueOffice(r.text("RevenueOffice")), BIN: r.bin("BeneficiaryBIN", c),
			Name: r.text("BeneficiaryName"), BIC: r.pattern("BIC", bicPattern), IIK: r.text("IIK"), KBe: r.text("KBe"),
		},
	}
	var err error
	if l.Identifier, err = order.ParseIdentifier(r.text("Identifier")); err != nil {
		r.fail("Identifier", "not an identifier with its check digits")
	}
	if err := l.Requisites.Check(c); err != nil {
		r.fail("IIK", "the requisites are wrong: %v", err)
	}
	return l, r.done()
}

// EncodeRegistration writes the answer to the bill of an order.
func EncodeRegistration(id uuid.UUID, reference, paymentURL string) string {
	w := open(registrationElement)
	w.field("Order", id.String())
	w.field("Reference", reference)
	w.field("PaymentURL", paymentURL)
	return w.close(registrationElement)
}

// DecodeRegistration reads what EncodeRegistration wrote.
func DecodeRegistration(root *xmldsig.Element) (id uuid.UUID, reference, paymentURL string, err error) {
	r := read(root, registrationElement)
	id, reference, paymentURL = r.id("Order"), r.pattern("Reference", referencePattern), r.text("PaymentURL")
	return id, reference, paymentURL, r.done()
}

// EncodeFact writes a fact.
func EncodeFact(f Fact) string {
	w := open(factElement)
	w.fact(f)
	return w.close(factElement)
}

func (w *writer) fact(f Fact) {
	w.field("Kind", string(f.Kind))
	w.happening(f)
}

func (w *writer) happening(f Fact) {
	w.field("Reference", f.Reference)
	w.optional("Original", f.Original)
	w.field("Order", f.Order.String())
	w.field("PayerBIN", string(f.Payer))
	w.field("BankBIC", f.BankBIC)
	w.field("Amount", f.Amount.String())
	w.field("PaidAt", f.PaidAt.Format(timeLayout))
}

// DecodeFact reads what EncodeFact wrote.
func DecodeFact(root *xmldsig.Element, c kz.Control) (Fact, error) {
	r := read(root, factElement)
	f := r.fact(c)
	return f, r.done()
}

func (r *reader) fact(c kz.Control) Fact {
	f := r.happening(c)
	if f.Kind = FactKind(r.text("Kind")); !f.Kind.Known() {
		r.fail("Kind", "not a kind of fact")
	}
	if f.Kind.Refers() && f.Original == "" {
		r.fail("Original", "a fact that is %s says of what", f.Kind)
	}
	return f
}

// happening reads a fact but for its kind.
func (r *reader) happening(c kz.Control) Fact {
	return Fact{
		Reference: r.pattern("Reference", referencePattern), Original: r.optional("Original", referencePattern),
		Order: r.id("Order"), Payer: r.bin("PayerBIN", c),
		BankBIC: r.pattern("BankBIC", bicPattern), Amount: r.amount("Amount"), PaidAt: r.time("PaidAt"),
	}
}

// EncodeReceipt writes the answer to a fact.
func EncodeReceipt(v Receipt) string {
	w := open(receiptElement)
	w.field("Reference", v.Reference)
	w.field("ReceivedAt", v.ReceivedAt.UTC().Format(timeLayout))
	return w.close(receiptElement)
}

// DecodeReceipt reads what EncodeReceipt wrote.
func DecodeReceipt(root *xmldsig.Element) (Receipt, error) {
	r := read(root, receiptElement)
	v := Receipt{Reference: r.pattern("Reference", referencePattern), ReceivedAt: r.time("ReceivedAt")}
	return v, r.done()
}

// writer builds a message; names are ours, values are escaped.
type writer struct{ strings.Builder }

func open(root string) *writer {
	w := new(writer)
	w.WriteString("<" + root + ` xmlns="` + Namespace + `">`)
	return w
}

func (w *writer) start(name string) { w.WriteString("<" + name + ">") }
func (w *writer) end(name string)   { w.WriteString("</" + name + ">") }

func (w *writer) field(name, value string) {
	w.start(name)
	w.WriteString(xmldsig.EscapeText(value))
	w.end(name)
}

func (w *writer) optional(name, value string) {
	if value != "" {
		w.field(name, value)
	}
}

func (w *writer) close(root string) string {
	w.end(root)
	return w.String()
}

// reader takes the fields of an element, each exactly once, and remembers the
// first thing that is wrong.
type reader struct {
	element *xmldsig.Element
	path    string
	taken   map[string]bool
	err     error
}

func read(root *xmldsig.Element, name string) *reader {
	r := &reader{element: root, path: "/" + name, taken: map[string]bool{}}
	if !root.Is(Namespace, name) {
		r.fail("", "the message is not a %s", name)
	}
	return r
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		at := r.path
		if field != "" {
			at += "/" + field
		}
		r.err = fault.New(fault.CallbackMalformed, at, format, args...)
	}
}

// done is the first failure; an element that nobody took is one.
func (r *reader) done() error {
	for _, e := range r.element.Elements() {
		if e.Space != Namespace || !r.taken[e.Local] {
			r.fail("", "an element that does not belong here")
		}
	}
	return r.err
}

func (r *reader) all(name string) []*xmldsig.Element {
	r.taken[name] = true
	return r.element.All(Namespace, name)
}

func (r *reader) text(name string) string {
	all := r.all(name)
	if len(all) != 1 || len(all[0].Elements()) > 0 {
		r.fail(name, "want one element of text")
		return ""
	}
	s := all[0].Text()
	if s == "" || len(s) > fieldBytesMax {
		r.fail(name, "want 1 to %d bytes", fieldBytesMax)
	}
	return s
}

func (r *reader) pattern(name string, p *regexp.Regexp) string {
	s := r.text(name)
	if !p.MatchString(s) {
		r.fail(name, "not of the required form")
	}
	return s
}

// optional is pattern, or empty where there is no such element.
func (r *reader) optional(name string, p *regexp.Regexp) string {
	if len(r.all(name)) == 0 {
		return ""
	}
	return r.pattern(name, p)
}

func (r *reader) id(name string) uuid.UUID {
	s := r.text(name)
	id, err := uuid.Parse(s)
	if err != nil || id.String() != s { // the library takes braces and other spellings
		r.fail(name, "not a UUID")
	}
	return id
}

func (r *reader) bin(name string, c kz.Control) kz.BIN {
	bin, err := kz.ParseBIN(r.text(name), c)
	if err != nil {
		r.fail(name, "not a BIN")
	}
	return bin
}

func (r *reader) amount(name string) money.Tiyn {
	amount, err := money.Parse(r.text(name))
	if err != nil || amount <= 0 {
		r.fail(name, "not a positive amount in tenge")
	}
	return amount
}

func (r *reader) time(name string) time.Time {
	at, err := time.Parse(timeLayout, r.text(name))
	if err != nil {
		r.fail(name, "not a date and time with a zone")
	}
	return at.UTC()
}

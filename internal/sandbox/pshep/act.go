package pshep

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

// Act is what a payer, a bank or a tester does to a bill or a code.
type Act struct {
	Name  ActName    `json:"act"`
	Order uuid.UUID  `json:"order_id"`
	QR    uuid.UUID  `json:"qr_id"`       // of an act on a code
	Tiyn  money.Tiyn `json:"amount_tiyn"` // zero is what is owed yet, held, or paid
	Ref   string     `json:"reference"`   // what is captured or reversed; empty is the last
}

// ActName names an act.
type ActName string

// The acts on a bill.
const (
	Begin     ActName = "begin"     // the payer has opened the bank's page
	Pay       ActName = "pay"       // money, as much as is said
	Authorise ActName = "authorise" // money is held
	Capture   ActName = "capture"   // held money is taken
	Fail      ActName = "fail"      // the payer has no money
	Reverse   ActName = "reverse"   // the bank takes a payment back
)

// The acts on a QR code.
const (
	Scan   ActName = "scan"
	Block  ActName = "block"
	Settle ActName = "settle" // of a code: pay
	Reject ActName = "reject"
	Close  ActName = "close"
	Return ActName = "return"
)

// prefixes of references, by what the fact is.
var prefixes = map[gateway.FactKind]string{
	gateway.Pending: "BEG", gateway.Authorised: "AUTH", gateway.Captured: "PAY", gateway.Failed: "FAIL",
	gateway.Reversed: "REV", gateway.Refunded: "REF", gateway.RefundFailed: "NREF",
}

// Pay makes the payment of what a bill still owes, as the bank's page does; a
// bill that is paid is not paid again.
func (g *Gateway) Pay(id uuid.UUID) error {
	g.mu.Lock()
	b := g.register.Bills[id.String()]
	paid := b != nil && g.owed(b) <= 0
	g.mu.Unlock()
	if paid {
		return nil
	}
	return g.Do(Act{Name: Pay, Order: id})
}

// Do carries an act out and tells the service of it.
func (g *Gateway) Do(a Act) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	count := len(g.register.Payments)
	err := g.do(a)
	if err == nil {
		err = g.save()
	}
	if err != nil {
		g.register.Payments = g.register.Payments[:count]
		return err
	}
	g.stir()
	return nil
}

func (g *Gateway) do(a Act) error {
	if a.Tiyn < 0 {
		return fault.New(fault.BadArgument, "/amount_tiyn", "is negative")
	}
	if a.QR != uuid.Nil {
		return g.doCode(a)
	}
	b, err := g.bill(a.Order)
	if err != nil {
		return err
	}
	if a.Name == Begin || a.Name == Pay || a.Name == Authorise || a.Name == Fail {
		if err := g.payable(b); err != nil {
			return err
		}
	}
	owed := g.owed(b)
	switch a.Name {
	case Begin:
		g.add(gateway.Fact{Kind: gateway.Pending, Order: a.Order, Amount: or(a.Tiyn, b.Bill.Amount)}, "")
	case Fail:
		g.add(gateway.Fact{Kind: gateway.Failed, Order: a.Order, Amount: or(a.Tiyn, b.Bill.Amount)}, "")
	case Pay, Authorise:
		if a.Tiyn == 0 && owed <= 0 {
			return fault.New(fault.OrderPaidAlready, "", "nothing is owed")
		}
		kind := map[ActName]gateway.FactKind{Pay: gateway.Captured, Authorise: gateway.Authorised}[a.Name]
		g.add(gateway.Fact{Kind: kind, Order: a.Order, Amount: or(a.Tiyn, owed)}, "")
	case Capture:
		return g.capture(a.Order, a.Ref, a.Tiyn)
	case Reverse:
		return g.reverse(a.Order, a.Ref)
	default:
		return fault.New(fault.BadArgument, "/act", "no such act on a bill")
	}
	return nil
}

// payable refuses a bill whose time is over or that was withdrawn.
func (g *Gateway) payable(b *bill) error {
	switch {
	case g.config.Now().After(b.Bill.ExpiresAt):
		return fault.New(fault.OrderExpired, "", "the bill of order %s has expired", b.Bill.Order)
	case b.Cancelled:
		return fault.New(fault.OrderState, "", "the bill of order %s was withdrawn", b.Bill.Order)
	}
	return nil
}

// capture takes held money, or a part of it and lets the rest go.
func (g *Gateway) capture(id uuid.UUID, reference string, amount money.Tiyn) error {
	for _, hold := range g.holds(id) {
		if reference != "" && hold.Reference != reference {
			continue
		}
		if amount > hold.Amount {
			return fault.New(fault.GatewayRefused, "", "%s is held", hold.Amount)
		}
		g.add(gateway.Fact{Kind: gateway.Captured, Order: id, Amount: or(amount, hold.Amount), Original: hold.Reference}, "")
		return nil
	}
	return fault.New(fault.GatewayRefused, "", "no money is held")
}

// reverse takes a payment back: the last one, unless a reference says which.
func (g *Gateway) reverse(id uuid.UUID, reference string) error {
	all := g.register.Payments
	for i := len(all) - 1; i >= 0; i-- {
		f := all[i].Fact
		if f.Order != id || f.Kind != gateway.Captured || reference != "" && f.Reference != reference || g.left(f.Reference) != f.Amount {
			continue
		}
		g.add(gateway.Fact{Kind: gateway.Reversed, Order: id, Amount: f.Amount, Original: f.Reference}, "")
		return nil
	}
	return fault.New(fault.GatewayRefused, "", "no such payment, or it went back already")
}

// codeActs are the status that an act gives a code, and those it may have had.
var codeActs = map[ActName]struct {
	status gateway.QRStatus
	from   []gateway.QRStatus
}{
	Scan:   {gateway.QRScanned, []gateway.QRStatus{gateway.QRNew}},
	Block:  {gateway.QRBlocked, []gateway.QRStatus{gateway.QRScanned}},
	Settle: {gateway.QRPaid, []gateway.QRStatus{gateway.QRScanned, gateway.QRBlocked}},
	Reject: {gateway.QRRejected, []gateway.QRStatus{gateway.QRScanned, gateway.QRBlocked}},
	Close:  {gateway.QRClosed, []gateway.QRStatus{gateway.QRNew, gateway.QRScanned}},
	Return: {gateway.QRReturned, []gateway.QRStatus{gateway.QRPaid}},
}

// doCode moves a code. A dead one is not scanned any more; who has scanned it
// before may still pay, and the service is told.
func (g *Gateway) doCode(a Act) error {
	c := g.register.Codes[a.QR.String()]
	move, known := codeActs[a.Name]
	switch {
	case c == nil:
		return fault.New(fault.OrderNotFound, "/qr_id", "no such code")
	case !known:
		return fault.New(fault.BadArgument, "/act", "no such act on a code")
	case a.Name == Scan && g.config.Now().After(c.Request.ExpiresAt):
		return fault.New(fault.OrderExpired, "/qr_id", "the code is dead")
	}
	for _, from := range move.from {
		if c.Status != from {
			continue
		}
		kind, _ := move.status.Kind()
		f := gateway.Fact{Kind: kind, Order: c.Request.Order, Amount: or(a.Tiyn, c.Request.Amount)}
		if kind != gateway.Pending {
			f.Original = c.Payment
		}
		p := g.add(f, move.status)
		c.Status = move.status
		if move.status == gateway.QRBlocked || move.status == gateway.QRPaid {
			c.Payment = p.Fact.Reference
		}
		return nil
	}
	return fault.New(fault.OrderState, "/act", "a code that is %s cannot do this", c.Status)
}

// add appends a fact and fills in what the bank knows. The caller holds the
// lock and saves.
func (g *Gateway) add(f gateway.Fact, status gateway.QRStatus) *payment {
	f.Reference = fmt.Sprintf("%s-%08d", prefixes[f.Kind], len(g.register.Payments)+1)
	f.BankBIC, f.PaidAt = g.config.BankBIC, g.config.Now().UTC().Truncate(time.Microsecond)
	if b := g.register.Bills[f.Order.String()]; b != nil {
		f.Payer = b.Bill.Payer
	}
	p := &payment{Fact: f, QR: status}
	g.register.Payments = append(g.register.Payments, p)
	return p
}

func (g *Gateway) bill(id uuid.UUID) (*bill, error) {
	b := g.register.Bills[id.String()]
	if b == nil {
		return nil, fault.New(fault.OrderNotFound, "", "no bill of order %s", id)
	}
	return b, nil
}

// facts are all of an order, as they happened.
func (g *Gateway) facts(id uuid.UUID) []gateway.Fact {
	var all []gateway.Fact
	for _, p := range g.register.Payments {
		if p.Fact.Order == id {
			all = append(all, p.Fact)
		}
	}
	return all
}

// paid is what was captured and not reversed.
func (g *Gateway) paid(id uuid.UUID) (sum money.Tiyn) {
	for _, f := range g.facts(id) {
		switch f.Kind {
		case gateway.Captured:
			sum += f.Amount
		case gateway.Reversed:
			sum -= f.Amount
		}
	}
	return sum
}

// holds are the holds of an order that were neither captured nor let go.
func (g *Gateway) holds(id uuid.UUID) []gateway.Fact {
	ended := map[string]bool{}
	for _, f := range g.facts(id) {
		if f.Kind == gateway.Captured || f.Kind == gateway.Failed {
			ended[f.Original] = true
		}
	}
	var all []gateway.Fact
	for _, f := range g.facts(id) {
		if f.Kind == gateway.Authorised && !ended[f.Reference] {
			all = append(all, f)
		}
	}
	return all
}

// left is what of a payment has not gone back.
func (g *Gateway) left(reference string) (sum money.Tiyn) {
	for _, p := range g.register.Payments {
		switch f := p.Fact; {
		case f.Kind == gateway.Captured && f.Reference == reference:
			sum += f.Amount
		case f.Kind == gateway.Reversed && f.Original == reference, f.Kind == gateway.Refunded && p.Of == reference:
			sum -= f.Amount
		}
	}
	return sum
}

func or(amount, otherwise money.Tiyn) money.Tiyn {
	if amount == 0 {
		return otherwise
	}
	return amount
}

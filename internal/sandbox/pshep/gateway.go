package pshep

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/state"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Paths of the handler.
const (
	PathBills      = "/shep"
	pathPay        = "/pay/"
	pathStatements = "/statements/"
)

// Config of a Gateway. All of it is required unless it says otherwise.
type Config struct {
	BaseURL string      // where Handler is reached; payers are sent there
	Key     xmldsig.Key // of ПШЭП: its role must be 1.2.398.3.3.4.1.2.6.95
	Service shep.Peer   // who may register bills and sign receipts
	Poster  shep.Poster // carries messages to the service
	BankBIC string      // the payer's bank; empty is a bank of the sandbox
	Account string      // the treasury's account; empty is the real number of it
	Now     func() time.Time
	Control kz.Control    // of BINs; the zero value is the full one
	File    string        // keeps bills and payments as JSON; empty keeps nothing
	Retry   time.Duration // between attempts to tell of a payment; zero is 2 s
}

const (
	defaultBank  = "SANDKZKA"
	defaultRetry = 2 * time.Second
	senderID     = "pshep-sandbox"
	serviceID    = "PaymentFact"
)

// Gateway is the stand-in. It is safe for concurrent use.
type Gateway struct {
	config Config
	server shep.Server
	wake   chan struct{} // a payment waits to be told

	mu       sync.Mutex
	callback string
	faults   Fault
	register register
}

// register is all that outlives the process, one file.
type register struct {
	Format   int              `json:"format"`
	Bills    map[string]*bill `json:"bills"` // by order
	Payments []*payment       `json:"payments"`
}

const registerFormat = 1

// bill as it was registered.
type bill struct {
	Reference string       `json:"reference"`
	Bill      gateway.Bill `json:"bill"`
	Paid      bool         `json:"paid"`
}

// payment that the bank has made.
type payment struct {
	Fact     gateway.Fact `json:"fact"`
	Attempts int          `json:"attempts"` // to tell the service
	Told     bool         `json:"told"`     // the service has answered, or never will be told
}

// Open makes a Gateway with what its file keeps.
func Open(c Config) (*Gateway, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Scheme != "http" || base.Host == "" || c.Now == nil || c.Poster == nil || c.Key.Signer == nil || c.Key.Certificate == nil {
		return nil, fault.New(fault.BadArgument, "", "pshep: needs an http base URL, a clock, a key and a way to the service")
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	if c.BankBIC == "" {
		c.BankBIC = defaultBank
	}
	if c.Account == "" {
		c.Account = order.TreasuryIIK
	}
	if c.Retry == 0 {
		c.Retry = defaultRetry
	}
	g := &Gateway{config: c, wake: make(chan struct{}, 1), register: register{Format: registerFormat, Bills: map[string]*bill{}}}
	g.server = shep.Server{Key: c.Key, Opener: shep.Opener{Peer: c.Service, Now: c.Now}, Serve: g.registerBill}
	if c.File != "" {
		if _, err := state.Load(c.File, &g.register); err != nil {
			return nil, err
		}
		if g.register.Format != registerFormat || g.register.Bills == nil {
			return nil, fault.New(fault.Unreadable, c.File, "not the state of a payment gateway of this version")
		}
	}
	return g, nil
}

// Connect says where the service takes messages. Until then payments wait.
func (g *Gateway) Connect(callbackURL string) {
	g.mu.Lock()
	g.callback = callbackURL
	g.mu.Unlock()
	g.stir()
}

// Handler serves all paths of the package comment.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathBills, func(w http.ResponseWriter, r *http.Request) {
		if g.unreachable(w, r) {
			return
		}
		g.server.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET "+pathPay+"{order}", g.showBill)
	mux.HandleFunc("POST "+pathPay+"{order}", g.payBill)
	mux.HandleFunc("GET "+pathStatements+"{file}", g.serveStatement)
	g.controls(mux)
	return mux
}

// registerBill answers one bill. The same bill again gets the same reference;
// another bill of the same order is refused.
func (g *Gateway) registerBill(ctx context.Context, e *shep.Envelope) (shep.Response, error) {
	payload, err := shep.OpenPayload(ctx, e.Request.Data, g.config.Service, g.config.Now())
	if err != nil {
		return shep.Response{}, fmt.Errorf("verify the bill: %w", err)
	}
	b, err := gateway.DecodeBill(payload.Root, g.config.Control)
	if err != nil {
		return refusal(err.Error()), nil
	}
	reference, err := g.remember(b)
	if fault.Is(err, fault.GatewayRefused) {
		return refusal("another bill of this order is registered"), nil
	}
	if err != nil {
		return shep.Response{}, err
	}
	data, err := shep.SealPayload(gateway.EncodeRegistration(b.Order, reference, g.config.BaseURL+pathPay+b.Order.String()), g.config.Key)
	if err != nil {
		return shep.Response{}, fmt.Errorf("sign the registration: %w", err)
	}
	return shep.Response{Status: shep.Status{Code: shep.StatusOK}, Data: data}, nil
}

// refusal is a business refusal; the message has at most 250 characters.
func refusal(message string) shep.Response {
	if runes := []rune(message); len(runes) > 200 {
		message = string(runes[:200])
	}
	return shep.Response{Status: shep.Status{Code: shep.StatusBadData, Message: message}}
}

func (g *Gateway) remember(b gateway.Bill) (reference string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.register.Bills[b.Order.String()]
	if known == nil {
		known = &bill{Reference: fmt.Sprintf("BILL-%06d", len(g.register.Bills)+1), Bill: b}
		g.register.Bills[b.Order.String()] = known
		if err := g.save(); err != nil {
			delete(g.register.Bills, b.Order.String())
			return "", err
		}
	}
	if !known.Bill.ExpiresAt.Equal(b.ExpiresAt) || !reflect.DeepEqual(known.Bill.Lines, b.Lines) || known.Bill.Payer != b.Payer {
		return "", fault.New(fault.GatewayRefused, "", "another bill of this order is registered")
	}
	return known.Reference, nil
}

// billOf returns a copy of a registered bill, or nil.
func (g *Gateway) billOf(id string) *bill {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b := g.register.Bills[id]; b != nil {
		copied := *b
		return &copied
	}
	return nil
}

// Pay makes the payment of a bill, as the bank's page does; a bill that is
// paid is not paid again.
func (g *Gateway) Pay(id uuid.UUID) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.register.Bills[id.String()]
	if b == nil {
		return fault.New(fault.OrderNotFound, "", "no bill of order %s", id)
	}
	if b.Paid {
		return nil
	}
	now := g.config.Now().UTC().Truncate(time.Microsecond)
	if now.After(b.Bill.ExpiresAt) {
		return fault.New(fault.OrderExpired, "", "the bill of order %s has expired", id)
	}
	p := &payment{Fact: gateway.Fact{
		Kind: gateway.Captured, Reference: fmt.Sprintf("PAY-%08d", len(g.register.Payments)+1), Order: b.Bill.Order, Payer: b.Bill.Payer,
		BankBIC: g.config.BankBIC, Amount: b.Bill.Amount, PaidAt: now,
	}}
	b.Paid = true
	g.register.Payments = append(g.register.Payments, p)
	if err := g.save(); err != nil {
		b.Paid = false
		g.register.Payments = g.register.Payments[:len(g.register.Payments)-1]
		return err
	}
	g.stir()
	return nil
}

// save writes the file; the caller holds the lock.
func (g *Gateway) save() error {
	if g.config.File == "" {
		return nil
	}
	return state.Save(g.config.File, &g.register)
}

// stir wakes Run; one that is awake already looks again.
func (g *Gateway) stir() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

package pshep

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/control"
	"github.com/senim-kz/senim/internal/sandbox/state"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Paths of the handler.
const (
	PathBills      = "/shep"
	pathPay        = "/pay/"
	pathQR         = "/qr/"
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
	serviceID    = "PaymentFact"

	// ServiceID is the gateway's name at ШЭП, and the account that it sends
	// from.
	ServiceID = "PSHEP"
	// ClientID is the account that the service has at the gateway.
	ClientID = "senim"
)

// Gateway is the stand-in. It is safe for concurrent use.
type Gateway struct {
	config Config
	server shep.Server
	wake   chan struct{} // a payment waits to be told
	faults *control.Faults[place]

	mu       sync.Mutex
	callback string
	register register
}

// register is all that outlives the process, one file.
type register struct {
	Format   int                `json:"format"`
	Bills    map[string]*bill   `json:"bills"` // by order
	Codes    map[string]*code   `json:"codes"` // by id
	Payments []*payment         `json:"payments"`
	Done     map[uuid.UUID]bool `json:"done"` // refunds and debits by their ids
}

const registerFormat = 1

// bill as it was registered.
type bill struct {
	Reference string       `json:"reference"`
	Bill      gateway.Bill `json:"bill"`
	Cancelled bool         `json:"cancelled"`
	// Elsewhere is what of the order was paid past this gateway, as the bill
	// says: from the payer's advance.
	Elsewhere money.Tiyn `json:"elsewhere"`
}

// owed is what the payer is still asked for; negative if it paid too much.
func (g *Gateway) owed(b *bill) money.Tiyn {
	return b.Bill.Amount - b.Elsewhere - g.paid(b.Bill.Order)
}

// code is a QR code.
type code struct {
	Request gateway.QRRequest `json:"request"`
	Status  gateway.QRStatus  `json:"status"`
	Payment string            `json:"payment"` // reference of the hold or the payment
}

// payment is one fact, and whether the service has been told of it.
type payment struct {
	Fact     gateway.Fact     `json:"fact"`
	QR       gateway.QRStatus `json:"qr,omitempty"` // told in the words of a code
	Of       string           `json:"of,omitempty"` // of a refund: the payment
	Attempts int              `json:"attempts"`     // to tell the service
	Told     bool             `json:"told"`         // the service has answered, or never will be told
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
	g := &Gateway{config: c, wake: make(chan struct{}, 1), faults: control.NewFaults(faultsOf), register: register{Format: registerFormat, Bills: map[string]*bill{}}}
	g.server = shep.Server{Key: c.Key, Opener: shep.Opener{Peer: c.Service, Now: c.Now}, Serve: g.serve}
	return g, g.load()
}

func (g *Gateway) load() error {
	if g.config.File != "" {
		if _, err := state.Load(g.config.File, &g.register); err != nil {
			return err
		}
		if g.register.Format != registerFormat || g.register.Bills == nil {
			return fault.New(fault.Unreadable, g.config.File, "not the state of a payment gateway of this version")
		}
	}
	if g.register.Codes == nil {
		g.register.Codes = map[string]*code{}
	}
	if g.register.Done == nil {
		g.register.Done = map[uuid.UUID]bool{}
	}
	for _, p := range g.register.Payments {
		if p.Fact.Kind == "" { // kept before facts had kinds: all were payments
			p.Fact.Kind = gateway.Captured
		}
	}
	return nil
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
		switch g.faults.Strike(requests) {
		case Timeout:
			// That the caller left shows only when its body has been read.
			_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, shep.MessageMaxBytes))
			<-r.Context().Done()
		case HTTP500:
			serverError(w)
		case AnswerLost:
			g.server.ServeHTTP(discard{http.Header{}}, r)
			serverError(w)
		default:
			g.server.ServeHTTP(w, r)
		}
	})
	mux.HandleFunc("GET "+pathPay+"{order}", g.showBill)
	mux.HandleFunc("POST "+pathPay+"{order}", g.payBill)
	mux.HandleFunc("GET "+pathQR+"{code}", g.showCode)
	mux.HandleFunc("POST "+pathQR+"{code}", g.moveCode)
	mux.HandleFunc("GET "+pathStatements+"{file}", g.serveStatement)
	g.controls(mux)
	return mux
}

func serverError(w http.ResponseWriter) {
	http.Error(w, "<html>Internal Server Error", http.StatusInternalServerError)
}

// discard takes an answer that gets lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

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

package epay

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox/control"
	"github.com/senim-kz/senim/internal/sandbox/state"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/payments/money"
)

// Paths of the handler.
const (
	PathToken = "/oauth2/token"
	pathPay   = "/pay/"
)

// What merchants authenticate with here.
const (
	ClientID = "senim"
	Terminal = "67e34d63-102f-4bd1-898e-000000000001"
)

// Config of a Gateway. All of it is required unless it says otherwise.
type Config struct {
	BaseURL string      // where Handler is reached; payers are sent there
	Secret  string      // of the client ClientID
	Poster  shep.Poster // carries postLinks to the service
	Now     func() time.Time
	File    string        // keeps invoices as JSON; empty keeps nothing
	Retry   time.Duration // between attempts to send a postLink; zero is 2 s
}

const defaultRetry = 2 * time.Second

// Gateway is the stand-in. It is safe for concurrent use.
type Gateway struct {
	config Config
	wake   chan struct{} // a postLink waits to be sent
	faults *control.Faults[place]

	mu       sync.Mutex
	tokens   map[string]token // good for one operation each
	register register
}

// token as it was asked for.
type token struct{ Invoice, SecretHash string }

// register is all that outlives the process, one file.
type register struct {
	Format   int                 `json:"format"`
	Invoices map[string]*invoice `json:"invoices"`
	Links    []*link             `json:"links"`
}

const registerFormat = 1

// invoice with the last attempt to pay it, if there was one.
type invoice struct {
	Number     string            `json:"number"`
	SecretHash string            `json:"secret_hash"`
	Amount     money.Tiyn        `json:"amount_tiyn"`
	PostLink   string            `json:"post_link"`
	Status     string            `json:"status"` // empty: nobody has tried
	ID         string            `json:"id"`     // of the transaction
	Taken      money.Tiyn        `json:"taken_tiyn"`
	Created    time.Time         `json:"created"`
	Refunds    map[string]string `json:"refunds"` // amounts by their external id
}

// link is a postLink that waits.
type link struct {
	Invoice  string `json:"invoice"`
	Body     []byte `json:"body"`
	Attempts int    `json:"attempts"`
	Sent     bool   `json:"sent"`
}

// Open makes a Gateway with what its file keeps.
func Open(c Config) (*Gateway, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Scheme != "http" || base.Host == "" || c.Now == nil || c.Poster == nil || c.Secret == "" {
		return nil, fault.New(fault.BadArgument, "", "epay: needs an http base URL, a clock, a secret and a way to the service")
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	if c.Retry == 0 {
		c.Retry = defaultRetry
	}
	g := &Gateway{
		config: c, wake: make(chan struct{}, 1), faults: control.NewFaults(faultsOf), tokens: map[string]token{},
		register: register{Format: registerFormat, Invoices: map[string]*invoice{}},
	}
	if c.File != "" {
		if _, err := state.Load(c.File, &g.register); err != nil {
			return nil, err
		}
		if g.register.Format != registerFormat || g.register.Invoices == nil {
			return nil, fault.New(fault.Unreadable, c.File, "not the state of ePay of this version")
		}
	}
	return g, nil
}

// Handler serves all paths of the package comment.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathToken, g.issueToken)
	mux.HandleFunc("POST /invoice", g.operation(g.makeInvoice))
	mux.HandleFunc("GET /check-status/payment/transaction/{invoice}", g.operation(g.status))
	mux.HandleFunc("POST /operation/{id}/charge", g.operation(g.charge))
	mux.HandleFunc("POST /operation/{id}/cancel", g.operation(g.cancel))
	mux.HandleFunc("POST /operation/{id}/refund", g.operation(g.refund))
	mux.HandleFunc("GET "+pathPay+"{invoice}", g.showInvoice)
	mux.HandleFunc("POST "+pathPay+"{invoice}", g.payInvoice)
	g.controls(mux)
	return mux
}

// bodyMax bounds what is read of a request.
const bodyMax = 64 << 10

// issueToken is OAuth 2's client credentials with the fields that ePay adds.
func (g *Gateway) issueToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" {
		respond(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	}
	f := r.PostForm
	refused := g.faults.Strike(tokens) == TokenRefused
	if refused || f.Get("client_id") != ClientID || f.Get("client_secret") != g.config.Secret || f.Get("terminal") != Terminal {
		respond(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	name := rand.Text()
	g.mu.Lock()
	g.tokens[name] = token{Invoice: f.Get("invoiceID"), SecretHash: f.Get("secret_hash")}
	g.mu.Unlock()
	respond(w, http.StatusOK, map[string]any{"access_token": name, "expires_in": "7200", "scope": f.Get("scope"), "token_type": "Bearer"})
}

// reply is what an operation answers.
type reply struct {
	status int
	body   any
}

func refuse(message string) reply {
	return reply{http.StatusBadRequest, map[string]any{"code": http.StatusBadRequest, "message": message}}
}

// operation runs one under the lock, for the bearer of a token that was asked
// for it: a token is good once.
func (g *Gateway) operation(run func(r *http.Request, t token) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		struck := g.faults.Strike(operations)
		if struck == None && strings.HasSuffix(r.URL.Path, "/refund") && g.faults.Strike(refunds) == RefundAnswerLost {
			struck = AnswerLost
		}
		switch struck {
		case Timeout:
			// That the caller left shows only when its body has been read.
			_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, bodyMax))
			<-r.Context().Done()
			return
		case HTTP500:
			http.Error(w, "<html>", http.StatusInternalServerError)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
		name, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		g.mu.Lock()
		t, known := g.tokens[name]
		delete(g.tokens, name)
		answer := reply{http.StatusUnauthorized, map[string]string{"message": "no such token, or it was used"}}
		if known {
			answer = run(r, t)
		}
		err := g.save()
		g.mu.Unlock()
		g.stir()
		if err != nil || struck == AnswerLost {
			http.Error(w, "<html>", http.StatusBadGateway)
			return
		}
		respond(w, answer.status, answer.body)
	}
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body) // whoever left gets no answer
	}
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

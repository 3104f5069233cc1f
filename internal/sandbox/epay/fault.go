package epay

import (
	"encoding/json"
	"net/http"

	"github.com/senim-kz/senim/internal/fault"
)

// Fault is how the gateway fails. The zero Fault is not at all.
type Fault struct {
	Name FaultName `json:"fault"`
	// Times is how often it strikes; 0 means until it is changed.
	Times int `json:"times,omitempty"`
}

// FaultName names a fault.
type FaultName string

// The faults.
const (
	None FaultName = ""

	TokenRefused FaultName = "token_refused"

	// Of operations.
	Timeout    FaultName = "timeout"     // never answers, until the caller leaves
	HTTP500    FaultName = "http_500"    // an error page, and nothing is done
	AnswerLost FaultName = "answer_lost" // an error page, and the operation is carried out
	// RefundAnswerLost is the same of refunds alone.
	RefundAnswerLost FaultName = "refund_answer_lost"

	// Of postLinks; each strikes when one is made.
	NoPostLink        FaultName = "no_postlink"
	DuplicatePostLink FaultName = "duplicate_postlink"
	WrongSecret       FaultName = "wrong_secret"
	OtherAmount       FaultName = "other_amount"
)

type place int

const (
	tokens place = iota + 1
	operations
	refunds
	postLinks
)

// faultsOf says where a fault strikes.
var faultsOf = map[FaultName]place{
	TokenRefused: tokens, Timeout: operations, HTTP500: operations, AnswerLost: operations, RefundAnswerLost: refunds,
	NoPostLink: postLinks, DuplicatePostLink: postLinks, WrongSecret: postLinks, OtherAmount: postLinks,
}

// SetFault replaces the fault; the zero Fault heals. It does not outlive the
// process.
func (g *Gateway) SetFault(f Fault) error {
	if f.Name != None && faultsOf[f.Name] == 0 || f.Times < 0 {
		return fault.New(fault.BadArgument, "/fault", "no such fault, or a negative number of times")
	}
	g.mu.Lock()
	g.faults = f
	g.mu.Unlock()
	g.stir()
	return nil
}

// strike returns the fault that strikes at a place now.
func (g *Gateway) strike(at place) FaultName {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.strikeLocked(at)
}

func (g *Gateway) strikeLocked(at place) FaultName {
	f := g.faults
	if faultsOf[f.Name] != at {
		return None
	}
	if f.Times > 0 {
		if g.faults.Times--; g.faults.Times == 0 {
			g.faults = Fault{}
		}
	}
	return f.Name
}

// controlBytesMax bounds an order to the stand-in.
const controlBytesMax = 4 << 10

func (g *Gateway) controls(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/faults", func(w http.ResponseWriter, _ *http.Request) {
		g.mu.Lock()
		f := g.faults
		g.mu.Unlock()
		respond(w, http.StatusOK, f)
	})
	mux.HandleFunc("POST /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		obey(w, r, &f, func() error { return g.SetFault(f) })
	})
	mux.HandleFunc("POST /control/acts", func(w http.ResponseWriter, r *http.Request) {
		var a Act
		obey(w, r, &a, func() error { return g.Do(a) })
	})
}

// obey reads an order and carries it out.
func obey(w http.ResponseWriter, r *http.Request, order any, carryOut func() error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlBytesMax))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(order)
	if err == nil {
		err = carryOut()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

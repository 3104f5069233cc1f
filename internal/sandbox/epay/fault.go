package epay

import (
	"net/http"

	"github.com/senim-kz/senim/internal/sandbox/control"
)

// Fault is how the gateway fails, by its FaultName.
type (
	Fault     = control.Fault
	FaultName = control.FaultName
)

// The faults.
const (
	None = control.None

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

// SetFault replaces the fault; the zero Fault heals.
func (g *Gateway) SetFault(f Fault) error {
	if err := g.faults.Set(f); err != nil {
		return err
	}
	g.stir()
	return nil
}

// orderBytesMax bounds an order to the stand-in.
const orderBytesMax = 4 << 10

func (g *Gateway) controls(mux *http.ServeMux) {
	mux.Handle("GET /control/faults", g.faults)
	mux.HandleFunc("POST /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		control.Obey(w, r, orderBytesMax, &f, func() error { return g.SetFault(f) })
	})
	mux.HandleFunc("POST /control/acts", func(w http.ResponseWriter, r *http.Request) {
		var a Act
		control.Obey(w, r, orderBytesMax, &a, func() error { return g.Do(a) })
	})
}

package pshep

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

	// Of the endpoint that takes requests.
	Timeout    FaultName = "timeout"     // never answers, until the caller leaves
	HTTP500    FaultName = "http_500"    // an error page that is not SOAP, and nothing is done
	AnswerLost FaultName = "answer_lost" // the same page, and the request is carried out

	// Of what the requests ask for.
	Refuse        FaultName = "refuse"         // is refused, whatever it is
	CallbackFirst FaultName = "callback_first" // what has happened is told before the request is answered
	RefundFails   FaultName = "refund_fails"   // the refund is taken and comes to nothing
	DebitFails    FaultName = "debit_fails"    // the account holds too little

	// Of the messages about payments; each strikes an attempt to tell of one.
	NoCallback        FaultName = "no_callback"            // is never told, though the treasury has the money
	DuplicateCallback FaultName = "duplicate_callback"     // is told twice
	LateCallback      FaultName = "late_callback"          // is told when the fault has been lifted
	WrongAmount       FaultName = "wrong_amount"           // one tiyn less, well signed
	BadSignature      FaultName = "bad_signature"          // the fact was changed after it was signed
	BadEnvelope       FaultName = "bad_envelope_signature" // the envelope was
	NoSignature       FaultName = "no_signature"           // the envelope carries none
	OtherReceiver     FaultName = "other_receiver"         // the fact is signed for another system
	StaleDocument     FaultName = "stale_document"         // the fact was signed an hour ago, the envelope now
)

// faultsOf says where a fault strikes.
var faultsOf = map[FaultName]place{
	Timeout: requests, HTTP500: requests, AnswerLost: requests,
	Refuse: documents, CallbackFirst: answers, RefundFails: refunds, DebitFails: debits,
	NoCallback: callbacks, DuplicateCallback: callbacks, LateCallback: callbacks, WrongAmount: callbacks,
	BadSignature: callbacks, BadEnvelope: callbacks, NoSignature: callbacks, OtherReceiver: callbacks, StaleDocument: callbacks,
}

type place int

const (
	requests place = iota + 1
	documents
	answers
	refunds
	debits
	callbacks
)

// SetFault replaces the fault; the zero Fault heals.
func (g *Gateway) SetFault(f Fault) error {
	if err := g.faults.Set(f); err != nil {
		return err
	}
	g.stir() // what was late may go now
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

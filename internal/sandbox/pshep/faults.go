package pshep

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

// SetFault replaces the fault; the zero Fault heals. It does not outlive the
// process.
func (g *Gateway) SetFault(f Fault) error {
	if f.Name != None && faultsOf[f.Name] == 0 || f.Times < 0 {
		return fault.New(fault.BadArgument, "/fault", "no such fault, or a negative number of times")
	}
	g.mu.Lock()
	g.faults = f
	g.mu.Unlock()
	g.stir() // what was late may go now
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
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(f) // whoever left gets no answer
	})
	mux.HandleFunc("POST /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlBytesMax))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&f)
		if err == nil {
			err = g.SetFault(f)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /control/acts", func(w http.ResponseWriter, r *http.Request) {
		var a Act
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlBytesMax))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&a)
		if err == nil {
			err = g.Do(a)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

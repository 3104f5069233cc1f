package nca

import (
	"slices"
	"sync"

	"github.com/senim-kz/senim/internal/fault"
)

// Fault is a way in which a service of the stand-in fails. The zero value is no
// failure.
type Fault string

// The faults. Which service knows which is in serviceFaults.
const (
	None             Fault = ""
	Timeout          Fault = "timeout"           // the request is read and never answered
	Unavailable      Fault = "unavailable"       // HTTP 503
	BadSignature     Fault = "bad_signature"     // one bit of the signature is wrong
	WrongResponder   Fault = "wrong_responder"   // signed by a certificate that may not answer
	Stale            Fault = "stale"             // a month old
	WrongImprint     Fault = "wrong_imprint"     // a timestamp of something else
	Reject           Fault = "reject"            // TimeStampResp with status rejection
	WrongNonce       Fault = "wrong_nonce"       // another nonce than was asked with
	WrongCertificate Fault = "wrong_certificate" // an answer about another certificate
)

// Faults says how each service fails.
type Faults struct {
	OCSP Fault `json:"ocsp"`
	TSP  Fault `json:"tsp"`
	CRL  Fault `json:"crl"`
}

var serviceFaults = struct{ ocsp, tsp, crl []Fault }{
	ocsp: []Fault{None, Timeout, Unavailable, BadSignature, WrongResponder, Stale, WrongNonce, WrongCertificate},
	tsp:  []Fault{None, Timeout, Unavailable, BadSignature, WrongImprint, Reject, WrongNonce},
	crl:  []Fault{None, Timeout, Unavailable, BadSignature, Stale},
}

type faultBoard struct {
	mu  sync.Mutex
	set Faults
}

// SetFaults replaces all faults; the zero Faults heals everything. Faults do not
// outlive the process.
func (a *Authority) SetFaults(f Faults) error {
	for _, row := range []struct {
		at    string
		known []Fault
		fault Fault
	}{
		{"/ocsp", serviceFaults.ocsp, f.OCSP}, {"/tsp", serviceFaults.tsp, f.TSP}, {"/crl", serviceFaults.crl, f.CRL},
	} {
		if !slices.Contains(row.known, row.fault) {
			return fault.New(fault.BadArgument, row.at, "the faults are %q", row.known)
		}
	}
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	a.faults.set = f
	return nil
}

// Faults returns the faults that are set.
func (a *Authority) Faults() Faults {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	return a.faults.set
}

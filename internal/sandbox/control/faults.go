package control

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/senim-kz/senim/internal/fault"
)

// Fault is how a stand-in fails. The zero Fault is not at all.
type Fault struct {
	Name FaultName `json:"fault"`
	// Times is how often it strikes; 0 means until it is changed.
	Times int `json:"times,omitempty"`
}

// FaultName names a fault.
type FaultName string

// None is no fault.
const None FaultName = ""

// Faults holds the one fault of a stand-in, each of which strikes at one place
// of it. The zero Place is nowhere.
type Faults[Place comparable] struct {
	places map[FaultName]Place

	mu  sync.Mutex
	now Fault
}

// NewFaults takes what faults there are and where each strikes.
func NewFaults[Place comparable](places map[FaultName]Place) *Faults[Place] {
	return &Faults[Place]{places: places}
}

// Set replaces the fault; the zero Fault heals. It does not outlive the
// process.
func (f *Faults[Place]) Set(next Fault) error {
	if _, known := f.places[next.Name]; next.Name != None && !known || next.Times < 0 {
		return fault.New(fault.BadArgument, "/fault", "no such fault, or a negative number of times")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = next
	return nil
}

// Strike returns the fault that strikes at a place now, and counts it.
func (f *Faults[Place]) Strike(at Place) FaultName {
	f.mu.Lock()
	defer f.mu.Unlock()
	struck := f.now.Name
	if place, known := f.places[struck]; !known || place != at {
		return None
	}
	if f.now.Times > 0 {
		if f.now.Times--; f.now.Times == 0 {
			f.now = Fault{}
		}
	}
	return struck
}

// ServeHTTP shows the fault.
func (f *Faults[Place]) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	now := f.now
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(now) // whoever left gets no answer
}

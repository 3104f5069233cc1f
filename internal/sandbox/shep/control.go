package shep

import (
	"encoding/json"
	"net/http"

	"github.com/senim-kz/senim/internal/fault"
)

// controlMaxBytes bounds an order: an organisation is some hundreds of bytes.
const controlMaxBytes = 64 << 10

// control mounts the orders by which a running sandbox is changed.
func (g *Gateway) control() {
	g.routes.HandleFunc("POST /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		order(w, r, &f, func() error { return g.SetFault(f) })
	})
	g.routes.HandleFunc("PUT /control/organisations", func(w http.ResponseWriter, r *http.Request) {
		var o Organisation
		order(w, r, &o, func() error { return g.Put(o) })
	})
	g.routes.HandleFunc("GET /control/organisations", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(g.State()) // the peer that left gets no answer
	})
}

// order reads one JSON value strictly and carries it out.
func order(w http.ResponseWriter, r *http.Request, into any, carryOut func() error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlMaxBytes))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		err = carryOut()
	} else {
		err = fault.Wrap(err, fault.BadArgument, "", "read the order")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

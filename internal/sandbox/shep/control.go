package shep

import (
	"encoding/json"
	"net/http"

	"github.com/senim-kz/senim/internal/sandbox/control"
)

// controlMaxBytes bounds an order: an organisation is some hundreds of bytes.
const controlMaxBytes = 64 << 10

// control mounts the orders by which a running sandbox is changed.
func (g *Gateway) control() {
	g.routes.HandleFunc("POST /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		control.Obey(w, r, controlMaxBytes, &f, func() error { return g.SetFault(f) })
	})
	g.routes.HandleFunc("PUT /control/organisations", func(w http.ResponseWriter, r *http.Request) {
		var o Organisation
		control.Obey(w, r, controlMaxBytes, &o, func() error { return g.Put(o) })
	})
	g.routes.HandleFunc("GET /control/organisations", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(g.State()) // the peer that left gets no answer
	})
}

package control

import (
	"encoding/json"
	"net/http"

	"github.com/senim-kz/senim/internal/fault"
)

// Obey reads an order, one JSON value of at most max bytes and of known fields
// only, and carries it out: 204, or 400 with the reason.
func Obey(w http.ResponseWriter, r *http.Request, max int64, order any, carryOut func() error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, max))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(order)
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

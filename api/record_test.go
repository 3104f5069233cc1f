package api

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
)

// withRecord puts the real transaction record behind the API, as far as it
// goes without peers: opening and showing.
func withRecord(_ *Config, d *Dependencies, a *access.Config) {
	d.Dossier = dossier.New(dossier.Config{Pool: a.Pool, Now: fixedNow})
}

func TestTransactionsAreOpenedOnce(t *testing.T) {
	h := newHouse(t, withRecord)
	window, other := h.client("window", access.SingleWindow), h.client("window-2", access.SingleWindow)
	request := good(t, "openTransaction", window)
	first := h.do(request)
	first.want(http.StatusCreated, "")
	again := h.do(request)
	again.want(http.StatusCreated, "")
	if !bytes.Equal(first.body, again.body) {
		t.Errorf("the repeat is answered differently:\n%s\n%s", first.body, again.body)
	}
	changed := request
	changed.body = `{"reference":"other","declarant_bin":"160440007161"}`
	h.do(changed).want(http.StatusUnprocessableEntity, fault.IdempotencyKeyReused)

	foreign := request
	foreign.bearer = other // a key belongs to its caller
	if a := h.do(foreign); a.status != http.StatusCreated || a.member("id") == first.member("id") {
		t.Errorf("another caller with the same key got %d %s", a.status, a.member("id"))
	}

	_, err := h.pool.Exec(t.Context(), `update idempotency set answer = null, lease_until = $1 where caller = 'window'`, start.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	h.do(request).want(http.StatusConflict, fault.RequestInFlight)
}

func TestTransactionsAreShownToTheirOwn(t *testing.T) {
	h := newHouse(t, withRecord)
	window, firm := h.client("window", access.SingleWindow), h.client("firm", access.Trader)
	open := func(key, bin string) string {
		c := good(t, "openTransaction", window)
		c.headers[idempotencyHeader] = key
		c.body = `{"reference":"R","declarant_bin":"` + bin + `"}`
		a := h.do(c)
		a.want(http.StatusCreated, "")
		return a.header.Get("Location")
	}
	own, foreign := open("key-1", firmBIN), open("key-2", otherBIN)
	for _, c := range []struct {
		who, token, path string
		status           int
		code             fault.Code
	}{
		{"the single window", window, foreign, 200, ""},
		{"the firm", firm, own, 200, ""},
		{"another firm", firm, foreign, 404, fault.TransactionNotFound},
		{"the firm's person", h.session(), own, 200, ""},
		{"another firm's person", h.session(), foreign, 404, fault.TransactionNotFound},
		{"the single window, of nothing", window, somewhere, 404, fault.TransactionNotFound},
	} {
		t.Run(c.who, func(t *testing.T) {
			a := h.do(sent{method: "GET", path: c.path, bearer: c.token})
			a.t = t
			a.want(c.status, c.code)
		})
	}
	foreignOpen := good(t, "openTransaction", firm)
	foreignOpen.body = `{"reference":"R","declarant_bin":"` + otherBIN + `"}`
	h.do(foreignOpen).want(http.StatusUnprocessableEntity, fault.DeclarantMismatch)
	badNumber := good(t, "openTransaction", window)
	badNumber.headers[idempotencyHeader] = "key-3"
	badNumber.body = `{"reference":"R","declarant_bin":"160440007162"}`
	h.do(badNumber).want(http.StatusBadRequest, fault.BINInvalid)
	for _, operation := range []string{"submitDocument", "createOrder"} {
		h.do(good(t, operation, window)).want(http.StatusNotFound, fault.TransactionNotFound)
	}
}

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
)

// repeats sends every act that carries an Idempotency-Key again: the same gets
// the same, another under the same key gets nothing.
func (w *world) repeats(t *testing.T) {
	transaction, other := w.opened(t, "REPEAT"), w.opened(t, "REPEAT-OTHER")
	statement := []byte(`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>`) // refused; a refusal frees its key
	statementOf := func(day string) (raw []byte) {
		check(t, w.treasury.call(t.Context(), request{method: http.MethodGet, path: w.around.sandbox.URLs().Statements + day + ".xml"}, &raw))
		return raw
	}
	for _, row := range []struct {
		name    string
		first   call
		another func(call) call // another request under the same key
	}{
		{"open", call{method: http.MethodPost, path: "/v1/transactions", bearer: w.window.bearer, contentType: "application/json", key: uuid.NewString(),
			body: []byte(`{"reference":"REPEAT-1","declarant_bin":"` + string(sandbox.CompanyBIN) + `"}`)},
			func(c call) call { c.body = bytes.Replace(c.body, []byte("REPEAT-1"), []byte("REPEAT-2"), 1); return c }},
		{"submit", w.documents(transaction, w.signed), func(c call) call {
			c.body = w.signedBy(t, sandbox.Head, append(bytes.Clone(w.declaration), "\n\n"...))
			return c
		}},
		{"submit to another transaction", w.documents(transaction, w.signedBy(t, sandbox.Head, append(bytes.Clone(w.declaration), '\n'))),
			func(c call) call { c.path = w.documents(other, nil).path; return c }},
		{"import", call{method: http.MethodPost, path: "/v1/statements?name=day.xml", bearer: w.treasury.bearer, contentType: "application/xml", key: uuid.NewString(),
			body: statementOf("2020-01-02")}, func(c call) call { c.body = statementOf("2020-01-03"); return c }},
		{"import under another name", call{method: http.MethodPost, path: "/v1/statements?name=day.xml", bearer: w.treasury.bearer, contentType: "application/xml", key: uuid.NewString(),
			body: statementOf("2020-01-04")}, func(c call) call { c.path = "/v1/statements?name=other.xml"; return c }},
		{"order", w.orders(transaction), func(c call) call { c.path = w.orders(other).path; return c }},
	} {
		t.Run(row.name, func(t *testing.T) {
			first, again := w.do(t, row.first), w.do(t, row.first)
			if first.status != http.StatusCreated || again.status != first.status || !bytes.Equal(first.body, again.body) || first.header.Get("Location") != again.header.Get("Location") {
				t.Errorf("first %d %s, again %d %s", first.status, first.body, again.status, again.body)
			}
			w.refuses(t, row.another(row.first), http.StatusUnprocessableEntity, fault.IdempotencyKeyReused)
			// Keys are each caller's own: that of another says nothing.
			stranger := row.first
			if stranger.bearer = w.treasury.bearer; stranger.bearer == row.first.bearer {
				stranger.bearer = w.window.bearer
			}
			w.refuses(t, stranger, http.StatusForbidden, fault.RoleDenied)
		})
	}
	t.Run("what was refused", func(t *testing.T) {
		c := call{method: http.MethodPost, path: "/v1/statements?name=s.xml", bearer: w.treasury.bearer, contentType: "application/xml", key: uuid.NewString(), body: statement}
		w.refuses(t, c, http.StatusBadRequest, fault.StatementMalformed)
		c.body = []byte("<Document/>")
		w.refuses(t, c, http.StatusUnprocessableEntity, fault.StatementVersion)
	})
	t.Run("the same document under another key", func(t *testing.T) {
		w.refuses(t, w.documents(transaction, w.signed), http.StatusConflict, fault.DocumentAlreadyThere)
	})
	t.Run("the same order under another key", func(t *testing.T) {
		first, again := answered[api.Order](t, w.do(t, w.orders(transaction)), 201), answered[api.Order](t, w.do(t, w.orders(transaction)), 201)
		if first.ID != again.ID || *first.PaymentURL != *again.PaymentURL {
			t.Errorf("%+v and %+v", first, again)
		}
	})
	shown := w.shown(t, transaction)
	if len(shown.Documents) != 2 || len(shown.Orders) != 1 || countEvents(shown, "document.accepted") != 2 || countEvents(shown, "order.created") != 1 {
		t.Errorf("after all of it there is %+v", shown)
	}
	w.untouched(t, other)
}

// atOnce sends the same request many times at once.
func (w *world) atOnce(t *testing.T) {
	const callers = 12
	race := func(next func() call) (created [][]byte, refusals map[fault.Code]int) {
		var mu sync.Mutex
		var running sync.WaitGroup
		refusals = map[fault.Code]int{}
		for range callers {
			c := next()
			running.Go(func() {
				r, err := w.try(t.Context(), c)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				if r.status == http.StatusCreated {
					created = append(created, r.body)
					return
				}
				p, err := r.problem()
				if err != nil || r.status != http.StatusConflict {
					t.Errorf("%d %s: %v", r.status, r.body, err)
					return
				}
				refusals[fault.Code(p.Code)]++
			})
		}
		running.Wait()
		return created, refusals
	}
	same := func(t *testing.T, created [][]byte) {
		t.Helper()
		if len(created) == 0 {
			t.Fatal("none succeeded")
		}
		for _, body := range created[1:] {
			if !bytes.Equal(body, created[0]) {
				t.Errorf("two answers: %s and %s", created[0], body)
			}
		}
	}
	t.Run("one document, one key", func(t *testing.T) {
		transaction := w.opened(t, "RACE-1")
		c := w.documents(transaction, w.signed)
		created, refusals := race(func() call { return c })
		same(t, created)
		if len(created)+refusals[fault.RequestInFlight] != callers {
			t.Errorf("%d created, refused %v", len(created), refusals)
		}
		w.oneDocument(t, transaction)
	})
	t.Run("one document, many keys", func(t *testing.T) {
		transaction := w.opened(t, "RACE-2")
		created, refusals := race(func() call { return w.documents(transaction, w.signed) })
		if len(created) != 1 || refusals[fault.DocumentAlreadyThere] != callers-1 {
			t.Errorf("%d created, refused %v", len(created), refusals)
		}
		w.oneDocument(t, transaction)
	})
	t.Run("one order, many keys", func(t *testing.T) {
		transaction := w.opened(t, "RACE-3")
		answered[api.Document](t, w.do(t, w.documents(transaction, w.signed)), 201)
		created, refusals := race(func() call { return w.orders(transaction) })
		same(t, created)
		if len(created) != callers || len(refusals) > 0 {
			t.Errorf("%d created, refused %v", len(created), refusals)
		}
		if shown := w.shown(t, transaction); len(shown.Orders) != 1 || countEvents(shown, "order.created") != 1 || countEvents(shown, "order.presented") != 1 {
			t.Errorf("%+v", shown)
		}
	})
	t.Run("many transactions", func(t *testing.T) {
		n := 0
		created, refusals := race(func() call {
			n++
			return w.documents(w.opened(t, fmt.Sprint("RACE-4-", n)), w.signed)
		})
		if len(created) != callers {
			t.Errorf("%d created, refused %v", len(created), refusals)
		}
	})
}

// oneDocument looks that a transaction holds one document and its evidence
// once.
func (w *world) oneDocument(t *testing.T, transaction api.Transaction) {
	t.Helper()
	shown := w.shown(t, transaction)
	var entries int
	check(t, w.service.pool.QueryRow(t.Context(), `select count(*) from evidence_entries where transaction_id = $1`, transaction.ID).Scan(&entries))
	if len(shown.Documents) != 1 || countEvents(shown, "document.accepted") != 1 || entries != 1 {
		t.Errorf("%d evidence entries, %+v", entries, shown)
	}
}

package main

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// outageTellers tell of payments at once while the database goes and comes
// back; outageTiyn is what each payment is, a small part of its order.
const (
	outageTellers = 4
	outageTiyn    = 100
)

// databaseGone stops the database's server under the service while payments are
// told by several callers and by the gateway's messages, and starts it again.
// Who asked meanwhile is told to come again; who comes again with the same key
// gets the outcome; every payment is posted once; and the service is the one
// that it was.
func (w *world) databaseGone(t *testing.T) {
	bearer := w.as(t, payClient).bearer
	billed, atTheBank := w.ordered(t, "GONE-BANK")
	tellers := make([]*teller, outageTellers)
	for i := range tellers {
		_, o := w.ordered(t, fmt.Sprintf("GONE-%d", i))
		tellers[i] = &teller{world: w, bearer: bearer, order: o, answered: make(chan struct{}), refused: make(chan struct{})}
	}
	before := w.ledgerKeys(t)

	var telling sync.WaitGroup
	for _, one := range tellers {
		telling.Go(func() { one.failed = one.tell(t) })
	}
	for _, one := range tellers {
		<-one.answered
	}
	cluster := w.around.cluster
	check(t, cluster.Stop(t.Context()))
	check(t, w.pressPay(t.Context(), *atTheBank.PaymentURL)) // the bank has its own books, and tells until it is heard
	for _, one := range tellers {
		<-one.refused
	}
	if r := w.do(t, call{method: http.MethodGet, path: "/readyz"}); r.status != http.StatusServiceUnavailable {
		t.Errorf("without a database it is ready: %d %s", r.status, r.body)
	}
	w.do(t, w.orders(billed)).refused(t, fault.English, http.StatusServiceUnavailable, fault.DatabaseDown)

	again, err := postgres.StartCluster(t.Context(), postgres.ClusterConfig{Dir: w.around.path(clusterName), Unsafe: true})
	check(t, err)
	w.around.cluster = again
	if again.DSN() != cluster.DSN() {
		t.Fatalf("the database is at another address")
	}
	telling.Wait()
	check(t, waitReady(t.Context(), w.base))
	w.becomes(t, atTheBank, "paid")

	payments := 1 // the bank's
	for _, one := range tellers {
		check(t, one.failed)
		one.toldOnce(t)
		payments += len(one.told)
	}
	if n := w.ledgerKeys(t) - before; n != payments {
		t.Errorf("%d entries of %d payments", n, payments)
	}
	if v, err := w.service.payments.VerifyLedger(t.Context()); err != nil {
		t.Errorf("%v: %+v", err, v.Findings)
	}
	eventually(t, "jobs are worked", settledWithin, func() (worked bool) {
		check(t, w.service.pool.QueryRow(t.Context(), `select not exists (select from river_job where queue = 'events' and state = 'available')`).Scan(&worked))
		return worked
	})
}

func (w *world) ledgerKeys(t *testing.T) (n int) {
	t.Helper()
	check(t, w.service.pool.QueryRow(t.Context(), `select count(*) from ledger_key`).Scan(&n))
	return n
}

// teller tells of payments of one order, one after the other.
type teller struct {
	*world
	bearer   string
	order    api.Order
	answered chan struct{} // closed with the first outcome
	refused  chan struct{} // closed with the first refusal
	told     []call
	outcomes []reply
	failed   error
}

// tell tells payment after payment until one is refused for want of a database,
// and that one until it is taken.
func (x *teller) tell(t *testing.T) error {
	var answered, refused sync.Once
	defer answered.Do(func() { close(x.answered) })
	defer refused.Do(func() { close(x.refused) })
	for away := false; !away; {
		c := x.payment()
		for {
			r, err := x.try(t.Context(), c)
			if err != nil {
				return err
			}
			if r.status == http.StatusCreated {
				x.told, x.outcomes = append(x.told, c), append(x.outcomes, r)
				answered.Do(func() { close(x.answered) })
				break
			}
			p, err := r.problem()
			if err != nil || r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
				return errors.Join(err, fmt.Errorf("answered with %d %v %s, Retry-After %q", r.status, p, r.body, r.header.Get("Retry-After")))
			}
			away = true
			refused.Do(func() { close(x.refused) })
			select { // as often as an impatient caller, whatever Retry-After says
			case <-t.Context().Done():
				return t.Context().Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

func (x *teller) payment() call {
	reference := "GONE-" + uuid.NewString()
	return call{
		method: http.MethodPost, path: "/v1/payments", bearer: x.bearer, contentType: "application/json", key: reference, language: fault.English,
		body: fmt.Appendf(nil, `{"kind":"captured","reference":%q,"order_id":%q,"payer_bin":%q,"bank_bic":"HSBKKZKX","amount_tiyn":%d,"paid_at":%q}`,
			reference, x.order.ID, x.order.PayerBIN, outageTiyn, time.Now().UTC().Format(time.RFC3339Nano)),
	}
}

// toldOnce: each payment told again with its key has the outcome that it had,
// and the order has each once.
func (x *teller) toldOnce(t *testing.T) {
	t.Helper()
	for i, c := range x.told {
		if r := x.do(t, c); r.status != http.StatusCreated || string(r.body) != string(x.outcomes[i].body) {
			t.Errorf("told again: %d %s, before %s", r.status, r.body, x.outcomes[i].body)
		}
	}
	o := answered[api.Order](t, x.do(t, call{method: http.MethodGet, path: orderPath(x.order), bearer: x.window.bearer}), http.StatusOK)
	if o.PaidTiyn != int64(len(x.told))*outageTiyn {
		t.Errorf("%d payments, %d tiyn paid", len(x.told), o.PaidTiyn)
	}
}

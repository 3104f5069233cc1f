package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/internal/sandbox/shep"
)

// startTrial runs a service in surroundings of its own, with everybody who
// plays in the demo.
func startTrial(t *testing.T) *demo {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a database, a token and every stand-in")
	}
	if _, err := hsm.SoftHSMLibrary(); err != nil {
		t.Skipf("needs SoftHSM2: %v", err)
	}
	around, err := startSurroundings(t.Context(), surroundingsConfig{Dir: openFolder(t), Unsafe: true, Bits: 2048, Now: time.Now})
	if fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	check(t, err)
	t.Cleanup(func() { check(t, around.close()) })
	built, err := around.startService(t.Context(), slog.New(slog.DiscardHandler))
	check(t, err)
	t.Cleanup(func() { check(t, built.close()) })
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- built.run(ctx) }()
	t.Cleanup(func() { stop(); check(t, <-ended) })
	d := &demo{narrator: &narrator{out: io.Discard, language: fault.English, now: time.Now}, around: around, base: built.config.PublicURL}
	check(t, waitReady(t.Context(), d.base))
	check(t, d.meetEverybody(t.Context()))
	t.Cleanup(func() {
		d.recorder.close()
		for _, who := range d.people {
			check(t, who.token.Close())
		}
	})
	check(t, d.step(stepDocument, func() error { return d.writeDocument(t.Context()) }))
	check(t, d.step(stepSign, func() error { return d.sign(t.Context()) }))
	return d
}

// What docs/operation.md says of peers that are down: the request is refused
// with a code that says which, nothing of it is kept, and once the peer is
// back the same request succeeds.
func TestPeersThatFail(t *testing.T) {
	d := startTrial(t)
	s := d.around.sandbox
	heal := func() error {
		return errors.Join(s.NCA().SetFaults(nca.Faults{}), s.Gateway().SetFault(shep.Fault{}), s.Payments().SetFault(pshep.Fault{}))
	}
	ncaFails := func(f nca.Faults) func() error { return func() error { return s.NCA().SetFaults(f) } }
	shepFails := func(f shep.FaultName) func() error {
		return func() error { return s.Gateway().SetFault(shep.Fault{Name: f}) }
	}
	for i, row := range []struct {
		name   string
		fail   func() error
		status int
		code   fault.Code
	}{
		{"OCSP is down", ncaFails(nca.Faults{OCSP: nca.Unavailable, CRL: nca.Unavailable}), http.StatusServiceUnavailable, fault.RevocationUndetermined},
		{"OCSP lies", ncaFails(nca.Faults{OCSP: nca.BadSignature, CRL: nca.BadSignature}), http.StatusServiceUnavailable, fault.RevocationUndetermined},
		{"TSP is down", ncaFails(nca.Faults{TSP: nca.Unavailable}), http.StatusServiceUnavailable, fault.PeerDown},
		{"TSP refuses", ncaFails(nca.Faults{TSP: nca.Reject}), http.StatusServiceUnavailable, fault.PeerDown},
		{"TSP lies", ncaFails(nca.Faults{TSP: nca.WrongImprint}), http.StatusServiceUnavailable, fault.PeerAnswer},
		{"ШЭП answers an error page", shepFails(shep.HTTP500), http.StatusServiceUnavailable, fault.PeerAnswer},
		{"ШЭП has a fault", shepFails(shep.SOAPFault), http.StatusServiceUnavailable, fault.ShepFault},
		{"ШЭП lies", shepFails(shep.BadEnvelopeSignature), http.StatusServiceUnavailable, fault.PeerAnswer},
		{"ГБД ЮЛ fails", shepFails(shep.UnhandledError), http.StatusServiceUnavailable, fault.ShepTechnical},
	} {
		t.Run(row.name, func(t *testing.T) {
			transaction, err := d.open(t.Context(), d.window, fmt.Sprintf("PEER-%d", i))
			check(t, err)
			check(t, row.fail())
			err = d.send(t.Context(), d.window, transaction.ID, d.signed, nil)
			check(t, heal())
			refusedWith(t, err, row.status, row.code)
			shown, err := d.show(t.Context(), d.window, transaction.ID)
			check(t, err)
			if len(shown.Documents) > 0 || countEvents(shown, "document.accepted") > 0 {
				t.Errorf("the transaction keeps %+v", shown)
			}
			check(t, d.send(t.Context(), d.window, transaction.ID, d.signed, nil))
		})
	}
	t.Run("OCSP is down and the CRL is not", func(t *testing.T) {
		transaction, err := d.open(t.Context(), d.window, "PEER-CRL")
		check(t, err)
		check(t, s.NCA().SetFaults(nca.Faults{OCSP: nca.Unavailable}))
		check(t, d.send(t.Context(), d.window, transaction.ID, d.signed, nil))
		check(t, heal())
	})
	t.Run("ПШЭП answers an error page", func(t *testing.T) { d.orderWhileGatewayFails(t, s, heal) })
}

// The order waits as a draft, and the same request presents it later.
func (d *demo) orderWhileGatewayFails(t *testing.T, s *sandbox.Sandbox, heal func() error) {
	transaction, err := d.open(t.Context(), d.window, "PEER-ORDER")
	check(t, err)
	check(t, d.send(t.Context(), d.window, transaction.ID, d.signed, nil))
	ask := request{method: http.MethodPost, path: "/v1/transactions/" + transaction.ID.String() + "/orders", idempotencyKey: uuid.NewString()}
	check(t, s.Payments().SetFault(pshep.Fault{Name: pshep.HTTP500}))
	err = d.window.call(t.Context(), ask, nil)
	check(t, heal())
	refusedWith(t, err, http.StatusServiceUnavailable, fault.PeerAnswer)
	var order api.Order
	check(t, d.window.call(t.Context(), ask, &order))
	if order.PaymentURL == nil {
		t.Errorf("%+v", order)
	}
}

func refusedWith(t *testing.T, err error, status int, code fault.Code) {
	t.Helper()
	var p *problem
	if !errors.As(err, &p) {
		t.Fatalf("not refused: %v", err)
	}
	if p.Status != status || p.Code != string(code) {
		t.Errorf("refused with %v, want %d %s", p, status, code)
	}
}

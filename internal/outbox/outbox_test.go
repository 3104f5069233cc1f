package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

var noon = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

func publish(ctx context.Context, pool *pgxpool.Pool, events ...outbox.Event) error {
	return postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		for _, event := range events {
			if err := outbox.Publish(ctx, tx, event); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestEventsKeepTheirOrder(t *testing.T) {
	pool := postgrestest.Pool(t)
	transaction := postgres.NewID(noon)
	// The caller's times need not grow; the sequence decides.
	sent := []outbox.Event{
		{Transaction: transaction, Type: "order.created", At: noon.Add(time.Hour), Data: map[string]any{"amount": 100}},
		{Transaction: transaction, Type: "payment.posted", At: noon},
		{Transaction: uuid.New(), Type: "order.created", At: noon, Data: "other"},
		{Transaction: transaction, Type: "payment.reconciled", At: noon, Data: []int{1}},
	}
	for _, event := range sent {
		if err := publish(t.Context(), pool, event); err != nil {
			t.Fatal(err)
		}
	}
	got, err := outbox.EventsOf(t.Context(), pool, transaction)
	if err != nil {
		t.Fatal(err)
	}
	want := []outbox.Event{
		{Transaction: transaction, Sequence: 1, Type: "order.created", At: noon.Add(time.Hour), Data: json.RawMessage(`{"amount":100}`)},
		{Transaction: transaction, Sequence: 2, Type: "payment.posted", At: noon, Data: json.RawMessage(`null`)},
		{Transaction: transaction, Sequence: 3, Type: "payment.reconciled", At: noon, Data: json.RawMessage(`[1]`)},
	}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestEventsOfOneTransactionByManyAtOnce(t *testing.T) {
	pool := postgrestest.Pool(t)
	transaction := uuid.New()
	const publishers, each = 4, 5
	var group errgroup.Group
	for range publishers {
		group.Go(func() error {
			for range each {
				if err := publish(t.Context(), pool, outbox.Event{Transaction: transaction, Type: "order.created", At: noon}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	events, err := outbox.EventsOf(t.Context(), pool, transaction)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != publishers*each {
		t.Fatalf("%d events, want %d", len(events), publishers*each)
	}
	for i, event := range events {
		if event.Sequence != i+1 {
			t.Errorf("event %d has the number %d", i+1, event.Sequence)
		}
	}
}

func TestARolledBackEventLeavesNoGap(t *testing.T) {
	pool := postgrestest.Pool(t)
	event := outbox.Event{Transaction: uuid.New(), Type: "order.created", At: noon}
	refusal := errors.New("refused")
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		return errors.Join(outbox.Publish(t.Context(), tx, event), refusal)
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if err := publish(t.Context(), pool, event, event); err != nil {
		t.Fatal(err)
	}
	events, err := outbox.EventsOf(t.Context(), pool, event.Transaction)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 || events[0].Sequence != 1 || events[1].Sequence != 2 {
		t.Errorf("events = %v, want numbers 1 and 2", events)
	}
}

func TestPublishRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	good := outbox.Event{Transaction: uuid.New(), Type: "order.created", At: noon}
	for name, row := range map[string]struct {
		spoil func(*outbox.Event)
		want  fault.Code
	}{
		"no transaction": {func(e *outbox.Event) { e.Transaction = uuid.Nil }, fault.BadArgument},
		"no type":        {func(e *outbox.Event) { e.Type = "" }, fault.BadArgument},
		"type of a word": {func(e *outbox.Event) { e.Type = "order" }, fault.BadArgument},
		"type too long":  {func(e *outbox.Event) { e.Type = "a." + strings.Repeat("b", outbox.TypeBytesMax) }, fault.BadArgument},
		"no time":        {func(e *outbox.Event) { e.At = time.Time{} }, fault.BadArgument},
		"no JSON":        {func(e *outbox.Event) { e.Data = make(chan int) }, fault.BadArgument},
		"no UTF-8":       {func(e *outbox.Event) { e.Data = json.RawMessage("\"\xff\"") }, fault.BadArgument},
		"too much":       {func(e *outbox.Event) { e.Data = strings.Repeat("x", outbox.EventBytesMax) }, fault.InputTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			event := good
			row.spoil(&event)
			if err := publish(t.Context(), pool, event); !fault.Is(err, row.want) {
				t.Errorf("Publish = %v, want %s", err, row.want)
			}
		})
	}
}

func TestAudit(t *testing.T) {
	pool := postgrestest.Pool(t)
	good := outbox.AuditRecord{
		Actor: "client-1", Action: "registry.gbdul.lookup", Object: "tx-1", Purpose: "identify the signer", Outcome: "allowed", At: noon,
	}
	audit := func(record outbox.AuditRecord) error {
		return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return outbox.Audit(t.Context(), tx, record) })
	}
	if err := audit(good); err != nil {
		t.Fatal(err)
	}
	var got outbox.AuditRecord
	err := pool.QueryRow(t.Context(), "SELECT actor, action, object, purpose, outcome, at FROM audit_records").
		Scan(&got.Actor, &got.Action, &got.Object, &got.Purpose, &got.Outcome, &got.At)
	if err != nil {
		t.Fatal(err)
	}
	if got != good {
		t.Error(cmp.Diff(good, got))
	}
	for name, spoil := range map[string]func(*outbox.AuditRecord){
		"no actor":       func(r *outbox.AuditRecord) { r.Actor = "" },
		"no action":      func(r *outbox.AuditRecord) { r.Action = "" },
		"no outcome":     func(r *outbox.AuditRecord) { r.Outcome = "" },
		"no time":        func(r *outbox.AuditRecord) { r.At = time.Time{} },
		"a long object":  func(r *outbox.AuditRecord) { r.Object = strings.Repeat("ө", 257) },
		"a long outcome": func(r *outbox.AuditRecord) { r.Outcome = strings.Repeat("x", 129) },
	} {
		record := good
		spoil(&record)
		if err := audit(record); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: Audit = %v, want %s", name, err, fault.BadArgument)
		}
	}
}

func TestDatabaseRefusesChanges(t *testing.T) {
	pool := postgrestest.Pool(t)
	if err := publish(t.Context(), pool, outbox.Event{Transaction: uuid.New(), Type: "order.created", At: noon}); err != nil {
		t.Fatal(err)
	}
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		return outbox.Audit(t.Context(), tx, outbox.AuditRecord{Actor: "a", Action: "b", Outcome: "c", At: noon})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"UPDATE events SET type = 'x.y'", "DELETE FROM events", "TRUNCATE events",
		"UPDATE audit_records SET actor = 'x'", "DELETE FROM audit_records", "TRUNCATE audit_records",
	} {
		_, err := pool.Exec(t.Context(), sql)
		if !fault.Is(postgres.Classify(err), fault.RecordImmutable) {
			t.Errorf("%s: %v, want %s", sql, err, fault.RecordImmutable)
		}
	}
}

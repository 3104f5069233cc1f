package outbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// Events of several transactions at once are numbered within each in the order
// given, after those that are there.
func TestPublishAll(t *testing.T) {
	pool := postgrestest.Pool(t)
	a, b := postgres.NewID(noon.Add(time.Second)), postgres.NewID(noon) // not in the order of their ids
	event := func(transaction uuid.UUID, kind string) outbox.Event {
		return outbox.Event{Transaction: transaction, Type: kind, At: noon, Data: kind}
	}
	if err := publish(t.Context(), pool, event(a, "order.created")); err != nil {
		t.Fatal(err)
	}
	for _, together := range [][]outbox.Event{
		{event(a, "payment.received"), event(b, "order.created"), event(a, "payment.posted")},
		nil,
		{event(b, "payment.posted")},
	} {
		err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return outbox.PublishAll(t.Context(), tx, together) })
		if err != nil {
			t.Fatal(err)
		}
	}
	for transaction, want := range map[uuid.UUID]string{
		a: "[1 order.created 2 payment.received 3 payment.posted]",
		b: "[1 order.created 2 payment.posted]",
	} {
		events, err := outbox.EventsOf(t.Context(), pool, transaction)
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		for _, e := range events {
			got = append(got, e.Sequence, e.Type)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

func TestQueueAudits(t *testing.T) {
	pool := postgrestest.Pool(t)
	var batch pgx.Batch
	record := outbox.AuditRecord{Actor: "gateway", Action: "payment.post", Object: "PAY-1", Outcome: "posted", At: noon}
	if err := outbox.QueueAudits(&batch, []outbox.AuditRecord{record, record}); err != nil {
		t.Fatal(err)
	}
	if err := pool.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
	var n int
	err := pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_records WHERE actor = 'gateway' AND action = 'payment.post'
		AND object = 'PAY-1' AND purpose = '' AND outcome = 'posted' AND at = $1`, noon).Scan(&n)
	if err != nil || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
}

// One that is not in order keeps all out of the batch.
func TestNothingIsQueuedOfAListWithABadOne(t *testing.T) {
	var batch pgx.Batch
	good := outbox.Event{Transaction: uuid.New(), Type: "order.created", At: noon}
	for name, bad := range map[string]outbox.Event{
		"transaction": {Type: "order.created", At: noon},
		"type":        {Transaction: good.Transaction, Type: "created", At: noon},
		"time":        {Transaction: good.Transaction, Type: "order.created"},
		"data":        {Transaction: good.Transaction, Type: "order.created", At: noon, Data: func() {}},
	} {
		if err := outbox.QueueEvents(&batch, []outbox.Event{good, bad}); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := outbox.QueueEvents(&batch, make([]outbox.Event, outbox.EventsMax+1)); !fault.Is(err, fault.BadArgument) {
		t.Errorf("too many: %v", err)
	}
	if err := outbox.QueueAudits(&batch, []outbox.AuditRecord{{Actor: "a", Action: "b", Outcome: "c", At: noon}, {}}); !fault.Is(err, fault.BadArgument) {
		t.Errorf("audit: %v", err)
	}
	if batch.Len() != 0 {
		t.Errorf("%d statements are queued", batch.Len())
	}
}

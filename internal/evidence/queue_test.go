package evidence_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

func kept(transaction uuid.UUID, raw string) evidence.Kept {
	return evidence.Kept{Object: evidence.Object{Kind: "gateway.fact", Raw: []byte(raw)}, Transaction: transaction, What: "payment.received", At: noon}
}

func TestQueueAll(t *testing.T) {
	pool := postgrestest.Pool(t)
	put(t, pool, "document", []byte("known"))
	a, b := uuid.New(), uuid.New()
	all := []evidence.Kept{kept(a, "one"), kept(b, "one"), kept(a, "known"), kept(uuid.Nil, "of nobody")}
	var batch pgx.Batch
	if err := evidence.QueueAll(&batch, all); err != nil {
		t.Fatal(err)
	}
	if err := pool.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, "evidence_objects"); n != 3 {
		t.Errorf("%d objects", n)
	}
	for _, k := range all {
		if o, err := evidence.Get(t.Context(), pool, k.Digest); err != nil || string(o.Raw) != string(k.Raw) {
			t.Errorf("%s: %v, %v", k.Raw, o, err)
		}
	}
	for transaction, want := range map[uuid.UUID]int{a: 2, b: 1, uuid.Nil: 0} {
		entries, err := evidence.EntriesOf(t.Context(), pool, transaction)
		if err != nil || len(entries) != want {
			t.Errorf("%d entries, want %d; %v", len(entries), want, err)
		}
		for _, e := range entries {
			if e.Kind != "payment.received" || !e.At.Equal(noon.Truncate(1000)) || len(e.Objects) != 1 {
				t.Errorf("%+v", e)
			}
		}
	}
}

func TestQueueAllRefuses(t *testing.T) {
	var batch pgx.Batch
	bad := kept(uuid.New(), "x")
	bad.What = "Not A Kind"
	for _, k := range []evidence.Kept{bad, kept(uuid.New(), "")} {
		if err := evidence.QueueAll(&batch, []evidence.Kept{kept(uuid.New(), "good"), k}); fault.Of(err) == nil {
			t.Errorf("%+v: %v", k, err)
		}
	}
	if err := evidence.QueueAll(&batch, nil); err != nil || batch.Len() != 0 {
		t.Errorf("%d statements, %v", batch.Len(), err)
	}
}

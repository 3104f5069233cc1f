package evidence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

var noon = time.Date(2026, time.November, 21, 12, 0, 0, 123456789, time.UTC)

// put keeps raw in a transaction of its own.
func put(t *testing.T, pool *pgxpool.Pool, kind string, raw []byte) evidence.Digest {
	t.Helper()
	var digest evidence.Digest
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) (err error) {
		digest, err = evidence.Put(t.Context(), tx, kind, raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func appendEntry(ctx context.Context, pool *pgxpool.Pool, entry evidence.Entry) error {
	return postgres.InTx(ctx, pool, func(tx pgx.Tx) error { return evidence.Append(ctx, tx, entry) })
}

func count(t *testing.T, pool *pgxpool.Pool, table string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPutKeepsBytesOnce(t *testing.T) {
	pool := postgrestest.Pool(t)
	raw := []byte{0x30, 0x00, 0xff}
	first := put(t, pool, "document", raw)
	if again := put(t, pool, "certificate", raw); again != first {
		t.Errorf("the same bytes have the digests %s and %s", first, again)
	}
	got, err := evidence.Get(t.Context(), pool, first)
	if err != nil {
		t.Fatal(err)
	}
	if want := (evidence.Object{Digest: first, Kind: "document", Raw: raw}); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if n := count(t, pool, "evidence_objects"); n != 1 {
		t.Errorf("%d objects are kept, want 1", n)
	}
}

func TestPutOfTheSameBytesByManyAtOnce(t *testing.T) {
	pool := postgrestest.Pool(t)
	objects := [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d")}
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				for _, raw := range objects {
					if _, err := evidence.Put(t.Context(), tx, "document", raw); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, "evidence_objects"); n != len(objects) {
		t.Errorf("%d objects are kept, want %d", n, len(objects))
	}
}

func TestPutAllKeepsEachObjectOnce(t *testing.T) {
	pool := postgrestest.Pool(t)
	known := put(t, pool, "certificate", []byte("known"))
	objects := []evidence.Object{
		{Kind: "document", Raw: []byte("a")},
		{Kind: "document", Raw: []byte("known")},
		{Kind: "content", Raw: []byte("a")},
		{Kind: "document", Raw: bytes.Repeat([]byte("large"), 1<<18)}, // more than goes into one statement
		{Kind: "ocsp", Raw: []byte("b")},
		{Kind: "content", Raw: []byte("a")},
	}
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return evidence.PutAll(t.Context(), tx, objects) })
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"document", "certificate", "document", "document", "ocsp", "document"} {
		if objects[i].Digest != evidence.DigestOf(objects[i].Raw) {
			t.Errorf("object %d has the digest %s", i, objects[i].Digest)
		}
		got, err := evidence.Get(t.Context(), pool, objects[i].Digest)
		if err != nil || got.Kind != want || !bytes.Equal(got.Raw, objects[i].Raw) {
			t.Errorf("object %d is kept as %s, %d bytes: %v", i, got.Kind, len(got.Raw), err)
		}
	}
	if objects[1].Digest != known {
		t.Errorf("the same bytes have the digests %s and %s", objects[1].Digest, known)
	}
	if n := count(t, pool, "evidence_objects"); n != 4 {
		t.Errorf("%d objects are kept, want 4", n)
	}
	bad := []evidence.Object{{Kind: "document", Raw: []byte("new")}, {Kind: "document"}}
	err = postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return evidence.PutAll(t.Context(), tx, bad) })
	if !fault.Is(err, fault.InputEmpty) {
		t.Errorf("PutAll with an empty object = %v, want %s", err, fault.InputEmpty)
	}
}

func TestPutLeavesNothingBehindARollback(t *testing.T) {
	pool := postgrestest.Pool(t)
	refusal := errors.New("refused")
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := evidence.Put(t.Context(), tx, "document", []byte("x")); err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	_, err = evidence.Get(t.Context(), pool, evidence.DigestOf([]byte("x")))
	if !fault.Is(err, fault.EvidenceUnknown) {
		t.Errorf("Get = %v, want %s", err, fault.EvidenceUnknown)
	}
}

var oversized = sync.OnceValue(func() []byte { return bytes.Repeat([]byte{'x'}, evidence.ObjectBytesMax+1) })

func TestPutRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	for name, row := range map[string]struct {
		kind string
		raw  []byte
		want fault.Code
	}{
		"no bytes":      {"document", nil, fault.InputEmpty},
		"too many":      {"document", oversized(), fault.EvidenceTooBig},
		"no kind":       {"", []byte("x"), fault.BadArgument},
		"kind in caps":  {"Document", []byte("x"), fault.BadArgument},
		"kind too long": {fmt.Sprintf("%065d", 0), []byte("x"), fault.BadArgument},
	} {
		t.Run(name, func(t *testing.T) {
			err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				_, err := evidence.Put(t.Context(), tx, row.kind, row.raw)
				return err
			})
			if !fault.Is(err, row.want) {
				t.Errorf("Put = %v, want %s", err, row.want)
			}
		})
	}
}

func TestAppendAndRead(t *testing.T) {
	pool := postgrestest.Pool(t)
	one, two := put(t, pool, "document", []byte("one")), put(t, pool, "signature", []byte("two"))
	transaction := postgres.NewID(noon)
	later := evidence.Entry{Transaction: transaction, Kind: "signer.identified", Objects: []evidence.Digest{two, one}, At: noon.Add(time.Second)}
	first := evidence.Entry{Transaction: transaction, Kind: "document.verified", Objects: []evidence.Digest{one}, At: noon}
	other := evidence.Entry{Transaction: uuid.New(), Kind: "document.verified", Objects: []evidence.Digest{two}, At: noon}
	for _, entry := range []evidence.Entry{later, first, other} {
		if err := appendEntry(t.Context(), pool, entry); err != nil {
			t.Fatal(err)
		}
	}
	got, err := evidence.EntriesOf(t.Context(), pool, transaction)
	if err != nil {
		t.Fatal(err)
	}
	first.At, later.At = first.At.Truncate(time.Microsecond), later.At.Truncate(time.Microsecond)
	if want := []evidence.Entry{first, later}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestAppendRefuses(t *testing.T) {
	pool := postgrestest.Pool(t)
	kept := put(t, pool, "document", []byte("kept"))
	good := evidence.Entry{Transaction: uuid.New(), Kind: "document.verified", Objects: []evidence.Digest{kept}, At: noon}
	for name, row := range map[string]struct {
		spoil func(*evidence.Entry)
		want  fault.Code
	}{
		"no transaction":    {func(e *evidence.Entry) { e.Transaction = uuid.Nil }, fault.BadArgument},
		"no kind":           {func(e *evidence.Entry) { e.Kind = "" }, fault.BadArgument},
		"no time":           {func(e *evidence.Entry) { e.At = time.Time{} }, fault.BadArgument},
		"no objects":        {func(e *evidence.Entry) { e.Objects = nil }, fault.BadArgument},
		"too many objects":  {func(e *evidence.Entry) { e.Objects = make([]evidence.Digest, evidence.ObjectsMax+1) }, fault.BadArgument},
		"an unknown object": {func(e *evidence.Entry) { e.Objects = []evidence.Digest{kept, {1}} }, fault.EvidenceUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			entry := good
			row.spoil(&entry)
			if err := appendEntry(t.Context(), pool, entry); !fault.Is(err, row.want) {
				t.Errorf("Append = %v, want %s", err, row.want)
			}
		})
	}
	if n := count(t, pool, "evidence_entries"); n != 0 {
		t.Errorf("refused entries left %d rows", n)
	}
}

func TestDatabaseRefusesChanges(t *testing.T) {
	pool := postgrestest.Pool(t)
	digest := put(t, pool, "document", []byte("kept"))
	if err := appendEntry(t.Context(), pool, evidence.Entry{Transaction: uuid.New(), Kind: "document.verified", Objects: []evidence.Digest{digest}, At: noon}); err != nil {
		t.Fatal(err)
	}
	var partition string // a partition has a name of its own and must refuse too
	if err := pool.QueryRow(t.Context(), "SELECT tableoid::regclass::text FROM evidence_objects").Scan(&partition); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"UPDATE evidence_objects SET kind = 'other'",
		"DELETE FROM evidence_objects",
		"TRUNCATE evidence_objects",
		"UPDATE " + partition + " SET kind = 'other'",
		"DELETE FROM " + partition,
		"TRUNCATE " + partition,
		"UPDATE evidence_digests SET recorded_at = now()",
		"DELETE FROM evidence_digests",
		"TRUNCATE evidence_digests",
		"UPDATE evidence_entries SET kind = 'other'",
		"DELETE FROM evidence_entries",
		"TRUNCATE evidence_entries",
	} {
		_, err := pool.Exec(t.Context(), sql)
		if !fault.Is(postgres.Classify(err), fault.RecordImmutable) {
			t.Errorf("%s: %v, want %s", sql, err, fault.RecordImmutable)
		}
	}
}

func TestDatabaseRefusesAWrongDigest(t *testing.T) {
	_, err := postgrestest.Pool(t).Exec(t.Context(),
		"INSERT INTO evidence_objects (recorded_at, digest, kind, raw) VALUES (now(), sha256('a'), 'document', 'b')")
	if !postgres.CheckViolation(err, "") {
		t.Errorf("insert = %v, want a check violation", err)
	}
}

func TestDigestText(t *testing.T) {
	digest := evidence.DigestOf([]byte("abc")) // FIPS 180-4's example
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if digest.String() != want {
		t.Errorf("String = %s, want %s", digest, want)
	}
	text, err := json.Marshal(digest)
	if err != nil {
		t.Fatal(err)
	}
	var back evidence.Digest
	if err := json.Unmarshal(text, &back); err != nil || back != digest {
		t.Errorf("%s reads back as %s: %v", text, back, err)
	}
	for _, bad := range []string{"", want[1:], want + "00", "x" + want[1:]} {
		if err := back.UnmarshalText([]byte(bad)); !fault.Is(err, fault.BadArgument) {
			t.Errorf("UnmarshalText(%q) = %v, want %s", bad, err, fault.BadArgument)
		}
	}
}

package authority_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"maps"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

func record(serial byte) authority.Record {
	return authority.Record{Serial: [authority.SerialBytes]byte{0x0a, 0x10, serial}, Time: start}
}

// Records that come while a group is written go into the next one, together.
func TestRecordsAreWrittenInGroups(t *testing.T) {
	entered, leave := make(chan int), make(chan struct{})
	j := running(t, authority.JournalConfig{Write: func(_ context.Context, r []authority.Record) error {
		entered <- len(r)
		<-leave
		return nil
	}})
	var waiting sync.WaitGroup
	add := func(n int) {
		for i := range n {
			waiting.Go(func() {
				if err := j.Append(t.Context(), record(byte(i))); err != nil {
					t.Error(err)
				}
			})
		}
	}
	add(1)
	if n := <-entered; n != 1 {
		t.Fatalf("a group of %d", n)
	}
	add(20)
	for j.Waiting() < 20 {
		runtime.Gosched()
	}
	leave <- struct{}{}
	if n := <-entered; n != 20 {
		t.Errorf("a group of %d, want 20", n)
	}
	leave <- struct{}{}
	waiting.Wait()
}

// One record that the database dislikes fails alone, whichever of the group it is.
func TestOneNeverSpoilsItsNeighbours(t *testing.T) {
	m := newMemory()
	entered, hold := make(chan struct{}, 1), make(chan struct{})
	m.fail = func(records []authority.Record) error {
		for _, r := range records {
			switch r.Serial[2] {
			case 13:
				return fault.New(fault.Internal, "", "a CHECK refuses it")
			case 255: // while this one is written the others gather
				entered <- struct{}{}
				<-hold
			}
		}
		return nil
	}
	j := running(t, authority.JournalConfig{Write: m.Write})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := j.Append(t.Context(), record(255)); err != nil {
			t.Error(err)
		}
	})
	<-entered
	errs := make([]error, 40)
	for i := range errs {
		waiting.Go(func() { errs[i] = j.Append(t.Context(), record(byte(i))) })
	}
	for j.Waiting() < len(errs) {
		runtime.Gosched()
	}
	close(hold)
	waiting.Wait()
	for i, err := range errs {
		if (err == nil) != (i != 13) {
			t.Errorf("record %d: %v", i, err)
		}
	}
	if len(m.records) != len(errs) { // the first one, and all but one
		t.Errorf("%d records", len(m.records))
	}
}

// A database that is away is not asked for each record of a group.
func TestAnAbsentDatabaseRefusesAllAtOnce(t *testing.T) {
	m := newMemory()
	entered, hold := make(chan struct{}, 1), make(chan struct{})
	m.fail = func(records []authority.Record) error {
		if records[0].Serial[2] == 255 { // while this one is written the others gather
			entered <- struct{}{}
			<-hold
		}
		return fault.New(fault.DatabaseDown, "", "no answer")
	}
	j := running(t, authority.JournalConfig{Write: m.Write})
	var waiting sync.WaitGroup
	refused := func(serial byte) {
		waiting.Go(func() {
			if err := j.Append(t.Context(), record(serial)); !fault.Is(err, fault.DatabaseDown) {
				t.Error(err)
			}
		})
	}
	refused(255)
	<-entered
	for i := range byte(30) {
		refused(i)
	}
	for j.Waiting() < 30 {
		runtime.Gosched()
	}
	close(hold)
	waiting.Wait()
	if m.writes != 2 {
		t.Errorf("%d writes for a record and a group, want 2", m.writes)
	}
}

// A database that does not answer is away, also for who has not waited as long.
func TestADatabaseThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := running(t, authority.JournalConfig{Write: func(ctx context.Context, _ []authority.Record) error {
			<-ctx.Done()
			return postgres.Classify(ctx.Err())
		}})
		began := time.Now()
		if err := j.Append(t.Context(), record(1)); !fault.Is(err, fault.DatabaseDown) || time.Since(began) != 5*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// Who waits when the journal ends is told, and so is who comes later.
func TestTheEndOfTheJournal(t *testing.T) {
	j := got(authority.NewJournal(authority.JournalConfig{Write: newMemory().Write, Now: time.Now, Queue: 1}))
	waits := make(chan error)
	go func() { waits <- j.Append(context.Background(), record(1)) }()
	for j.Waiting() < 1 {
		runtime.Gosched()
	}
	if err := j.Append(t.Context(), record(2)); !fault.Is(err, fault.Overloaded) {
		t.Errorf("a full queue: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	j.Run(ctx)
	if err := <-waits; !fault.Is(err, fault.Overloaded) {
		t.Error(err)
	}
	if err := j.Append(t.Context(), record(3)); !fault.Is(err, fault.Overloaded) {
		t.Error(err)
	}
}

func TestSerialNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(1_100_000_000, 11_000_000_000).Draw(t, "time"), 0).UTC()
		serial, err := authority.NewSerial(at, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		month := (int(serial[0])<<8 | int(serial[1])) >> 3
		if serial[0] == 0 || serial[0] >= 0x80 || month != (at.Year()-2000)*12+int(at.Month())-1 {
			t.Errorf("%x at %s", serial, at)
		}
	})
	for _, year := range []int{1999, 2001, 2400} {
		if _, err := authority.NewSerial(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), rand.Reader); !fault.Is(err, fault.TimeNotAvailable) {
			t.Errorf("%d: %v", year, err)
		}
	}
}

func TestGeneralizedTime(t *testing.T) {
	for text, at := range map[string]time.Time{
		"20261121093000.12Z":  start,
		"20261121093000.001Z": start.Truncate(time.Second).Add(time.Millisecond),
		"20261121093000Z":     start.Truncate(time.Second),
		"20300101000000Z":     time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got := string(authority.GeneralizedTime(at)); got != text {
			t.Errorf("%s, want %s", got, text)
		}
	}
}

// TestStore holds the database to what it must refuse by itself.
func TestStore(t *testing.T) {
	pool := postgrestest.Pool(t)
	must(postgres.EnsurePartitions(t.Context(), pool, start))
	store := authority.NewStore(pool)
	certificates := []*cert.Certificate{root(), policies()[0].Keys[0].Certificate}
	for range 2 {
		must(store.Remember(t.Context(), start, certificates))
	}
	if all := got(store.Certificates(t.Context())); len(all) != 2 {
		t.Errorf("%d certificates", len(all))
	}
	make := func(change func(*authority.Record)) authority.Record {
		r := authority.Record{
			Serial: got(authority.NewSerial(start, rand.Reader)), Time: start, Policy: "1.2.3", Digest: "SHA-256", Imprint: bytes.Repeat([]byte{1}, 32),
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	good := make(func(r *authority.Record) {
		r.Time, r.Certificate[0], r.Token[31] = start.Add(123*time.Millisecond), 2, 3
	})
	must(store.Write(t.Context(), []authority.Record{good, make(nil)}))
	var kept authority.Record
	var serial, certificate, token []byte
	must(pool.QueryRow(t.Context(), `
		SELECT gen_time, policy, digest, imprint, serial, certificate, token FROM tsa_records WHERE serial = $1`, good.Serial[:]).
		Scan(&kept.Time, &kept.Policy, &kept.Digest, &kept.Imprint, &serial, &certificate, &token))
	copy(kept.Serial[:], serial)
	copy(kept.Certificate[:], certificate)
	copy(kept.Token[:], token)
	if !reflect.DeepEqual(kept, good) {
		t.Errorf("of\n%+v the database has\n%+v", good, kept)
	}
	later := start.AddDate(0, 1, 0)
	for name, r := range map[string]authority.Record{
		"the serial is there":       good,
		"and at another time":       make(func(r *authority.Record) { r.Serial, r.Time = good.Serial, start.Add(time.Hour) }),
		"a serial of another month": make(func(r *authority.Record) { r.Serial = got(authority.NewSerial(later, rand.Reader)) }),
		"a serial that is negative": make(func(r *authority.Record) { r.Serial[0] |= 0x80 }),
		"no policy":                 make(func(r *authority.Record) { r.Policy = "" }),
		"no imprint":                make(func(r *authority.Record) { r.Imprint = nil }),
		"a month without partitions": make(func(r *authority.Record) {
			r.Time = start.AddDate(100, 0, 0)
			r.Serial = got(authority.NewSerial(r.Time, rand.Reader))
		}),
	} {
		if err := store.Write(t.Context(), []authority.Record{make(nil), r}); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	var n int
	must(pool.QueryRow(t.Context(), `SELECT count(*) FROM tsa_records`).Scan(&n))
	if n != 2 {
		t.Errorf("%d records, want the first two", n)
	}
	for _, sql := range []string{`UPDATE tsa_records SET digest = 'x'`, `DELETE FROM tsa_records`, `TRUNCATE tsa_records`, `DELETE FROM tsa_certificates`} {
		if _, err := pool.Exec(t.Context(), sql); !fault.Is(postgres.Classify(err), fault.RecordImmutable) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestStoreCheck: a role or a database for which commits are not flushed, and a
// standby, are no place for records; nor is one without next month's partition.
func TestStoreCheck(t *testing.T) {
	pool := postgrestest.Pool(t)
	// A time around which nothing but this test has partitions made: those of the
	// real time are there too.
	start := start.AddDate(100, 0, 0)
	must(postgres.EnsurePartitions(t.Context(), pool, start)) // three months ahead
	with := func(parameters map[string]string) *authority.Store {
		c := pool.Config() // a copy
		maps.Copy(c.ConnConfig.RuntimeParams, parameters)
		changed := got(pgxpool.NewWithConfig(t.Context(), c))
		t.Cleanup(changed.Close)
		return authority.NewStore(changed)
	}
	if err := with(map[string]string{"synchronous_commit": "off"}).Check(t.Context(), start); !fault.Is(err, fault.ConfigUnsafe) {
		t.Errorf("no flush: %v", err)
	}
	if err := with(map[string]string{"default_transaction_read_only": "on"}).Check(t.Context(), start); !fault.Is(err, fault.DatabaseDown) {
		t.Errorf("a standby: %v", err)
	}
	var fsync string
	must(pool.QueryRow(t.Context(), "SHOW fsync").Scan(&fsync))
	err := with(map[string]string{"synchronous_commit": "local"}).Check(t.Context(), start)
	if fsync == "on" && err != nil || fsync == "off" && !fault.Is(err, fault.ConfigUnsafe) {
		t.Errorf("with fsync %s: %v", fsync, err)
	}
	for _, later := range []time.Time{start.AddDate(0, 3, 0), start.AddDate(0, 4, 0), start.AddDate(1, 0, 0)} {
		if err := with(nil).Check(t.Context(), later); !fault.Is(err, fault.TSAMonthMissing) {
			t.Errorf("without upkeep until %s: %v", later, err)
		}
	}
	// Over the year's end, on the last day of a month.
	if err := with(nil).Check(t.Context(), time.Date(2126, 12, 31, 23, 59, 59, 0, time.UTC)); fault.Is(err, fault.TSAMonthMissing) {
		t.Error(err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := with(nil).Check(ended, start); err == nil {
		t.Error("nobody was asked")
	}
}

// TestMemoryIsFlat: what tokens need is given back.
func TestMemoryIsFlat(t *testing.T) {
	j := running(t, authority.JournalConfig{Write: func(context.Context, []authority.Record) error { return nil }})
	a, _ := issuing(t, func(c *authority.Config) { c.Journal = j })
	query := got(request(algo.SHA256, policyEC).Marshal())
	issue := func(n int) {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range n / 16 {
					if _, err := a.Respond(context.Background(), query); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	issue(400)
	before := heap()
	issue(4000)
	// A byte more for each token would be 4 kB; this is noise of the runtime.
	if after := heap(); after > before+256<<10 {
		t.Errorf("%d bytes of heap after 4 000 tokens, %d before", after, before)
	}
}

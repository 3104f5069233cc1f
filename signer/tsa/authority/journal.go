package authority

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Record says that a token was issued. It holds no more about who asked than the
// token does.
type Record struct {
	Serial      [SerialBytes]byte
	Time        time.Time
	Policy      string // dotted
	Digest      string // of the imprint, by name
	Imprint     []byte
	Certificate [sha256.Size]byte // fingerprint of the one that verifies the token
	Token       [sha256.Size]byte // digest of the token
}

func recordOf(u *unit, q *Query, s *Stamp) Record {
	return Record{
		Serial: s.Serial, Time: s.Time, Policy: u.policy, Digest: q.Digest.Name, Imprint: q.Imprint,
		Certificate: u.fingerprint, Token: sha256.Sum256(s.Token),
	}
}

const (
	// batchMax bounds a group: its statement has some 50 KiB then.
	batchMax = 256
	// gatherMax bounds the wait for a group to be whole, however slow the disk.
	gatherMax = 5 * time.Millisecond
	// writeTimeout bounds one group. Who waits is told systemFailure after it.
	writeTimeout = 5 * time.Second
)

// JournalConfig of a Journal.
type JournalConfig struct {
	// Write makes records durable, all or none, before it returns nil. Store.Write
	// does.
	Write func(ctx context.Context, records []Record) error
	Now   func() time.Time // measures writes
	// Queue bounds the records that wait; zero means 1024.
	Queue   int
	Metrics *Metrics
}

// Journal writes records in groups: whoever comes while a group is being written
// goes into the next one, so a flush of the disk is shared by all who wait for it.
// It is safe for concurrent use.
//
// A group is written when half of the requests at work are in it: then one half is
// flushed while the other is signed, neither the disk nor the processors wait, and
// a flush is paid for by as many as that allows. Who comes alone waits for nobody;
// and nobody waits for others longer than half of what the last write took, or
// gatherMax.
type Journal struct {
	c      JournalConfig
	atWork atomic.Int32  // requests that may come to Append
	wake   chan struct{} // tells the writer that there is as much as it wants

	mu      sync.Mutex
	groups  []*group // the first is written next; only the last may have room
	waiting int      // records in groups
	wanted  int      // records, at which to wake the writer
	ended   bool
}

// group is written together.
type group struct {
	records []Record
	errs    []error // of the records, once done is closed
	done    chan struct{}
}

// NewJournal checks the configuration. Run writes.
func NewJournal(c JournalConfig) (*Journal, error) {
	if c.Write == nil || c.Now == nil || c.Queue < 0 {
		return nil, fault.New(fault.BadArgument, "", "a journal needs something to write with, and a clock")
	}
	if c.Queue == 0 {
		c.Queue = inFlightMax
	}
	return &Journal{c: c, wake: make(chan struct{}, 1), wanted: 1}, nil
}

// begin counts a request that may come to Append, until end.
func (j *Journal) begin() { j.atWork.Add(1) }
func (j *Journal) end()   { j.atWork.Add(-1) }

// Append returns nil when the record is durable. After any error it may be so or
// not, and the token must not be given out. It waits as long as the context lets
// it; overloaded says that too many wait already, or that the journal has ended.
func (j *Journal) Append(ctx context.Context, r Record) error {
	g, at, err := j.enqueue(r)
	if err != nil {
		return err
	}
	select {
	case <-g.done:
		return g.errs[at]
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Cancelled, "", "wait for the record of the token")
	}
}

// enqueue puts a record into the last group, at a place.
func (j *Journal) enqueue(r Record) (g *group, at int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.ended:
		return nil, 0, errEnded()
	case j.waiting == j.c.Queue:
		return nil, 0, fault.New(fault.Overloaded, "", "%d records wait to be written", j.waiting)
	case len(j.groups) == 0 || len(j.groups[len(j.groups)-1].records) == batchMax:
		j.groups = append(j.groups, &group{done: make(chan struct{})})
	}
	g = j.groups[len(j.groups)-1]
	g.records = append(g.records, r)
	if j.waiting++; j.waiting >= j.wanted {
		select {
		case j.wake <- struct{}{}:
		default: // the writer was told already
		}
	}
	return g, len(g.records) - 1, nil
}

func errEnded() error { return fault.New(fault.Overloaded, "", "the journal is closed") }

// Run writes until the context ends; a group under way is finished, those that wait
// are refused. It is called once.
func (j *Journal) Run(ctx context.Context) {
	defer j.refuse()
	took := time.Duration(0) // by the last write
	for g := j.gather(ctx, 0); g != nil; g = j.gather(ctx, min(took/2, gatherMax)) {
		began := j.c.Now()
		g.errs = make([]error, len(g.records))
		j.write(ctx, g.records, g.errs)
		took = j.c.Now().Sub(began)
		close(g.done)
	}
}

// gather takes a group when half of the requests at work are in it, or the
// patience for that is over; it is nil when the context ends.
func (j *Journal) gather(ctx context.Context, patience time.Duration) *group {
	if !j.await(ctx, 1, nil) {
		return nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	half := (int(j.atWork.Load()) + 1) / 2
	if !j.await(ctx, min(half, batchMax), timer.C) {
		return nil
	}
	return j.first()
}

// await returns when as many records wait, or the patience for that is over; it is
// false when the context ends.
func (j *Journal) await(ctx context.Context, wanted int, patience <-chan time.Time) bool {
	for {
		j.mu.Lock()
		enough := j.waiting >= wanted
		j.wanted = wanted
		j.mu.Unlock()
		if enough {
			return ctx.Err() == nil
		}
		select {
		case <-j.wake: // perhaps for what is written already
		case <-patience:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// first takes the first group; there is one.
func (j *Journal) first() *group {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.groups[0]
	j.groups[0] = nil
	j.groups = j.groups[1:]
	j.waiting -= len(g.records)
	return g
}

// refuse ends the journal.
func (j *Journal) refuse() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	for _, g := range j.groups {
		g.errs = make([]error, len(g.records))
		for i := range g.errs {
			g.errs[i] = errEnded()
		}
		close(g.done)
	}
	j.groups, j.waiting = nil, 0
}

// write writes records and says what became of each. A group that the database
// refuses for what is in it is halved until the record that it dislikes is alone:
// one never spoils its neighbours. A database that is away refuses all at once.
func (j *Journal) write(ctx context.Context, records []Record, errs []error) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	err := j.c.Write(bounded, records)
	if err != nil && bounded.Err() != nil { // our time, and not that of who asked
		err = fault.Wrap(err, fault.DatabaseDown, "", "no answer within %s", writeTimeout)
	}
	cancel()
	if err != nil && len(records) > 1 && !passes(err) {
		half := len(records) / 2
		j.write(ctx, records[:half], errs[:half])
		j.write(ctx, records[half:], errs[half:])
		return
	}
	if err == nil {
		j.c.Metrics.committed(len(records))
	}
	for i := range errs {
		errs[i] = err
	}
}

// passes reports whether an error is about the database and not about the
// records.
func passes(err error) bool {
	f := fault.Of(err)
	return f != nil && f.Code.Class() == fault.RetryLater
}

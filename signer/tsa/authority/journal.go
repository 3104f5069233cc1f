package authority

import (
	"context"
	"crypto/sha256"
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
// Clients that got their tokens come back for the next ones. If a write began as
// soon as there was something to write, they would fall into two halves that wait
// for each other's writes for ever. So a writer that has just served several waits
// for as many to come, half as long as the last write took at most; who comes
// alone waits for nobody.
type Journal struct {
	c       JournalConfig
	queue   chan entry
	stopped chan struct{}

	// Of the last group: the writer's own.
	took   time.Duration
	expect int // who wrote then, or waited already when it was done
}

// entry is a record and where its writer says what became of it.
type entry struct {
	record  Record
	outcome chan error // takes one without a reader: the caller may have left
}

// NewJournal checks the configuration. Run writes.
func NewJournal(c JournalConfig) (*Journal, error) {
	if c.Write == nil || c.Now == nil || c.Queue < 0 {
		return nil, fault.New(fault.BadArgument, "", "a journal needs something to write with, and a clock")
	}
	if c.Queue == 0 {
		c.Queue = inFlightMax
	}
	return &Journal{c: c, queue: make(chan entry, c.Queue), stopped: make(chan struct{})}, nil
}

// Append returns nil when the record is durable. After any error it may be so or
// not, and the token must not be given out. It waits as long as the context lets
// it; overloaded says that too many wait already, or that the journal has ended.
func (j *Journal) Append(ctx context.Context, r Record) error {
	e := entry{r, make(chan error, 1)}
	select {
	case <-j.stopped:
		return ended()
	default:
	}
	select {
	case j.queue <- e:
	default:
		return fault.New(fault.Overloaded, "", "%d records wait to be written", cap(j.queue))
	}
	select {
	case err := <-e.outcome:
		return err
	case <-j.stopped:
		// Written last, or left in the queue?
		select {
		case err := <-e.outcome:
			return err
		default:
			return ended()
		}
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Cancelled, "", "wait for the record of the token")
	}
}

func ended() error { return fault.New(fault.Overloaded, "", "the journal is closed") }

// Run writes until the context ends; a group under way is finished. It is called
// once.
func (j *Journal) Run(ctx context.Context) {
	defer close(j.stopped)
	group := make([]entry, 0, batchMax)
	records := make([]Record, 0, batchMax)
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-j.queue:
			group = j.gather(append(group[:0], first))
			began := j.c.Now()
			j.write(ctx, group, records)
			j.took, j.expect = j.c.Now().Sub(began), len(group)+len(j.queue)
			clear(group)
		}
	}
}

// gather takes what waits, and what comes until as many are there as are
// expected or the time for that is up.
func (j *Journal) gather(group []entry) []entry {
	group = j.take(group)
	if len(group) >= min(j.expect, batchMax) {
		return group
	}
	patience := time.NewTimer(min(j.took/2, gatherMax))
	defer patience.Stop()
	for len(group) < min(j.expect, batchMax) {
		select {
		case e := <-j.queue:
			group = j.take(append(group, e))
		case <-patience.C:
			return group
		}
	}
	return group
}

// take takes what waits.
func (j *Journal) take(group []entry) []entry {
	for len(group) < batchMax {
		select {
		case e := <-j.queue:
			group = append(group, e)
		default:
			return group
		}
	}
	return group
}

// write writes a group and tells everybody in it. A group that the database
// refuses for what is in it is halved until the record that it dislikes is alone:
// one never spoils its neighbours. A database that is away refuses all at once.
func (j *Journal) write(ctx context.Context, group []entry, records []Record) {
	records = records[:0]
	for _, e := range group {
		records = append(records, e.record)
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	err := j.c.Write(bounded, records)
	cancel()
	if err != nil && len(group) > 1 && !passes(err) {
		j.write(ctx, group[:len(group)/2], records)
		j.write(ctx, group[len(group)/2:], records)
		return
	}
	if err == nil {
		j.c.Metrics.committed(len(group))
	}
	for _, e := range group {
		e.outcome <- err
	}
}

// passes reports whether an error is about the database and not about the
// records.
func passes(err error) bool {
	f := fault.Of(err)
	return f != nil && f.Code.Class() == fault.RetryLater
}

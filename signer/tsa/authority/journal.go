package authority

import (
	"context"
	"crypto/sha256"
	"sync"
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
	// writersDefault is how many groups are at work at once: while one waits for
	// the disk the next one is gathered and sent.
	writersDefault = 2
	// writeTimeout bounds one group. Who waits is told systemFailure after it.
	writeTimeout = 5 * time.Second
)

// JournalConfig of a Journal.
type JournalConfig struct {
	// Write makes records durable, all or none, before it returns nil. Store.Write
	// does.
	Write func(ctx context.Context, records []Record) error
	// Queue bounds the records that wait; zero means 1024.
	Queue   int
	Writers int // zero means 2
	Metrics *Metrics
}

// Journal writes records in groups: whoever comes while a group is being written
// goes into the next one, so a flush of the disk is shared by all who wait for it,
// and who comes alone does not wait for others. It is safe for concurrent use.
type Journal struct {
	c       JournalConfig
	queue   chan entry
	stopped chan struct{}
}

// entry is a record and where its writer says what became of it.
type entry struct {
	record  Record
	outcome chan error // takes one without a reader: the caller may have left
}

// NewJournal checks the configuration. Run writes.
func NewJournal(c JournalConfig) (*Journal, error) {
	if c.Write == nil || c.Queue < 0 || c.Writers < 0 {
		return nil, fault.New(fault.BadArgument, "", "a journal needs something to write with")
	}
	if c.Queue == 0 {
		c.Queue = inFlightMax
	}
	if c.Writers == 0 {
		c.Writers = writersDefault
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

// Run writes until the context ends; groups under way are finished. It is called
// once.
func (j *Journal) Run(ctx context.Context) {
	defer close(j.stopped)
	var writers sync.WaitGroup
	for range j.c.Writers {
		writers.Go(func() { j.writeGroups(ctx) })
	}
	writers.Wait()
}

func (j *Journal) writeGroups(ctx context.Context) {
	group := make([]entry, 0, batchMax)
	records := make([]Record, 0, batchMax)
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-j.queue:
			group = j.gather(append(group[:0], first))
			j.write(ctx, group, records)
			clear(group)
		}
	}
}

// gather takes what waits, and does not wait for more.
func (j *Journal) gather(group []entry) []entry {
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

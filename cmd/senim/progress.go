package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// progressInterval is how often long work says that it still goes on.
const progressInterval = 5 * time.Second

// working announces work on stderr and runs it. While it lasts, what the work
// last reported is repeated from time to time. The work itself must not write
// to stderr.
func (p *program) working(what text, work func(report func(string)) error) error {
	fmt.Fprintf(p.stderr, "%s …\n", what.in(p.language))
	began := p.now()
	var last atomic.Value
	last.Store("")
	done := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintf(p.stderr, "  %s %s\n", p.now().Sub(began).Round(time.Second), last.Load())
			}
		}
	})
	defer telling.Wait()
	defer close(done)
	return work(func(line string) { last.Store(line) })
}

// measured is a reader whose progress is reported, and that ends with its
// context.
type measured struct {
	ctx    context.Context
	source io.Reader
	total  int64 // 0 of a pipe
	report func(string)
	read   int64
}

func (m *measured) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, fault.Wrap(err, fault.Cancelled, "", "read on")
	}
	n, err := m.source.Read(p)
	if err != nil && m.ctx.Err() != nil { // the source was closed to end a wait
		err = fault.Wrap(m.ctx.Err(), fault.Cancelled, "", "read on")
	}
	m.read += int64(n)
	if m.total > 0 {
		m.report(fmt.Sprintf("%d / %d MiB", m.read>>20, m.total>>20))
	} else {
		m.report(fmt.Sprintf("%d MiB", m.read>>20))
	}
	return n, err
}

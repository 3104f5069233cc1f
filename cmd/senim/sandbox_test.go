package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// signalling is an output that tells when a text has come.
type signalling struct {
	mu      sync.Mutex
	text    bytes.Buffer
	want    string
	arrived chan struct{}
	once    sync.Once
}

func (s *signalling) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if bytes.Contains(s.text.Bytes(), []byte(s.want)) {
		s.once.Do(func() { close(s.arrived) })
	}
	return len(p), nil
}

func TestSandbox(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var first sandboxURLs
	for i := range 2 { // the second start continues with the first's folder
		out := &signalling{want: saySandbox.en, arrived: make(chan struct{})}
		p := &program{stdout: io.Discard, stderr: out, language: fault.English, now: time.Now}
		var printed bytes.Buffer
		p.stdout = &printed
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- p.sandbox(ctx, surroundingsConfig{Dir: dir, Now: time.Now, Bits: 2048}, "http://127.0.0.1:1/callback", true)
		}()
		select {
		case <-out.arrived:
		case err := <-ended:
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, urlsName))
		check(t, err)
		var u sandboxURLs
		check(t, json.Unmarshal(raw, &u))
		if i == 0 {
			first = u
		} else if u.TSA != first.TSA {
			t.Errorf("the TSP has moved from %s to %s", first.TSA, u.TSA)
		}
		answer, err := http.Get(u.Sandbox.NCA.CRL)
		check(t, err)
		check(t, answer.Body.Close())
		if answer.StatusCode != http.StatusOK {
			t.Errorf("the CRL answers %s", answer.Status)
		}
		if entries, err := os.ReadDir(u.Anchors); err != nil || len(entries) == 0 {
			t.Errorf("anchors: %v %v", entries, err)
		}
		if err := p.sandbox(ctx, surroundingsConfig{Dir: dir, Now: time.Now}, "", false); !fault.Is(err, fault.InUse) {
			t.Errorf("a second one on the same folder = %v", err)
		}
		stop()
		check(t, <-ended)
		if _, err := os.Stat(filepath.Join(dir, urlsName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the addresses are left: %v", err)
		}
		var said sandboxURLs
		check(t, json.Unmarshal(printed.Bytes(), &said))
		if said.TSA != u.TSA {
			t.Errorf("printed is %s", printed.String())
		}
	}
}

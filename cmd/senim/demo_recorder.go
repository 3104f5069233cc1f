package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// recorder stands on the way between the gateway and the service, passes
// messages on unchanged and keeps the last one, so that the demo can play it
// again, as it was or changed: what anybody on the network could do.
type recorder struct {
	url      string
	target   string
	language fault.Language // of the service's refusals
	server   *http.Server
	done     chan struct{}

	mu          sync.Mutex
	contentType string
	last        []byte
}

// recordedSizeMax is above any message of the gateway.
const recordedSizeMax = 1 << 20

func newRecorder(ctx context.Context, target string, language fault.Language) (*recorder, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the gateway: %w", err)
	}
	r := &recorder{url: "http://" + listener.Addr().String() + "/", target: target, language: language, done: make(chan struct{})}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(r.done)
		// It ends when close is called, and says nothing else of interest.
		_ = r.server.Serve(listener)
	}()
	return r, nil
}

func (r *recorder) close() {
	_ = r.server.Close() // nothing is under way any more
	<-r.done
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, recordedSizeMax))
	if err != nil {
		http.Error(w, "cannot be read", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.contentType, r.last = req.Header.Get("Content-Type"), body
	r.mu.Unlock()
	status, answer, err := r.replay(req.Context(), nil)
	if err != nil {
		http.Error(w, "the service does not answer", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // the gateway tries again if it is gone
}

// replay sends the last message once more, changed if change is given.
func (r *recorder) replay(ctx context.Context, change func([]byte) []byte) (status int, answer []byte, err error) {
	r.mu.Lock()
	body, contentType := bytes.Clone(r.last), r.contentType
	r.mu.Unlock()
	if body == nil {
		return 0, nil, errors.New("no message was recorded")
	}
	if change != nil {
		body = change(body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("SOAPAction", `""`)
	req.Header.Set("Accept-Language", string(r.language))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("send message: %w", err)
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, recordedSizeMax))
	return res.StatusCode, answer, err
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// The peer of the row tsa: sigstore's timestamp-server, which is no dependency of
// the project. It is built once into the user's cache, by the Go command.
const (
	tsaPeerPackage = "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server"
	tsaPeerVersion = "v2.1.2"
	// tsaPeerStart bounds the wait until it answers.
	tsaPeerStart = 20 * time.Second
)

// tsaPeer is the running server.
type tsaPeer struct {
	url     string
	command *exec.Cmd
	ended   chan struct{} // closed when it has, and its log with it
	said    lastLine
}

// lastLine keeps the beginning of the last line that was written to it.
type lastLine struct{ line []byte }

func (l *lastLine) Write(p []byte) (int, error) {
	last := bytes.TrimRight(p, "\n") // the peer writes a line at a time
	last = last[bytes.LastIndexByte(last, '\n')+1:]
	l.line = append(l.line[:0], last[:min(len(last), 400)]...)
	return len(p), nil
}

// startTSAPeer builds the server if that was not done before, and starts it with
// a key in memory and its log going down a pipe.
func startTSAPeer(ctx context.Context, b *bench) (*tsaPeer, error) {
	binary, err := buildTSAPeer(ctx, b)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	p := &tsaPeer{ended: make(chan struct{}), url: fmt.Sprintf("http://127.0.0.1:%d/api/v1/timestamp", port)}
	p.command = exec.Command(binary, "serve", "--host", "127.0.0.1", "--port", fmt.Sprint(port),
		"--timestamp-signer", "memory", "--disable-ntp-monitoring", "--log-type", "prod")
	p.command.Stdout, p.command.Stderr = &p.said, &p.said                    // through a pipe
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a bench that is killed takes it along
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // that signal is for the end of the thread that starts it
		err := p.command.Start()
		started <- err
		if err == nil {
			_ = p.command.Wait() // stop kills it
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fault.Wrap(err, fault.NotRunning, binary, "start the peer")
	}
	ctx, cancel := context.WithTimeout(ctx, tsaPeerStart)
	defer cancel()
	for {
		if res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ping", port)); err == nil {
			res.Body.Close()
			return p, nil
		}
		select {
		case <-p.ended: // another bench is running, perhaps: the port of its metrics is fixed
			return nil, fault.New(fault.NotRunning, binary, "the peer ended: %s", p.said.line)
		case <-ctx.Done():
			p.stop()
			return nil, fault.New(fault.NotRunning, binary, "the peer does not answer")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *tsaPeer) stop() {
	_ = p.command.Process.Kill() // it may have ended by itself
	<-p.ended
}

func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// buildTSAPeer gives the server's binary. Building takes some minutes, and the
// module proxy.
func buildTSAPeer(ctx context.Context, b *bench) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "senim", "bench", "timestamp-server-"+tsaPeerVersion)
	binary := filepath.Join(dir, filepath.Base(tsaPeerPackage))
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if b.config.Small {
		return "", fault.New(fault.NotAvailable, "", "the peer is not built: senim bench tsa does it")
	}
	b.tell("building %s@%s into %s: some minutes, once", tsaPeerPackage, tsaPeerVersion, dir)
	build := exec.CommandContext(ctx, "go", "install", tsaPeerPackage+"@"+tsaPeerVersion)
	build.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	build.Dir = b.dir // outside any module
	if out, err := build.CombinedOutput(); err != nil {
		return "", fault.New(fault.NotAvailable, "", "the peer cannot be built: %v: %.200s", err, out)
	}
	return binary, nil
}

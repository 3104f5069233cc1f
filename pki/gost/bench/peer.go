package bench

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed peer/peer.c
var peerSource []byte

// peer is the running C program.
type peer struct {
	folder  string
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// errNoPeer: what the peer needs is not installed.
var errNoPeer = errors.New("no gost-engine")

func startPeer() (_ *peer, err error) {
	p := &peer{}
	if p.folder, err = os.MkdirTemp("", "gost-peer-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	source, binary := filepath.Join(p.folder, "peer.c"), filepath.Join(p.folder, "peer")
	if err = os.WriteFile(source, peerSource, 0o600); err != nil {
		return nil, err
	}
	compile := exec.Command("gcc", "-O2", "-Wno-deprecated-declarations", "-o", binary, source, "-lcrypto")
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: compile the peer: %w\n%s", errNoPeer, err, out)
	}
	p.command = exec.Command(binary)
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(stdout)
	if err = p.command.Start(); err != nil {
		return nil, err
	}
	line, err := p.out.ReadString('\n')
	if err == nil && strings.TrimSpace(line) != "ready" {
		err = fmt.Errorf("%w: %s", errNoPeer, strings.TrimSpace(line))
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// rate asks the peer for operations per CPU second.
func (p *peer) rate(operation string, slice time.Duration) (float64, error) {
	if _, err := fmt.Fprintf(p.in, "%s %d\n", operation, slice.Milliseconds()); err != nil {
		return 0, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	var done, seconds float64
	if _, err := fmt.Sscan(line, &done, &seconds); err != nil {
		return 0, fmt.Errorf("the peer answers %q", strings.TrimSpace(line))
	}
	return done / seconds, nil
}

// close ends the peer by the end of its input.
func (p *peer) close() {
	if p.in != nil {
		p.in.Close()
	}
	if p.command != nil && p.command.Process != nil {
		p.command.Wait()
	}
	os.RemoveAll(p.folder)
}

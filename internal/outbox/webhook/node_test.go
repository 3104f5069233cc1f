package webhook

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
)

// nodeReceiver is testdata/node/receiver.js.
type nodeReceiver struct {
	t     *testing.T
	url   string
	input io.Writer
	lines *bufio.Scanner
}

// nodeLine is what it prints.
type nodeLine struct {
	Port, Known, Keys int
	ID, Type, Error   string
}

func startNode(t *testing.T) *nodeReceiver {
	t.Helper()
	folder := filepath.Join("testdata", "node")
	if _, err := exec.LookPath("node"); err != nil {
		t.Skipf("needs node: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "standardwebhooks")); err != nil {
		t.Skip("needs npm's standardwebhooks: scripts/setup.sh test installs it")
	}
	cmd := exec.CommandContext(t.Context(), "node", "receiver.js")
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close() // it exits when its input ends
		_ = cmd.Wait()
	})
	n := &nodeReceiver{t: t, input: input, lines: bufio.NewScanner(output)}
	n.url = fmt.Sprintf("http://127.0.0.1:%d/", n.next().Port)
	return n
}

func (n *nodeReceiver) next() nodeLine {
	n.t.Helper()
	if !n.lines.Scan() {
		n.t.Fatalf("the receiver ended: %v", n.lines.Err())
	}
	var line nodeLine
	if err := json.Unmarshal(n.lines.Bytes(), &line); err != nil {
		n.t.Fatalf("%v: %s", err, n.lines.Bytes())
	}
	return line
}

// knows tells the receiver which keys a message must verify with.
func (n *nodeReceiver) knows(keys ...IssuedKey) {
	n.t.Helper()
	texts := []string{}
	for _, k := range keys {
		texts = append(texts, k.Secret+k.PublicKey)
	}
	line, err := json.Marshal(texts)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.input.Write(append(line, '\n')); err != nil {
		n.t.Fatal(err)
	}
	if got := n.next().Known; got != len(keys) {
		n.t.Fatalf("the receiver took %d keys", got)
	}
}

// Subscribers verify with libraries that are not ours.
func TestNodesLibraryVerifies(t *testing.T) {
	n := startNode(t)
	h := newHouse(t)
	h.pass(time.Since(noon)) // the library looks at the clock
	sub, keys := h.subscribe(Draft{URL: n.url, Schemes: []Scheme{HMAC, Ed25519}})
	deliver := func(what string, verifies bool) {
		t.Helper()
		transaction := uuid.New()
		h.publish(transaction, "order.created")
		h.send(sub.ID)
		line := n.next()
		if (line.Error == "") != verifies || line.ID != MessageID(sub.ID, transaction, 1) || verifies && line.Type != "order.created" {
			t.Errorf("%s: %+v", what, line)
		}
		d := h.deliveries(sub.ID, Deliveries{Transaction: transaction})[0]
		if verifies != (d.State == Delivered) || !verifies && d.Attempts[0].Code != fault.WebhookRefused {
			t.Errorf("%s: %+v", what, d)
		}
	}
	n.knows(keys...)
	deliver("both schemes", true)
	fresh, err := h.service.Rotate(t.Context(), viewer, sub.ID, time.Minute)
	if err != nil || len(fresh) != 2 {
		t.Fatalf("%d keys, %v", len(fresh), err)
	}
	n.knows(append(keys, fresh...)...)
	deliver("former and new keys together", true)
	h.pass(time.Minute)
	n.knows(fresh...)
	deliver("the new keys after the overlap", true)
	n.knows(keys[0])
	deliver("a former secret after the overlap", false)
	n.knows(keys[1])
	deliver("a former public key after the overlap", false)
}

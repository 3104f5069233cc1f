package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/tsp"
)

const (
	// tsaConnections ask at once, each for its next token when it has the last.
	tsaConnections = 16
	// tsaPerOperation makes a round of tokens as long as one of submissions.
	tsaPerOperation = 50
	// tsaPolicyMemory is the bench's own policy, with a key in memory.
	tsaPolicyMemory = "1.3.6.1.4.1.32473.3161.9"
)

// tsaBench asks authorities for tokens over HTTP, and looks at each reply. Both
// sides of a row are asked by the same code, over as many connections that stay
// open as long as the row.
type tsaBench struct {
	bench       *bench
	connections map[string][]*stampConnection // by address
}

func newTSABench(b *bench) *tsaBench {
	return &tsaBench{bench: b, connections: make(map[string][]*stampConnection)}
}

func (t *tsaBench) close() {
	for _, all := range t.connections {
		for _, c := range all {
			_ = c.close() // nothing is under way
		}
	}
}

// connect gives the connections to an authority.
func (t *tsaBench) connect(ctx context.Context, url string) ([]*stampConnection, error) {
	for len(t.connections[url]) < tsaConnections {
		c, err := dialStamps(ctx, url)
		if err != nil {
			return nil, err
		}
		t.connections[url] = append(t.connections[url], c)
	}
	for _, c := range t.connections[url] {
		if err := c.conn.SetDeadline(t.bench.now().Add(stampRoundMax)); err != nil {
			return nil, fault.Wrap(err, fault.PeerDown, url, "bound the round")
		}
	}
	return t.connections[url], nil
}

// stampAgainstPeer is the row with a key in memory, against sigstore's server.
func stampAgainstPeer(ctx context.Context, b *bench, row benchRow) (benchResult, error) {
	peer, err := startTSAPeer(ctx, b)
	if err != nil {
		return benchResult{Row: row.name, Must: row.must, Skipped: err.Error()}, nil
	}
	defer peer.stop()
	s, err := b.startedService(ctx)
	if err != nil {
		return benchResult{}, err
	}
	t := newTSABench(b)
	defer t.close()
	ours := t.asking(s.service.config.PublicURL+"/tsa", tsaPolicyMemory)
	return t.alternate(ctx, row, ours, t.asking(peer.url, ""))
}

// stampAgainstToken is the row with the key in SoftHSM, against a bare loop of
// C_SignInit and C_Sign.
func stampAgainstToken(ctx context.Context, b *bench, row benchRow) (result benchResult, err error) {
	s, err := b.startedService(ctx)
	if err != nil {
		return result, err
	}
	bare := &tokenBench{digest: sha256.Sum256([]byte("a message"))}
	defer func() { err = errors.Join(err, bare.close()) }()
	if bare.key, err = s.service.tokens.all[0].Key(ctx, tsaLabelEC); err != nil {
		return result, err
	}
	if err := bare.openBare(s.service.config.Token.Module, s.service.tokens.all[0].Info().SlotID, hsm.P256); err != nil {
		return result, err
	}
	t := newTSABench(b)
	defer t.close()
	return t.alternate(ctx, row, t.asking(s.service.config.PublicURL+"/tsa", tsaPolicyEC), bare.side(b, tsaPerOperation, bare.bare))
}

// alternate is bench.alternate, and says what it left in memory.
func (t *tsaBench) alternate(ctx context.Context, row benchRow, ours, reference benchSide) (benchResult, error) {
	if _, _, err := ours(ctx, t.bench.config.Warmup); err != nil {
		return benchResult{}, err
	}
	before := heapMiB()
	r, err := t.bench.alternate(ctx, row, ours, reference)
	if err == nil {
		t.bench.tell("%s: the heap has %.1f MiB, %.1f MiB before", row.name, heapMiB(), before)
	}
	return r, err
}

// heapMiB is what is reachable.
func heapMiB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// asking has every connection ask the authority at url, under a policy or its
// default one. The first token of each round is read and its signature verified.
func (t *tsaBench) asking(url, policy string) benchSide {
	return func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
		connections, err := t.connect(ctx, url)
		if err != nil {
			return nil, 0, err
		}
		if err := t.verifyOne(connections[0], url, policy); err != nil {
			return nil, 0, err
		}
		requests, err := t.requests(n*tsaPerOperation, url, policy)
		if err != nil {
			return nil, 0, err
		}
		return inParallel(ctx, t.bench.now, tsaConnections, len(requests), func(_ context.Context, i int) error {
			reply, err := connections[i%tsaConnections].ask(requests[i])
			if err == nil && !isGranted(reply) {
				_, err = tsp.ParseReply(reply) // says why
				err = fault.Wrap(err, fault.TSARefused, url, "no token")
			}
			return err
		})
	}
}

// requests are n requests, each with a nonce of its own and certReq.
func (t *tsaBench) requests(n int, url, policy string) ([][]byte, error) {
	all := make([][]byte, n)
	for i := range all {
		r, err := t.request(policy)
		if err != nil {
			return nil, err
		}
		query, err := r.Marshal()
		if err != nil {
			return nil, err
		}
		if all[i], err = stampRequest(url, query); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (t *tsaBench) request(policy string) (*tsp.Request, error) {
	r, err := tsp.NewRequest([]byte("a document"), algo.SHA256, rand.Reader)
	if err == nil && policy != "" {
		r.Policy, err = parseOID(policy)
	}
	return r, err
}

func (t *tsaBench) verifyOne(c *stampConnection, url, policy string) error {
	r, err := t.request(policy)
	if err != nil {
		return err
	}
	query, err := r.Marshal()
	if err != nil {
		return err
	}
	request, err := stampRequest(url, query)
	if err != nil {
		return err
	}
	reply, err := c.ask(request)
	if err != nil {
		return err
	}
	token, err := r.Accept(reply)
	if err != nil {
		return fmt.Errorf("the token of %s: %w", url, err)
	}
	if _, err := token.VerifySignature(); err != nil {
		return fmt.Errorf("the token of %s: %w", url, err)
	}
	return nil
}

// addMemoryPolicy gives the authority that will be started a policy with a P-256
// key outside the token.
func (s *submitBench) addMemoryPolicy() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return err
	}
	issued, err := s.around.sandbox.IssueTimestamping(csr)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, block := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: pkcs8}, {Type: "CERTIFICATE", Bytes: issued.Certificate}} {
		if err := pem.Encode(&text, block); err != nil {
			return err
		}
	}
	file := filepath.Join(s.bench.dir, "tsa-memory.pem")
	if err := writeFileAtomically(file, text.Bytes()); err != nil {
		return err
	}
	c := &s.around.config.TSA
	c.Policies = append(c.Policies, config.TSAPolicy{OID: tsaPolicyMemory, Accuracy: time.Second, Keys: []config.TSAKey{{File: file}}})
	return nil
}

package authority_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

// Variables of the process that TestKilled starts: this test binary, as an
// authority.
const (
	killedDSN  = "SENIM_TEST_TSA_DSN"
	killedFile = "SENIM_TEST_TSA_KEY"
)

func TestMain(m *testing.M) {
	if dsn := os.Getenv(killedDSN); dsn != "" {
		serveUntilKilled(dsn, os.Getenv(killedFile))
		return
	}
	os.Exit(m.Run())
}

// serveUntilKilled answers over HTTP and says where on stdout.
func serveUntilKilled(dsn, file string) {
	block, rest := pem.Decode(got(os.ReadFile(file)))
	key := got(x509.ParsePKCS8PrivateKey(block.Bytes))
	block, _ = pem.Decode(rest)
	pool := got(postgres.Open(context.Background(), dsn))
	journal := got(authority.NewJournal(authority.JournalConfig{Write: authority.NewStore(pool).Write, Now: time.Now}))
	go journal.Run(context.Background())
	a := got(authority.New(authority.Config{
		Policies: []authority.Policy{{OID: policyEC, Accuracy: time.Second, Keys: []authority.Key{{
			Signer: key.(crypto.Signer), Certificate: got(cert.Parse(block.Bytes)),
		}}}},
		Time: standing(start), Now: time.Now, Journal: journal,
	}))
	listener := got(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Println(listener.Addr())
	must(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, _ := a.Respond(r.Context(), got(io.ReadAll(r.Body))) // the reply says what is wrong
		_, _ = w.Write(reply)                                       // the client may be gone
	})))
}

// TestKilled kills the authority in the middle of its work, again and again, until
// 10 000 tokens were given out: each of them has its record, and none has the
// serial number of another.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("issues 10 000 tokens")
	}
	const (
		wanted  = 10_000
		lives   = 4
		clients = 16
	)
	dsn := postgrestest.DSN(t)
	pool := got(postgres.Open(t.Context(), dsn))
	defer pool.Close()
	must(postgres.EnsurePartitions(t.Context(), pool, start))
	file := t.TempDir() + "/key.pem"
	var text bytes.Buffer
	must(pem.Encode(&text, &pem.Block{Type: "PRIVATE KEY", Bytes: got(x509.MarshalPKCS8PrivateKey(ecKey()))}))
	must(pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: policies()[0].Keys[0].Certificate.Raw}))
	must(os.WriteFile(file, text.Bytes(), 0o600))

	given := map[string][]byte{} // the tokens' digests by serial number
	for life := range lives {
		enough := wanted * (life + 1) / lives
		liveAndDie(t, dsn, file, clients, func(token *tsp.Token) (stop bool) {
			serial := string(token.Serial.FillBytes(make([]byte, authority.SerialBytes)))
			if given[serial] != nil {
				t.Errorf("the serial number %x was given out twice", serial)
			}
			given[serial] = algo.SHA256.Sum(token.Raw)
			return len(given) >= enough
		})
	}
	if len(given) < wanted {
		t.Fatalf("%d tokens", len(given))
	}
	recorded := map[string][]byte{}
	rows := got(pool.Query(t.Context(), `SELECT serial, token FROM tsa_records`))
	for rows.Next() {
		var serial, token []byte
		must(rows.Scan(&serial, &token))
		recorded[string(serial)] = token
	}
	must(rows.Err())
	for serial, token := range given {
		if !bytes.Equal(recorded[serial], token) {
			t.Errorf("the token %x has no record", serial)
		}
	}
	t.Logf("%d tokens given out, %d recorded", len(given), len(recorded))
}

// liveAndDie starts an authority, asks it with some clients at once, and kills it
// under their requests when keep says so.
func liveAndDie(t *testing.T, dsn, file string, clients int, keep func(*tsp.Token) bool) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), killedDSN+"="+dsn, killedFile+"="+file)
	command.Stderr = os.Stderr
	stdout := got(command.StdoutPipe())
	must(command.Start())
	address := strings.TrimSpace(got(bufio.NewReader(stdout).ReadString('\n')))
	var mu sync.Mutex
	killed := false
	var asking sync.WaitGroup
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	for range clients {
		asking.Go(func() {
			for {
				token, err := ask(client, "http://"+address)
				mu.Lock()
				switch {
				case err != nil && strings.Contains(err.Error(), string(fault.DatabaseDown)):
					// It gave no token out: a loaded machine may take longer to write than the journal waits.
				case err != nil && !killed:
					t.Error(err)
					killed = true
				case err == nil && keep(token) && !killed:
					killed = true
					must(command.Process.Kill())
				}
				over := killed && err != nil
				mu.Unlock()
				if over {
					return
				}
			}
		})
	}
	asking.Wait()
	_ = command.Process.Kill() // after an error above
	_ = command.Wait()         // it says that it was killed
}

func ask(client *http.Client, url string) (*tsp.Token, error) {
	r := request(algo.SHA256, policyEC)
	response, err := client.Post(url, tsp.ContentTypeQuery, bytes.NewReader(got(r.Marshal())))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return r.Accept(reply)
}

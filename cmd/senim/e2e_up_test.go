package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/sample"
	"github.com/senim-kz/senim/pki/cert"
)

const (
	// readyWithin bounds a start: the first one makes keys of 4096 bits and a
	// database cluster, flushed to the disk.
	readyWithin = 5 * time.Minute
	// stoppedWithin is above what a stop may take: 30 s for requests, 25 s for
	// jobs, and the database's checkpoint.
	stoppedWithin = 3 * time.Minute
	// rescuedWithin bounds the wait for a job whose process was killed.
	rescuedWithin = 3 * time.Minute
)

// process is senim as a process of its own.
type process struct {
	cmd   *exec.Cmd
	out   bytes.Buffer // both outputs
	ended chan struct{}
}

// launch runs senim with arguments. It is killed with its owner, a test that t
// may be a part of.
func launch(t, owner *testing.T, change func(*exec.Cmd), args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	p := &process{cmd: exec.Command(self, args...), ended: make(chan struct{})}
	p.cmd.Args[0] = "senim" // see TestMain
	p.cmd.Env = []string{"LANG=en", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// A pipe that a left-over child holds open must not hold the test.
	p.cmd.WaitDelay = 5 * time.Second
	if change != nil {
		change(p.cmd)
	}
	check(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // its state tells
		close(p.ended)
	}()
	owner.Cleanup(func() {
		started := descendants(p.cmd.Process.Pid)
		_ = p.cmd.Process.Kill()
		<-p.ended
		for range time.Tick(10 * time.Millisecond) { // or they write where the test cleans up
			if len(alive(started)) == 0 {
				return
			}
		}
	})
	return p
}

// exits waits for the end and expects the exit code.
func (p *process) exits(t *testing.T, code int) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(stoppedWithin):
		t.Fatalf("senim %s: not ended in %s", p.cmd.Args[1:], stoppedWithin)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("senim %s: exit %d, want %d: %s", p.cmd.Args[1:], got, code, p.out.String())
	}
}

// says is exits, with a code of the catalogue on stderr.
func (p *process) says(t *testing.T, exit int, code fault.Code) {
	t.Helper()
	p.exits(t, exit)
	if said := p.out.String(); !strings.Contains(said, string(code)) || !strings.Contains(said, code.Message(fault.English)) {
		t.Errorf("senim %s says %q, want %s", p.cmd.Args[1:], said, code)
	}
}

// instance is what senim up runs on a folder, seen from outside.
type instance struct {
	*process
	owner *testing.T
	*demo
	dir  string
	urls urls
}

// up starts senim up on a folder and waits for urls.json.
func up(t, owner *testing.T, dir string, change func(*exec.Cmd)) *instance {
	t.Helper()
	stale, _ := os.Stat(filepath.Join(dir, urlsName)) // of a run that was killed
	i := &instance{owner: owner, dir: dir, process: launch(t, owner, change, "up", "--data", dir, "--listen", "127.0.0.1:0")}
	eventually(t, "senim up is ready", readyWithin, func() bool {
		select {
		case <-i.ended:
			t.Fatalf("senim up: exit %d: %s", i.cmd.ProcessState.ExitCode(), i.out.String())
		default:
		}
		info, err := os.Stat(filepath.Join(dir, urlsName))
		if err != nil || stale != nil && stale.ModTime().Equal(info.ModTime()) {
			return false
		}
		i.urls, err = readURLs(dir) // it appears whole
		check(t, err)
		return true
	})
	i.everythingAnswers(t)
	client := func() *apiClient {
		return &apiClient{base: i.urls.API, language: fault.English, http: &http.Client{Timeout: time.Minute}}
	}
	i.demo = &demo{base: i.urls.API, window: client(), treasury: client(), trader: client()}
	for c, id := range map[*apiClient]string{i.window: "single-window", i.treasury: "treasury"} {
		check(t, c.signIn(t.Context(), id, readKey(t, filepath.Join(i.urls.Clients, id+".jwk")), time.Now()))
	}
	return i
}

// everythingAnswers asks each address of urls.json once: it was written when
// everything answered. Only readiness may be away for a moment: its checks have
// two seconds each, and what they ask may not be given the processor so long.
func (i *instance) everythingAnswers(t *testing.T) {
	t.Helper()
	u := i.urls
	eventually(t, "it is ready", readyWithin, func() bool {
		res, err := http.Get(u.API + "/readyz")
		check(t, err)
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	for address, want := range map[string]int{
		u.API + "/healthz": 200, u.Docs: 200, u.JWKS: 200, u.Sandbox.NCA.CRL: 200, u.Sandbox.NCA.CA: 200, u.Sandbox.NCA.Root: 200,
		u.Sandbox.Statements + kz.DayOf(time.Now()).String() + ".xml": 200, u.Sandbox.Control.PSHEP + "faults": 200,
		u.TSA: 405, u.Sandbox.SHEP: 405, u.Sandbox.PSHEP: 405, // these take POST
	} {
		res, err := http.Get(address)
		if err != nil {
			t.Errorf("%s does not answer: %v", address, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s answers %d, want %d", address, res.StatusCode, want)
		}
	}
	for _, address := range u.Sandbox.Time {
		conn, err := net.Dial("udp", address)
		check(t, err)
		check(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		ask := make([]byte, 48)
		ask[0] = 4<<3 | 3 // SNTP version 4, client
		_, err = conn.Write(ask)
		check(t, err)
		if _, err := conn.Read(ask); err != nil {
			t.Errorf("the time server %s: %v", address, err)
		}
		conn.Close()
	}
	i.connect(t).Close(t.Context())
	if entries, err := os.ReadDir(u.Anchors); err != nil || len(entries) == 0 {
		t.Errorf("anchors: %v %v", entries, err)
	}
}

// connect opens a session of the test's own in the installation's database.
func (i *instance) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), i.urls.Database)
	check(t, err)
	return conn
}

// descendants lists the processes that a process has started, and those of
// them, by number and start time: a number alone comes again.
func descendants(pid int) (all []string) {
	found, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range found {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		// The name in brackets may hold anything.
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if parent, _ := strconv.Atoi(fields[1]); parent == pid {
			all = append(all, fmt.Sprintf("%d@%s", child, fields[19]))
			all = append(all, descendants(child)...)
		}
	}
	return all
}

// alive reports which of the processes still run.
func alive(processes []string) (left []string) {
	for _, p := range processes {
		pid, start, _ := strings.Cut(p, "@")
		raw, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		if fields[0] != "Z" && fields[19] == start {
			left = append(left, p)
		}
	}
	return left
}

// stops sends a signal and expects an orderly end: every process gone, the
// data there, the addresses not.
func (i *instance) stops(t *testing.T, signal os.Signal) {
	t.Helper()
	started := descendants(i.cmd.Process.Pid)
	if len(started) < 2 {
		t.Errorf("senim up has started %v: no database, no watchdog", started)
	}
	check(t, i.cmd.Process.Signal(signal))
	i.exits(t, exitOK)
	if left := alive(started); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
	i.leavesData(t)
}

func (i *instance) leavesData(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(i.dir, urlsName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the addresses are left: %v", err)
	}
	for _, name := range []string{"postgres/data/PG_VERSION", "private/senim.pin", "private/sandbox/nca.json", "senim.log"} {
		if _, err := os.Stat(filepath.Join(i.dir, name)); err != nil {
			t.Errorf("the data is gone: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(i.dir, "postgres/data/postmaster.pid")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the database was not shut down: %v", err)
	}
}

// killed is kill -9. What it started must not outlive it for long.
func (i *instance) killed(t *testing.T) {
	t.Helper()
	started := descendants(i.cmd.Process.Pid)
	check(t, i.cmd.Process.Kill())
	<-i.ended
	eventually(t, "what it started ends", stoppedWithin, func() bool { return len(alive(started)) == 0 })
}

// headOf has the installation's NCA certify a new key for the company's head.
func (i *instance) headOf(t *testing.T) *person {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	check(t, err)
	var answer []byte
	check(t, i.window.call(t.Context(), request{method: http.MethodPost, path: i.urls.Sandbox.Control.NCA + "people/head", contentType: "application/pkcs10", body: csr}, &answer))
	block, _ := pem.Decode(answer)
	certificate, err := cert.Parse(block.Bytes)
	check(t, err)
	return &person{key: key, certificate: certificate}
}

// submitted opens a transaction and submits the sample document to it.
func (i *instance) submitted(t *testing.T, head *person) (api.Transaction, api.Document) {
	t.Helper()
	transaction, err := i.open(t.Context(), i.window, "UP")
	check(t, err)
	signed, err := i.signWith(t.Context(), head)
	check(t, err)
	var document api.Document
	check(t, i.send(t.Context(), i.window, transaction.ID, signed, &document))
	return transaction, document
}

func (i *instance) signWith(ctx context.Context, head *person) ([]byte, error) {
	d := &demo{narrator: &narrator{now: time.Now}}
	return d.signAs(ctx, head, sample.DeclarationOf(sandbox.CompanyBIN, sample.Reference))
}

// orderOf asks for the transaction's order.
func (i *instance) orderOf(t *testing.T, transaction api.Transaction) (order api.Order) {
	t.Helper()
	check(t, i.window.call(t.Context(), request{method: http.MethodPost, path: "/v1/transactions/" + transaction.ID.String() + "/orders", idempotencyKey: uuid.NewString()}, &order))
	return order
}

// pays presses the bank's button.
func (i *instance) pays(t *testing.T, order api.Order) {
	t.Helper()
	check(t, i.window.call(t.Context(), request{method: http.MethodPost, path: *order.PaymentURL, contentType: "application/x-www-form-urlencoded", body: []byte("lang=en")}, new([]byte)))
}

// settles waits until a transaction is paid, by one entry of the ledger.
func (i *instance) settles(t *testing.T, transaction api.Transaction, within time.Duration) {
	t.Helper()
	var shown api.Transaction
	eventually(t, "the payment is posted", within, func() (paid bool) {
		var err error
		shown, err = i.show(t.Context(), i.window, transaction.ID)
		check(t, err)
		return shown.State == "paid"
	})
	conn := i.connect(t)
	defer conn.Close(t.Context())
	var entries int
	check(t, conn.QueryRow(t.Context(), `select count(*) from ledger_entry where transaction_id = $1`, transaction.ID).Scan(&entries))
	if entries != 1 || countEvents(shown, "payment.posted") != 1 {
		t.Errorf("%d entries, %+v", entries, shown.Events)
	}
}

func needsPrograms(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the program several times, with keys and a database on the disk: a minute")
	}
	if _, err := hsm.SoftHSMLibrary(); err != nil {
		t.Skipf("needs SoftHSM2: %v", err)
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(found) == 0 {
		if _, err := exec.LookPath("postgres"); err != nil {
			t.Skip("needs PostgreSQL")
		}
	}
}

// TestUp is the life of one installation: each part goes on with what the one
// before left.
func TestUp(t *testing.T) {
	needsPrograms(t)
	t.Parallel()
	dir := filepath.Join(postgrestest.Folder(t), "data")
	// A careful administrator's umask: PostgreSQL's user must pass all the same.
	i := up(t, t, dir, func(c *exec.Cmd) {
		c.Path, c.Args = "/bin/sh", append([]string{"sh", "-c", `umask 077; exec senim "$@"`}, c.Args...)
	})
	first := i.urls
	head := i.headOf(t)
	transaction, document := i.submitted(t, head)
	order := i.orderOf(t, transaction)
	i.pays(t, order)
	i.settles(t, transaction, settledWithin)
	others, err := i.show(t.Context(), i.window, transaction.ID)
	check(t, err)

	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"a second one is refused", func(t *testing.T) { i.refusesASecond(t) }},
		{"Ctrl-C", func(t *testing.T) { i.stops(t, os.Interrupt) }},
		{"a second start continues", func(t *testing.T) {
			i = up(t, i.owner, dir, nil)
			moved := []cmp.Option{cmp.FilterPath(func(p cmp.Path) bool { return slices.Contains([]string{"API", "Docs", "JWKS", "TSA"}, p.String()) }, cmp.Ignore())}
			if diff := cmp.Diff(first, i.urls, moved...); diff != "" {
				t.Errorf("the addresses have moved: %s", diff)
			}
			shown, err := i.show(t.Context(), i.window, transaction.ID)
			check(t, err)
			if diff := cmp.Diff(others, shown); diff != "" {
				t.Errorf("the transaction is shown otherwise: %s", diff)
			}
			var keys jose.JSONWebKeySet
			check(t, i.window.call(t.Context(), request{method: http.MethodGet, path: "/.well-known/jwks.json"}, &keys))
			verified(t, document.Receipt, keys)
			i.submitted(t, head) // with a key that was certified before
		}},
		{"a gigabyte is refused in little memory", func(t *testing.T) { i.staysSmall(t) }},
		{"killed while a fact is read", func(t *testing.T) { i = i.killedAt(t, head, "gateway_reference") }},
		{"killed while a fact is posted", func(t *testing.T) { i = i.killedAt(t, head, "ledger_key") }},
		{"the database dies", func(t *testing.T) { i = i.losesItsDatabase(t) }},
		{"SIGTERM while a request is at work", func(t *testing.T) { i.drains(t, head) }},
	} {
		if !t.Run(part.name, part.run) {
			return
		}
	}
}

// TestUpAsAnybody starts an installation as a user without rights, stops it
// while it starts, and in places where it cannot be.
func TestUpAsAnybody(t *testing.T) {
	needsPrograms(t)
	room := postgrestest.Folder(t)
	as := func(*exec.Cmd) {}
	if os.Geteuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Skip("there is no user nobody to run as")
		}
		uid, err := strconv.Atoi(nobody.Uid)
		check(t, err)
		gid, err := strconv.Atoi(nobody.Gid)
		check(t, err)
		check(t, os.Chown(room, uid, gid))
		// Where the test binary is, nobody else may go; and from where a container keeps
		// what is in memory nothing may be run.
		open, err := os.MkdirTemp("", "senim-program-")
		check(t, err)
		t.Cleanup(func() { check(t, os.RemoveAll(open)) })
		check(t, os.Chmod(open, 0o755))
		program := filepath.Join(open, "senim")
		self, err := os.Executable()
		check(t, err)
		raw, err := os.ReadFile(self)
		check(t, err)
		check(t, os.WriteFile(program, raw, 0o755))
		as = func(c *exec.Cmd) {
			c.Path = program
			c.Dir = room
			c.Env = append(c.Env, "TMPDIR="+room)
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
	}
	// Not before the copy is made: what another test starts meanwhile has its file
	// open for writing for a moment, and what is being written cannot be run.
	t.Parallel()
	closed, file := filepath.Join(room, "closed"), filepath.Join(room, "file")
	check(t, os.Mkdir(closed, 0o555))
	check(t, os.WriteFile(file, nil, 0o600))
	for name, row := range map[string]struct {
		data, listen string
		exit         int
		code         fault.Code
	}{
		"a folder that cannot be written":    {closed, "127.0.0.1:0", exitFailed, fault.BadArgument},
		"a folder in it":                     {filepath.Join(closed, "data"), "127.0.0.1:0", exitFailed, fault.BadArgument},
		"a file":                             {file, "127.0.0.1:0", exitFailed, fault.BadArgument},
		"no folder":                          {"", "127.0.0.1:0", exitUsage, fault.BadArgument},
		"an address that is none":            {filepath.Join(room, "a"), "here", exitUsage, fault.BadArgument},
		"a port that is none":                {filepath.Join(room, "a"), "127.0.0.1:70000", exitFailed, fault.BadArgument},
		"an address of another machine":      {filepath.Join(room, "a"), "192.0.2.1:8480", exitFailed, fault.BadArgument},
		"a port for which rights are needed": {filepath.Join(room, "a"), "127.0.0.1:1", exitFailed, fault.BadArgument},
	} {
		if strings.HasPrefix(name, "a port for which") && unprivilegedPortStart() <= 1 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			launch(t, t, as, "up", "--data", row.data, "--listen", row.listen).says(t, row.exit, row.code)
		})
	}
	var data string
	for n, moment := range []string{"postgres/data.new/base/1", "postgres/data/PG_VERSION", "private/sandbox"} {
		t.Run("Ctrl-C at "+moment, func(t *testing.T) {
			data = filepath.Join(room, fmt.Sprint("data", n))
			p := launch(t, t, as, "up", "--data", data, "--listen", "127.0.0.1:0")
			eventually(t, moment, readyWithin, func() bool {
				_, err := os.Stat(filepath.Join(data, moment))
				_, passed := os.Stat(filepath.Join(data, strings.Replace(moment, "data.new", "data", 1))) // between two looks
				return err == nil || passed == nil
			})
			started := descendants(p.cmd.Process.Pid)
			check(t, p.cmd.Process.Signal(os.Interrupt))
			p.says(t, exitFailed, fault.Cancelled)
			eventually(t, "what it started ends", stoppedWithin, func() bool { return len(alive(started)) == 0 })
			if _, err := os.Stat(filepath.Join(data, urlsName)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it never was ready: %v", err)
			}
		})
	}
	i := up(t, t, data, as) // goes on with what the last one left
	misled := func(c *exec.Cmd) {
		as(c)
		c.Env = append(c.Env, "PGSERVICE=elsewhere", "PGOPTIONS=-c default_transaction_read_only=on")
	}
	launch(t, t, misled, "client", "disable", "support", "--data", data).exits(t, exitOK)
	i.stops(t, os.Interrupt)
}

// unprivilegedPortStart is the first port that anybody may listen on.
func unprivilegedPortStart() int {
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 1024
	}
	return port
}

// refusesASecond starts others where this one runs.
func (i *instance) refusesASecond(t *testing.T) {
	launch(t, t, nil, "up", "--data", i.dir, "--listen", "127.0.0.1:0").says(t, exitFailed, fault.InUse)
	launch(t, t, nil, "sandbox", "--data", i.dir).says(t, exitFailed, fault.InUse)
	other := filepath.Join(filepath.Dir(i.dir), "other")
	launch(t, t, nil, "up", "--data", other, "--listen", strings.TrimPrefix(i.urls.API, "http://")).says(t, exitFailed, fault.AddressTaken)
	if _, err := os.Stat(filepath.Join(other, clusterName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a database was made for a port that is taken: %v", err)
	}
	i.everythingAnswers(t) // this one has noticed nothing
}

// killedAt pays an order while the test holds a table that the service needs
// next, kills the service when it waits there, and starts it again: the
// payment is posted, once.
func (i *instance) killedAt(t *testing.T, head *person, table string) *instance {
	transaction, _ := i.submitted(t, head)
	order := i.orderOf(t, transaction)
	holder := i.connect(t)
	defer holder.Close(t.Context())
	// Append-only tables cannot be locked without the privilege to change them.
	_, err := holder.Exec(t.Context(), "begin; grant update on "+table+" to current_user; lock table "+table+" in access exclusive mode")
	check(t, err)
	i.pays(t, order)
	watcher := i.connect(t)
	defer watcher.Close(t.Context())
	eventually(t, "the service waits for "+table, settledWithin, func() (waits bool) {
		check(t, watcher.QueryRow(t.Context(), `select exists (select from pg_locks where relation = $1::regclass and not granted)`, table).Scan(&waits))
		return waits
	})
	var facts int
	check(t, watcher.QueryRow(t.Context(), `select count(*) from gateway_fact where order_id = $1`, order.ID).Scan(&facts))
	if facts != 0 {
		t.Fatalf("%d facts before the kill", facts)
	}
	i.killed(t) // and the database with it, by its watchdog
	again := up(t, i.owner, i.dir, nil)
	again.settles(t, transaction, rescuedWithin)
	return again
}

// losesItsDatabase kills the database under the service, which ends and says
// so; the next start recovers it.
func (i *instance) losesItsDatabase(t *testing.T) *instance {
	raw, err := os.ReadFile(filepath.Join(i.dir, "postgres/data/postmaster.pid"))
	check(t, err)
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	check(t, err)
	started := descendants(i.cmd.Process.Pid)
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	i.says(t, exitFailed, fault.NotRunning)
	eventually(t, "what it started ends", stoppedWithin, func() bool { return len(alive(started)) == 0 })
	if _, err := os.Stat(filepath.Join(i.dir, urlsName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the addresses are left: %v", err)
	}
	return up(t, i.owner, i.dir, nil)
}

// drains tells senim up to stop while a document is being examined: it is
// answered first.
func (i *instance) drains(t *testing.T, head *person) {
	transaction, err := i.open(t.Context(), i.window, "DRAIN")
	check(t, err)
	signed, err := i.signWith(t.Context(), head)
	check(t, err)
	check(t, i.window.call(t.Context(), request{method: http.MethodPost, path: i.urls.Sandbox.Control.SHEP + "faults", contentType: "application/json",
		body: []byte(`{"fault":"slow","delay_ms":2000}`)}, nil))
	c := (&world{demo: i.demo}).documents(transaction, signed)
	answer := make(chan error, 1)
	go func() {
		answer <- i.window.call(t.Context(), request{method: c.method, path: c.path, contentType: c.contentType, body: c.body, idempotencyKey: c.key}, new(api.Document))
	}()
	conn := i.connect(t)
	eventually(t, "the request is at work", settledWithin, func() (atWork bool) {
		check(t, conn.QueryRow(t.Context(), `select exists (select from idempotency where key = $1)`, c.key).Scan(&atWork))
		return atWork
	})
	check(t, conn.Close(t.Context()))
	i.stops(t, syscall.SIGTERM)
	check(t, <-answer)
}

// residentMax is what the process may take while gigabytes come in: it takes
// some 100 MiB idle, and bodies under way share 128 MiB, each up to three times
// while its buffer grows.
const residentMax = 768 << 20

// raced reports whether the race detector is built in, whose shadow of the
// memory is several times the memory.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// staysSmall streams gigabytes at the routes that take the largest bodies.
func (i *instance) staysSmall(t *testing.T) {
	pid := strconv.Itoa(i.cmd.Process.Pid)
	// Begin to measure the peak anew (proc(5)).
	check(t, os.WriteFile(filepath.Join("/proc", pid, "clear_refs"), []byte("5"), 0))
	transaction, err := i.open(t.Context(), i.window, "BIG")
	check(t, err)
	w := &world{demo: i.demo}
	documents := w.documents(transaction, nil)
	statements := call{method: http.MethodPost, path: "/v1/statements?name=big.xml", bearer: i.treasury.bearer, contentType: "application/xml", key: uuid.NewString()}
	const atOnce = 8
	outcomes := make(chan error, 2*atOnce)
	for range atOnce {
		for _, c := range []call{documents, statements} {
			go func() {
				r, err := w.stream(t.Context(), c, &zeros{left: 1 << 30})
				// Those that find the memory taken are told to come again.
				if err == nil && r.status != http.StatusRequestEntityTooLarge && r.status != http.StatusServiceUnavailable {
					err = fmt.Errorf("a gigabyte is answered with %d %s", r.status, r.body)
				}
				outcomes <- err
			}()
		}
	}
	for range 2 * atOnce {
		check(t, <-outcomes)
	}
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	check(t, err)
	var peak int64 // KiB
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			_, err = fmt.Sscan(strings.TrimPrefix(line, "VmHWM:"), &peak)
			check(t, err)
		}
	}
	t.Logf("the peak was %d MiB", peak>>10)
	if peak == 0 || peak<<10 > residentMax && !raced() {
		t.Errorf("the process took %d MiB, at most %d are allowed", peak>>10, residentMax>>20)
	}
	i.everythingAnswers(t)
}

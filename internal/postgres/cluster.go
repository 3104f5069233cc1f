package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
)

// Names inside the cluster's folder, and of what is in it.
const (
	dataName     = "data"     // PGDATA, always whole: made beside it and renamed
	unbornName   = "data.new" // PGDATA in the making
	socketName   = "run"      // the unix socket, unless the path is too long
	logName      = "server.log"
	lockName     = "lock"
	superUser    = "postgres" // makes the role and the database, nothing else
	clusterUser  = "senim"    // owns the database; no superuser, as in production
	clusterDB    = "senim"
	clusterPort  = "5432" // only a part of the socket's name
	socketFile   = ".s.PGSQL." + clusterPort
	socketPath   = 107 // bytes of sockaddr_un.sun_path less the final zero
	logBytesMax  = 8 << 20
	startTimeout = 60 * time.Second // crash recovery after a power cut takes a while
	stopTimeout  = 30 * time.Second // fast shutdown writes a checkpoint
)

// ClusterConfig says where a private cluster lives.
type ClusterConfig struct {
	// Dir is the cluster's own folder. It is made if absent; it must be empty
	// or ours otherwise. As root it is given to an unprivileged user, who must
	// be able to enter every folder above it.
	Dir string
	// Unsafe switches fsync, synchronous commits and full page writes off. A
	// crash of the machine then destroys the data: for tests only.
	Unsafe bool
	// Throwaway deletes Dir once the server has ended, also after this process
	// was killed. For tests only.
	Throwaway bool
}

// Cluster is a running private PostgreSQL server. It ends with this process:
// by Stop, or, when the process is killed, by a watchdog.
type Cluster struct {
	config   ClusterConfig
	account  account
	programs programs
	socket   string // folder of the unix socket
	server   *exec.Cmd
	lock     *os.File
	watchdog *watchdog
	ended    chan struct{} // closed when the server process has been waited for
	endError error         // read after ended

	stopOnce sync.Once
	stopErr  error
}

// StartCluster starts the private cluster in config.Dir, making it first if
// need be. What a killed predecessor left is put right by the same code: a
// half-made cluster is made again, a server that still runs is stopped, a
// stale postmaster.pid is removed.
func StartCluster(ctx context.Context, config ClusterConfig) (*Cluster, error) {
	dir, err := filepath.Abs(config.Dir)
	if err != nil || config.Dir == "" {
		return nil, fault.Wrap(err, fault.BadArgument, "Dir", "the database folder is %q", config.Dir)
	}
	config.Dir = dir
	who, err := chooseAccount()
	if err != nil {
		return nil, err
	}
	found, err := findPrograms(ctx, majorOf(filepath.Join(dir, dataName)), debianPrograms)
	if err != nil {
		return nil, err
	}
	c := &Cluster{config: config, account: who, programs: found, ended: make(chan struct{})}
	if err := c.prepare(ctx); err != nil {
		c.release()
		return nil, err
	}
	if err := c.launch(ctx); err != nil {
		c.release()
		return nil, err
	}
	if err := c.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// DSN is the address of the cluster's database, for Open and for psql.
func (c *Cluster) DSN() string { return c.DatabaseDSN(clusterDB) }

// DatabaseDSN is the address of another database of the same cluster.
func (c *Cluster) DatabaseDSN(database string) string { return c.dsn(clusterUser, database) }

// AdminDSN is the address for the cluster's superuser: for an operator's psql,
// never for the program.
func (c *Cluster) AdminDSN() string { return c.dsn(superUser, clusterDB) }

func (c *Cluster) dsn(user, database string) string {
	query := url.Values{"host": {c.socket}, "port": {clusterPort}}
	return "postgres://" + user + "@/" + url.PathEscape(database) + "?" + query.Encode()
}

// Done is closed when the server has ended, whether by Stop or by itself.
func (c *Cluster) Done() <-chan struct{} { return c.ended }

// Stop ends the server: a fast shutdown, and when that takes too long or ctx
// ends, an immediate one. It may be called any number of times; every call
// returns when the server is gone.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() { c.stopErr = c.stop(ctx) })
	return c.stopErr
}

func (c *Cluster) stop(ctx context.Context) error {
	defer c.release()
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
	if c.config.Throwaway {
		signals = signals[1:] // nothing to save
	}
	for _, signal := range signals {
		// An error means that the server has ended: ended tells.
		_ = c.server.Process.Signal(signal)
		timer := time.NewTimer(stopTimeout)
		select {
		case <-c.ended:
			timer.Stop()
			if signal == syscall.SIGINT && c.endError != nil {
				return fault.Wrap(c.endError, fault.ClusterFailed, c.config.Dir, "the database server ended badly; see %s", c.logPath())
			}
			return nil
		case <-ctx.Done():
			ctx = context.WithoutCancel(ctx)
			timer.Stop()
		case <-timer.C:
		}
	}
	<-c.ended // SIGKILL cannot be refused
	return fault.New(fault.ClusterFailed, c.config.Dir, "the database server had to be killed; it recovers at its next start")
}

// release gives back what is not the server itself.
func (c *Cluster) release() {
	if c.watchdog != nil {
		c.watchdog.dismiss()
	}
	if c.socket != "" && filepath.Dir(c.socket) != c.config.Dir {
		_ = os.RemoveAll(c.socket) // a left-over is found by its name and used again
	}
	if c.lock == nil {
		return // the folder was never ours
	}
	if c.config.Throwaway {
		_ = removeTree(c.config.Dir)
	}
	_ = c.lock.Close()
}

func (c *Cluster) dataDir() string { return filepath.Join(c.config.Dir, dataName) }
func (c *Cluster) logPath() string { return filepath.Join(c.config.Dir, logName) }

// launch starts the server. Its settings are given here and not in
// postgresql.conf, so that a new version's settings reach an old cluster.
func (c *Cluster) launch(ctx context.Context) error {
	settings := []string{
		"listen_addresses=", "unix_socket_directories=" + c.socket, "unix_socket_permissions=0700", "port=" + clusterPort,
		"timezone=UTC", "log_timezone=UTC", "max_connections=100",
		// A statement, a value or the DETAIL line of an error may hold personal data.
		"log_statement=none", "log_min_error_statement=panic", "log_error_verbosity=terse", "log_parameter_max_length_on_error=0",
		"log_min_messages=warning",
	}
	if c.config.Unsafe {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "autovacuum=off",
			"wal_level=minimal", "max_wal_senders=0", "max_wal_size=128MB", "min_wal_size=32MB",
			"dynamic_shared_memory_type=mmap", // in the folder, and not left in /dev/shm by a server that was killed
			"deadlock_timeout=50ms")           // tests bring deadlocks about on purpose
	}
	args := []string{"-D", c.dataDir()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	output, err := c.openLog()
	if err != nil {
		return err
	}
	defer output.Close()
	// Not CommandContext: the server outlives the context of its start.
	c.server = c.command(c.programs.path("postgres"), args...)
	c.server.Stdout, c.server.Stderr = output, output
	if err := c.server.Start(); err != nil {
		return fault.Wrap(err, fault.ClusterFailed, c.config.Dir, "start the database server")
	}
	go func() {
		c.endError = c.server.Wait()
		close(c.ended)
	}()
	c.watchdog, err = startWatchdog(c.account, c.server.Process.Pid, c.config)
	if err != nil {
		return errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return nil
}

// command prepares a program of PostgreSQL's to run as the account, with
// nothing of our environment that could redirect it (PGDATA, PGHOST, LC_ALL).
func (c *Cluster) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + c.programs.folder + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = c.account.attributes()
	return cmd
}

// openLog opens the server's log, and puts the old one aside when it has grown.
func (c *Cluster) openLog() (*os.File, error) {
	if info, err := os.Stat(c.logPath()); err == nil && info.Size() > logBytesMax {
		if err := os.Rename(c.logPath(), c.logPath()+".1"); err != nil {
			return nil, fault.Wrap(err, fault.ClusterFailed, c.logPath(), "put the old server log aside")
		}
	}
	file, err := os.OpenFile(c.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.ClusterFailed, c.logPath(), "open the server log")
	}
	return file, nil
}

// awaitReady waits until the server answers and has our database.
func (c *Cluster) awaitReady(outer context.Context) error {
	ctx, cancel := context.WithTimeout(outer, startTimeout)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := c.ensureDatabase(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fault.Wrap(c.endError, fault.ClusterFailed, c.config.Dir, "the database server ended at its start; see %s: %s", c.logPath(), lastLine(c.logPath()))
		case <-ctx.Done():
			if outer.Err() != nil {
				return fault.Wrap(outer.Err(), fault.Cancelled, "", "waiting for the database server")
			}
			return fault.Wrap(err, fault.ClusterFailed, c.config.Dir, "the database server does not answer; see %s", c.logPath())
		case <-retry.C:
		}
	}
}

// ensureDatabase makes the role and the database of a new cluster.
func (c *Cluster) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.dsn(superUser, "postgres"))
	if err != nil {
		return fmt.Errorf("connect to the private cluster: %w", err)
	}
	defer conn.Close(ctx)
	for _, step := range []struct{ present, name, make string }{
		// CREATEDB: a restore and the tests make databases of their own.
		{"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", clusterUser, "CREATE ROLE " + clusterUser + " LOGIN CREATEDB"},
		{"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", clusterDB, "CREATE DATABASE " + clusterDB + " OWNER " + clusterUser},
	} {
		var there bool
		if err := conn.QueryRow(ctx, step.present, step.name).Scan(&there); err != nil {
			return fmt.Errorf("look at the private cluster: %w", err)
		}
		if there {
			continue
		}
		if _, err := conn.Exec(ctx, step.make); err != nil {
			return fmt.Errorf("%s: %w", step.make, err)
		}
	}
	return nil
}

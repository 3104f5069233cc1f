package postgres

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
)

// folder makes a folder that the server's user can reach; t.TempDir's parent
// is closed to it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "senim-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// startForTest starts a cluster that is stopped at the end of owner, which may
// be a test that t is a part of.
func startForTest(t, owner *testing.T, config ClusterConfig) *Cluster {
	t.Helper()
	c, err := StartCluster(t.Context(), config)
	if fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	owner.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

func stopForTest(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func execute(t *testing.T, c *Cluster, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds that another process brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatalf("%s: the test ended first", what)
		case <-poll.C:
		}
	}
}

// One cluster, with production's settings, through everything that a machine
// does to it; each step goes on with what the one before left.
func TestClusterOutlivesItsMisfortunes(t *testing.T) {
	dir := filepath.Join(folder(t), "database")
	config, life := ClusterConfig{Dir: dir}, t
	who, err := chooseAccount()
	if err != nil {
		t.Fatal(err)
	}
	// initdb was killed in the middle: its folder is there, the data folder is not.
	if err := who.own(filepath.Join(dir, unbornName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(who.uid), int(who.gid)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, unbornName, "half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := startForTest(t, life, config)
	execute(t, c, "CREATE TABLE kept (x int)")

	t.Run("out of the terminal's reach", func(t *testing.T) {
		group, err := syscall.Getpgid(c.server.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if group == syscall.Getpgrp() {
			t.Error("the server is in our process group and gets the terminal's Ctrl-C")
		}
	})
	t.Run("closed to others", func(t *testing.T) {
		for _, path := range []string{c.socket, c.dataDir(), dir} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v %v, want 0700", path, info, err)
			}
		}
	})
	t.Run("without a superuser's rights", func(t *testing.T) {
		execute(t, c, "DO $$ BEGIN ASSERT NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user); END $$")
	})
	t.Run("a second process", func(t *testing.T) {
		if _, err := StartCluster(t.Context(), config); !fault.Is(err, fault.ClusterInUse) {
			t.Errorf("StartCluster = %v, want %s", err, fault.ClusterInUse)
		}
	})
	t.Run("stopped twice", func(t *testing.T) {
		stopForTest(t, c)
		stopForTest(t, c)
		if _, err := pgx.Connect(t.Context(), c.DSN()); err == nil {
			t.Error("the stopped server answers")
		}
		<-c.Done()
	})
	t.Run("a stale pid file of a number used again", func(t *testing.T) {
		pidFile := filepath.Join(c.dataDir(), "postmaster.pid")
		if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), c.dataDir()), 0o600); err != nil {
			t.Fatal(err)
		}
		c = startForTest(t, life, config)
		execute(t, c, "INSERT INTO kept VALUES (1)")
	})
	t.Run("a server whose parent and watchdog were killed", func(t *testing.T) {
		orphan := c
		if err := orphan.watchdog.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := orphan.lock.Close(); err != nil {
			t.Fatal(err)
		}
		c = startForTest(t, life, config)
		<-orphan.Done() // ended by the new start
		execute(t, c, "INSERT INTO kept VALUES (2)")
	})
	t.Run("a server that was killed", func(t *testing.T) {
		if err := c.server.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		_ = c.Stop(t.Context()) // it ended badly, and may say so
		c = startForTest(t, life, config)
		execute(t, c, "DO $$ BEGIN ASSERT (SELECT count(*) FROM kept) = 2; END $$")
	})
	t.Run("a large log", func(t *testing.T) {
		stopForTest(t, c)
		if err := os.Truncate(c.logPath(), logBytesMax+1); err != nil {
			t.Fatal(err)
		}
		c = startForTest(t, life, config)
		if info, err := os.Stat(c.logPath() + ".1"); err != nil || info.Size() <= logBytesMax {
			t.Errorf("the old log was not put aside: %v %v", info, err)
		}
	})
	t.Run("made by a version that is not installed", func(t *testing.T) {
		stopForTest(t, c)
		if err := os.WriteFile(filepath.Join(c.dataDir(), "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := StartCluster(t.Context(), config)
		if !fault.Is(err, fault.ClusterVersion) || !strings.Contains(err.Error(), "postgresql-9") {
			t.Errorf("StartCluster = %v, want %s and what to install", err, fault.ClusterVersion)
		}
	})
	t.Run("a data folder that is no cluster", func(t *testing.T) {
		if err := os.Remove(filepath.Join(c.dataDir(), "PG_VERSION")); err != nil {
			t.Fatal(err)
		}
		if _, err := StartCluster(t.Context(), config); !fault.Is(err, fault.ClusterForeign) {
			t.Errorf("StartCluster = %v, want %s", err, fault.ClusterForeign)
		}
	})
}

func TestClusterInADeepFolder(t *testing.T) {
	top := folder(t)
	c := startForTest(t, t, ClusterConfig{Dir: filepath.Join(top, strings.Repeat("deep/", 25), "database"), Unsafe: true})
	if strings.HasPrefix(c.socket, top) {
		t.Fatalf("the socket is in %s, whose path is too long", c.socket)
	}
	execute(t, c, "SELECT 1")
	stopForTest(t, c)
	if _, err := os.Stat(c.socket); !os.IsNotExist(err) {
		t.Errorf("the socket's folder stays behind: %v", err)
	}
}

func TestClusterRefusesAFolder(t *testing.T) {
	if _, err := findPrograms(t.Context(), 0, debianPrograms); fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	long := filepath.Join(folder(t), strings.Repeat("x", 200))
	for name, row := range map[string]struct {
		make     func(t *testing.T) string
		rootOnly bool
		want     fault.Code
	}{
		"none": {func(*testing.T) string { return "" }, false, fault.BadArgument},
		"a file": {func(t *testing.T) string {
			path := filepath.Join(folder(t), "file")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, false, fault.ClusterUnreachable},
		"another user's": {func(t *testing.T) string {
			dir := folder(t)
			if err := os.WriteFile(filepath.Join(dir, "letter"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, true, fault.ClusterForeign},
		"below a closed folder": {func(t *testing.T) string {
			dir := folder(t)
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "database")
		}, true, fault.ClusterUnreachable},
		"too deep for a socket anywhere": {func(t *testing.T) string {
			t.Setenv("TMPDIR", long)
			return filepath.Join(long, "database")
		}, false, fault.ClusterSocket},
	} {
		t.Run(name, func(t *testing.T) {
			if row.rootOnly && os.Geteuid() != 0 {
				t.Skip("only root runs the server as another user")
			}
			c, err := StartCluster(t.Context(), ClusterConfig{Dir: row.make(t), Unsafe: true, Throwaway: true})
			if err == nil {
				stopForTest(t, c)
			}
			if !fault.Is(err, row.want) {
				t.Errorf("StartCluster = %v, want %s", err, row.want)
			}
		})
	}
}

// A folder that is refused is not ours to delete.
func TestARefusedThrowawayKeepsTheFolder(t *testing.T) {
	dir := folder(t)
	data := filepath.Join(dir, dataName)
	if err := os.MkdirAll(filepath.Join(data, "letters"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := StartCluster(t.Context(), ClusterConfig{Dir: dir, Unsafe: true, Throwaway: true})
	if err == nil {
		t.Fatal("a cluster was started over somebody's letters")
	}
	if _, err := os.Stat(filepath.Join(data, "letters")); err != nil {
		t.Error(err)
	}
}

// The child of TestWatchdog: starts a cluster, says its pid, and waits.
func TestHelperHoldsACluster(t *testing.T) {
	dir := os.Getenv("SENIM_TEST_HOLD_CLUSTER")
	if dir == "" {
		t.Skip("runs as the child of TestWatchdog only")
	}
	c, err := StartCluster(t.Context(), ClusterConfig{Dir: dir, Unsafe: true, Throwaway: true})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nserver %d\n", c.server.Process.Pid)
	<-c.Done()
}

func TestWatchdog(t *testing.T) {
	if _, err := findPrograms(t.Context(), 0, debianPrograms); fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	dir := filepath.Join(folder(t), "database")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperHoldsACluster$")
	child.Env = append(os.Environ(), "SENIM_TEST_HOLD_CLUSTER="+dir)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var server int
	for lines := bufio.NewScanner(output); server == 0 && lines.Scan(); {
		if pid, found := strings.CutPrefix(lines.Text(), "server "); found {
			if server, err = strconv.Atoi(pid); err != nil {
				t.Fatal(err)
			}
		}
	}
	if server == 0 {
		t.Fatal("the child started no cluster")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed, as it should be
	eventually(t, "the server ends", func() bool { return syscall.Kill(server, 0) != nil })
	// The folder's own parent belongs to us, so the watchdog empties it only.
	eventually(t, "the data goes", func() bool {
		_, err := os.Stat(filepath.Join(dir, dataName))
		return os.IsNotExist(err)
	})
}

// Killed or stopped while initdb works: the next start makes the cluster, at
// once and in the same folder.
func TestInterruptedWhileMaking(t *testing.T) {
	if _, err := findPrograms(t.Context(), 0, debianPrograms); fault.Is(err, fault.PostgresMissing) {
		t.Skipf("needs PostgreSQL: %v", err)
	}
	underWay := func(dir string) func() bool {
		return func() bool {
			_, err := os.Stat(filepath.Join(dir, unbornName, "base", "1"))
			return err == nil
		}
	}
	t.Run("killed", func(t *testing.T) {
		dir := filepath.Join(folder(t), "database")
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperHoldsACluster$")
		child.Env = append(os.Environ(), "SENIM_TEST_HOLD_CLUSTER="+dir)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "initdb works", underWay(dir))
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // killed, as it should be
		startForTest(t, t, ClusterConfig{Dir: dir, Unsafe: true, Throwaway: true})
	})
	t.Run("stopped", func(t *testing.T) {
		dir := filepath.Join(folder(t), "database")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := StartCluster(ctx, ClusterConfig{Dir: dir, Unsafe: true})
			ended <- err
		}()
		eventually(t, "initdb works", underWay(dir))
		stop()
		if err := <-ended; !fault.Is(err, fault.Cancelled) {
			t.Errorf("StartCluster = %v, want %s", err, fault.Cancelled)
		}
		startForTest(t, t, ClusterConfig{Dir: dir, Unsafe: true, Throwaway: true})
	})
}

func TestFindPrograms(t *testing.T) {
	t.Setenv("PATH", "/nonexistent")
	if _, err := findPrograms(t.Context(), 0, "/nonexistent/*"); !fault.Is(err, fault.PostgresMissing) || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("findPrograms = %v, want %s and what to install", err, fault.PostgresMissing)
	}
	// Three installations: too old, usable, newer; and a folder with a part of one.
	top := t.TempDir()
	for version, files := range map[string][]string{
		"11": {"postgres", "initdb", "pg_dump", "pg_restore"},
		"16": {"postgres", "initdb", "pg_dump", "pg_restore"},
		"17": {"postgres", "initdb", "pg_dump", "pg_restore"},
		"18": {"postgres"},
	} {
		for _, name := range files {
			path := filepath.Join(top, version, "bin", name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s.2 (Debian)'\n", version)
			if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, row := range map[string]struct {
		major int
		glob  string
		found int
		want  fault.Code
	}{
		"the newest":             {0, "*", 17, ""},
		"the one that is needed": {16, "*", 16, ""},
		"not installed":          {15, "*", 0, fault.ClusterVersion},
		"damaged PG_VERSION":     {-1, "*", 0, fault.ClusterVersion},
		"only an old one":        {0, "11", 0, fault.DatabaseVersion},
		"only a part":            {0, "18", 0, fault.PostgresMissing},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := findPrograms(t.Context(), row.major, filepath.Join(top, row.glob, "bin"))
			if fault.CodeOf(err) != row.want || found.major != row.found {
				t.Errorf("findPrograms = %d, %v; want %d, %q", found.major, err, row.found, row.want)
			}
		})
	}
}

func TestParseMajor(t *testing.T) {
	for text, want := range map[string]int{
		"postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18beta1":                          18,
		"postgres (PostgreSQL) 17":                               17,
		"postgres (PostgreSQL) ":                                 0,
		"something else 15.1":                                    0,
	} {
		if got, err := parseMajor(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("parseMajor(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

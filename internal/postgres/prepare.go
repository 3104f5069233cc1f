package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// prepare brings the folder to where the server can be launched: ours, locked,
// with a whole data folder of the right version and no other server on it.
func (c *Cluster) prepare(ctx context.Context) error {
	if err := c.account.own(c.config.Dir); err != nil {
		return err
	}
	if err := c.account.reach(c.config.Dir); err != nil {
		return err
	}
	if err := c.lockFolder(); err != nil {
		return err
	}
	if err := c.chooseSocket(); err != nil {
		return err
	}
	switch major := majorOf(c.dataDir()); major {
	case 0:
		return c.initialise(ctx)
	case c.programs.major:
		if err := c.checkOwner(); err != nil {
			return err
		}
		return c.endLeftover(ctx)
	default:
		return fault.New(fault.ClusterVersion, c.dataDir(), "made by PostgreSQL %d, found is %d", major, c.programs.major)
	}
}

// majorOf reads PG_VERSION; 0 stands for no cluster.
func majorOf(dataDir string) int {
	text, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return -1 // damaged: no installed version equals it
	}
	return major
}

// lockFolder keeps a second Senim from the folder. The kernel frees the lock
// when the process ends, however it ends.
func (c *Cluster) lockFolder() error {
	path := filepath.Join(c.config.Dir, lockName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fault.Wrap(err, fault.ClusterForeign, path, "open the lock of the database folder")
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return fault.Wrap(err, fault.ClusterInUse, c.config.Dir, "another process runs a cluster here")
	}
	c.lock = file
	return nil
}

// chooseSocket takes a folder inside the cluster's for the unix socket, or,
// where that path is too long for a socket address, one in the folder for
// temporary files, named after the cluster's.
func (c *Cluster) chooseSocket() error {
	folder := filepath.Join(c.config.Dir, socketName)
	if len(folder)+1+len(socketFile) > socketPath {
		sum := sha256.Sum256([]byte(c.config.Dir))
		folder = filepath.Join(os.TempDir(), "senim-"+hex.EncodeToString(sum[:6]))
	}
	if len(folder)+1+len(socketFile) > socketPath {
		return fault.New(fault.ClusterSocket, folder, "a unix socket's path has at most %d bytes", socketPath)
	}
	// own refuses a folder that somebody else put there before us.
	if err := c.account.own(folder); err != nil {
		return err
	}
	c.socket = folder
	return nil
}

func (c *Cluster) checkOwner() error {
	info, err := os.Lstat(c.dataDir())
	if err != nil {
		return fault.Wrap(err, fault.ClusterForeign, c.dataDir(), "look at the data folder")
	}
	if !info.IsDir() || ownerOf(info) != c.account.uid {
		return fault.New(fault.ClusterForeign, c.dataDir(), "the data folder does not belong to %s; run as its owner or chown it", c.account.name)
	}
	return nil
}

// initialise makes the data folder under another name and renames it when it
// is whole, so that a data folder is never half made.
func (c *Cluster) initialise(ctx context.Context) error {
	if _, err := os.Lstat(c.dataDir()); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.ClusterForeign, c.dataDir(), "the folder is no PostgreSQL cluster (it has no PG_VERSION); move it away")
	}
	unborn := filepath.Join(c.config.Dir, unbornName)
	// What a killed initdb had started still writes until it notices.
	if err := c.awaitBackends(ctx, unborn); err != nil {
		return err
	}
	if err := removeTree(unborn); err != nil {
		return fault.Wrap(err, fault.ClusterFailed, unborn, "remove a half-made cluster")
	}
	args := []string{"--pgdata=" + unborn, "--username=" + superUser, "--encoding=UTF8", "--locale=C",
		"--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions"}
	if c.config.Unsafe {
		args = append(args, "--no-sync")
	}
	if err := c.run(ctx, "initdb", args...); err != nil {
		return err
	}
	if err := os.Rename(unborn, c.dataDir()); err != nil {
		return fault.Wrap(err, fault.ClusterFailed, c.dataDir(), "put the new cluster in its place")
	}
	if c.config.Unsafe {
		return nil
	}
	return syncFolder(c.config.Dir)
}

// run runs a program to its end, or stops it when ctx ends. The kernel stops
// it if we are killed, so that no half-made cluster grows on beside the one
// that the next start makes: initdb, whose children end when it does.
func (c *Cluster) run(ctx context.Context, program string, args ...string) error {
	cmd := c.command(c.programs.path(program), args...)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	// The signal is for the end of the thread that starts the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fault.Wrap(err, fault.ClusterFailed, c.config.Dir, "start %s", program)
	}
	unwatch := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	unwatch()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.Wrap(ctx.Err(), fault.Cancelled, "", "%s was stopped", program)
	}
	return fault.Wrap(err, fault.ClusterFailed, c.config.Dir, "%s failed: %s", program, lastOf(output.String()))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fault.Wrap(err, fault.ClusterFailed, path, "open the folder to sync it")
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fault.Wrap(err, fault.ClusterFailed, path, "sync the folder")
	}
	return nil
}

// endLeftover stops the server of a killed predecessor, and removes a
// postmaster.pid whose process is no server of this folder: PostgreSQL would
// refuse to start while any process of ours has that number.
func (c *Cluster) endLeftover(ctx context.Context) error {
	path := filepath.Join(c.dataDir(), "postmaster.pid")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c.awaitBackends(ctx, c.dataDir())
	}
	if err != nil {
		return fault.Wrap(err, fault.ClusterFailed, path, "read the left-over pid file")
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 || !serves(pid, c.dataDir()) {
		// The file also guards the shared memory: it goes last.
		if err := c.awaitBackends(ctx, c.dataDir()); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(err, fault.ClusterFailed, path, "remove the stale pid file")
		}
		return nil
	}
	if err := c.endServer(ctx, pid); err != nil {
		return err
	}
	return c.awaitBackends(ctx, c.dataDir())
}

// awaitBackends waits until no process of a killed server is left in a data
// folder. Each ends when it notices that the server is gone; until then it
// could still write.
func (c *Cluster) awaitBackends(ctx context.Context, dataDir string) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		pid, err := anyServer(dataDir)
		if err != nil || pid == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.ClusterInUse, c.config.Dir, "the process %d of a killed server does not end", pid)
		case <-poll.C:
		}
	}
}

// anyServer finds a living PostgreSQL process of the data folder; 0 is none.
func anyServer(dataDir string) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fault.Wrap(err, fault.ClusterFailed, "/proc", "look for the processes of a killed server")
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && serves(pid, dataDir) {
			return pid, nil
		}
	}
	return 0, nil
}

func (c *Cluster) endServer(ctx context.Context, pid int) error {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		_ = syscall.Kill(pid, signal) // no such process: serves tells
		deadline := time.NewTimer(stopTimeout)
		for waiting := true; waiting; {
			if !serves(pid, c.dataDir()) {
				deadline.Stop()
				return nil
			}
			select {
			case <-ctx.Done():
				deadline.Stop()
				return fault.Wrap(ctx.Err(), fault.Cancelled, "", "waiting for the left-over server %d to stop", pid)
			case <-deadline.C:
				waiting = false
			case <-poll.C:
			}
		}
	}
	return fault.New(fault.ClusterInUse, c.config.Dir, "the left-over server %d does not stop", pid)
}

// serves reports whether the process is a living PostgreSQL server of this
// data folder: the server's working folder is its data folder. It reads /proc,
// so the private cluster is for Linux.
func serves(pid int, dataDir string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
	if err != nil {
		return false // ended, a zombie, or another user's
	}
	real, err := filepath.EvalSymlinks(dataDir)
	if err != nil || cwd != real {
		return false
	}
	name, err := os.ReadFile(filepath.Join(proc, "comm"))
	return err == nil && strings.HasPrefix(string(name), "postgres")
}

// lastLine is the end of a file, for an error's detail.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "no log"
	}
	return lastOf(string(text))
}

func lastOf(text string) string {
	const detailMax = 300 // bytes of a program's last words that an error carries
	text = strings.TrimSpace(text)
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return text[max(0, len(text)-detailMax):]
}

package postgres

import (
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/senim-kz/senim/internal/fault"
)

// watchdog stops the server when this process ends without having done so,
// be it killed. It is a shell that waits on a pipe whose other end only we
// hold: a line means dismissed, the end of the pipe means that we are gone.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// The script gets the server's pid, the signal, and the folder to delete once
// the server has ended (empty: keep it).
const watchdogScript = `read line && exit 0
kill -"$2" "$1" 2>/dev/null
test -n "$3" || exit 0
while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
rm -rf "$3"`

func startWatchdog(who account, pid int, config ClusterConfig) (*watchdog, error) {
	signal, folder := "INT", ""
	if config.Throwaway {
		signal, folder = "QUIT", config.Dir
	}
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "senim-watchdog", strconv.Itoa(pid), signal, folder)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = who.attributes()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fault.Wrap(err, fault.ClusterFailed, config.Dir, "make the watchdog's pipe")
	}
	defer read.Close()
	cmd.Stdin = read
	if err := cmd.Start(); err != nil {
		_ = write.Close()
		return nil, fault.Wrap(err, fault.ClusterFailed, config.Dir, "start the watchdog")
	}
	return &watchdog{cmd: cmd, pipe: write}, nil
}

// dismiss ends the watchdog without a bite.
func (w *watchdog) dismiss() {
	_, _ = io.WriteString(w.pipe, "stopped\n")
	_ = w.pipe.Close()
	_ = w.cmd.Wait() // its exit code says nothing
}

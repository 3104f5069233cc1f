package postgrestest

import (
	"os"
	"sync"
	"syscall"
	"testing"
)

// A database is some 800 small files. Where they are kept in memory it is made
// ten times as fast, if that has room for the clusters of several test binaries.
const (
	memory        = "/dev/shm"
	memoryBytes   = 2 << 30
	memoryFSMagic = 0x01021994 // tmpfs, of statfs(2)
)

var inMemory = sync.OnceValue(func() bool {
	var fs syscall.Statfs_t
	err := syscall.Statfs(memory, &fs)
	return err == nil && fs.Type == memoryFSMagic && fs.Bavail*uint64(fs.Bsize) >= memoryBytes
})

// Folder makes a folder for a cluster of the test's own, which goes with the
// test. Unlike t.TempDir it can be entered by the user that PostgreSQL runs as.
func Folder(t testing.TB) string {
	t.Helper()
	dir, err := makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func makeFolder() (string, error) {
	if inMemory() {
		if dir, err := os.MkdirTemp(memory, "senim-test-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", "senim-test-")
}

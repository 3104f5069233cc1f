package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/senim-kz/senim/internal/fault"
)

// account is the user the server runs as. PostgreSQL refuses to run as root,
// so root gives it to the first of these users that exists.
type account struct {
	name     string
	uid, gid uint32
	drop     bool // we are root and become this user
}

var unprivilegedUsers = []string{"postgres", "nobody"}

func chooseAccount() (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{name: "uid " + strconv.Itoa(uid), uid: uint32(uid), gid: uint32(os.Getegid())}, nil
	}
	for _, name := range unprivilegedUsers {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return account{name: name, uid: uint32(uid), gid: uint32(gid), drop: true}, nil
		}
	}
	return account{}, fault.New(fault.ClusterAccount, "",
		"PostgreSQL does not run as root, and there is neither a user postgres nor nobody; run as another user")
}

// attributes starts a child as this user and out of the terminal's process
// group: Ctrl-C is ours to turn into an orderly stop.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attributes
}

// own makes a folder of mode 0700 that belongs to the account, or takes one
// over that is empty. A folder with content must belong to it already.
func (a account) own(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fault.Wrap(err, fault.ClusterUnreachable, folder, "make the database folder")
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return fault.Wrap(err, fault.ClusterUnreachable, folder, "look at the database folder")
	}
	if !info.IsDir() {
		return fault.New(fault.ClusterForeign, folder, "the database folder is not a folder")
	}
	if ownerOf(info) != a.uid {
		if err := a.takeOver(folder); err != nil {
			return err
		}
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		return fault.Wrap(err, fault.ClusterForeign, folder, "close the database folder to others")
	}
	return nil
}

func (a account) takeOver(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fault.Wrap(err, fault.ClusterForeign, folder, "read the database folder")
	}
	if len(entries) > 0 {
		return fault.New(fault.ClusterForeign, folder,
			"the folder holds something and does not belong to %s; run as its owner, give another folder, or chown it", a.name)
	}
	if err := os.Chown(folder, int(a.uid), int(a.gid)); err != nil {
		return fault.Wrap(err, fault.ClusterForeign, folder, "give the database folder to %s", a.name)
	}
	return nil
}

// reach reports a clear error if the account cannot enter a folder because one
// above it is closed, as everything under /root is.
func (a account) reach(folder string) error {
	for parent := filepath.Dir(folder); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return fault.Wrap(err, fault.ClusterUnreachable, parent, "look at a folder above the database")
		}
		if !a.mayEnter(info) {
			return fault.New(fault.ClusterUnreachable, folder,
				"%s, as whom PostgreSQL runs, may not enter %s (mode %04o); give a folder elsewhere or chmod o+x it", a.name, parent, info.Mode().Perm())
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

// mayEnter looks at the permission bits only; what an ACL adds or takes away
// shows when the server starts.
func (a account) mayEnter(info fs.FileInfo) bool {
	if !a.drop {
		return true // our own user's rights: the start says if they do not do
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case stat.Uid == a.uid:
		return mode&0o100 != 0
	case stat.Gid == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

func ownerOf(info fs.FileInfo) uint32 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Uid
	}
	return uint32(os.Geteuid())
}

// removeTree deletes a folder that a killed predecessor left half made.
func removeTree(folder string) error {
	if err := os.RemoveAll(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", folder, err)
	}
	return nil
}

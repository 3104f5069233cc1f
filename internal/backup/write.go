package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// memberMode is what tar gives the members when a person unpacks them: keys
// are among them.
const memberMode = 0o600

// Contents are the files of an installation with their bytes, sorted by name.
type Contents struct {
	folders []string
	files   []File
	data    [][]byte // of each file
}

// Collect reads all files of some folders of an installation, sorted by name.
// A folder that is not there has none. What is neither a file nor a folder is
// refused: a backup that passes it over would not be whole. Whoever writes
// files there meanwhile must replace them whole; one that is gone when its
// turn comes is left out.
func Collect(root string, folders ...string) (*Contents, error) {
	c := &collector{root: root, data: make(map[string][]byte), left: filesBytesMax}
	for _, folder := range folders {
		if err := filepath.WalkDir(filepath.Join(root, folder), c.visit); err != nil {
			return nil, err
		}
	}
	all := &Contents{folders: folders, files: []File{}}
	for _, name := range slices.Sorted(maps.Keys(c.data)) {
		data := c.data[name]
		all.files = append(all.files, File{Name: name, Bytes: int64(len(data)), SHA256: digestOf(data)})
		all.data = append(all.data, data)
	}
	// What Open would refuse is not written.
	return all, checkFiles(all.files, folders)
}

type collector struct {
	root string
	data map[string][]byte // by name
	left int64             // bytes that may still come
}

func (c *collector) visit(path string, entry fs.DirEntry, err error) error {
	var data []byte
	if err == nil && !entry.IsDir() {
		data, err = readFile(path, min(fileBytesMax, c.left))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && fault.Of(err) == nil:
		return fault.Wrap(err, fault.BackupFailed, path, "read the installation")
	case err != nil || entry.IsDir():
		return err
	}
	name, err := filepath.Rel(c.root, path)
	if err != nil {
		return fault.Wrap(err, fault.BackupFailed, path, "name the file")
	}
	c.data[filepath.ToSlash(name)] = data
	c.left -= int64(len(data))
	return nil
}

// readFile reads a regular file, never through a link.
func readFile(path string, limit int64) ([]byte, error) {
	// Without waiting: an open of a pipe would wait for its writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New(fault.BackupFailed, path, "is neither a file nor a folder")
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fault.New(fault.InputTooBig, path, "at most %d bytes a file and %d altogether are kept", fileBytesMax, filesBytesMax)
	}
	return data, nil
}

// Write writes an archive of files and of a dump with its manifest, and
// returns the archive's manifest.
func Write(w io.Writer, at time.Time, database *postgres.Manifest, dump io.Reader, contents *Contents) (*Manifest, error) {
	m := &Manifest{Format: Format, CreatedAt: at.UTC(), Database: *database, Files: contents.files}
	text, sum, err := m.encode()
	if err != nil {
		return nil, err
	}
	a := &archiver{tar: tar.NewWriter(w), at: m.CreatedAt.Truncate(time.Second)}
	a.add(manifestName, int64(len(text)), bytes.NewReader(text))
	a.add(sumName, int64(len(sum)), bytes.NewReader(sum))
	a.add(dumpName, m.Database.Bytes, dump)
	for i, f := range m.Files {
		a.add(filesPrefix+f.Name, f.Bytes, bytes.NewReader(contents.data[i]))
	}
	return m, a.close()
}

// archiver adds members until one fails.
type archiver struct {
	tar *tar.Writer
	at  time.Time
	err error
}

func (a *archiver) add(name string, size int64, content io.Reader) {
	if a.err != nil {
		return
	}
	// GNU's format has no limit on sizes, and no attributes that hide in
	// records of their own.
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: memberMode, ModTime: a.at, Format: tar.FormatGNU}
	if err := a.tar.WriteHeader(header); err != nil {
		a.err = fault.Wrap(err, fault.BackupFailed, name, "write the archive")
		return
	}
	if _, err := io.Copy(a.tar, content); err != nil {
		a.err = fault.Wrap(err, fault.BackupFailed, name, "write the archive")
	}
}

// close ends the archive; a member that was shorter than its size is an error
// here.
func (a *archiver) close() error {
	if a.err != nil {
		return a.err
	}
	if err := a.tar.Close(); err != nil {
		return fault.Wrap(err, fault.BackupFailed, "", "end the archive")
	}
	return nil
}

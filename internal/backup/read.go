package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	blockBytes   = 512            // everything in tar is a multiple of it
	trailerBytes = 2 * blockBytes // of zeros: the end of an archive
)

// Archive is a backup that was found whole.
type Archive struct {
	Manifest *Manifest

	source io.ReaderAt
	dump   int64   // where its bytes begin
	files  []int64 // where their bytes begin, in the manifest's order
}

// Open reads an archive of size bytes to its end and checks every digest, name
// and limit; nothing is written anywhere. Files may lie under the given folders
// only. Errors: fault.BackupForeign if it is no backup of ours,
// fault.BackupVersion, fault.BackupCorrupt, fault.BackupUnsafe,
// fault.InputTooBig, fault.Unreadable, fault.Cancelled.
func Open(ctx context.Context, source io.ReaderAt, size int64, folders ...string) (*Archive, error) {
	in := &counter{ctx: ctx, source: io.NewSectionReader(source, 0, size)}
	r := &reader{in: in, tar: tar.NewReader(in)}
	a := &Archive{source: source}
	var err error
	if a.Manifest, err = r.manifest(folders); err != nil {
		return nil, err
	}
	if a.dump, err = r.member(dumpName, a.Manifest.Database.Bytes, a.Manifest.Database.SHA256); err != nil {
		return nil, err
	}
	for _, f := range a.Manifest.Files {
		offset, err := r.member(filesPrefix+f.Name, f.Bytes, f.SHA256)
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, offset)
	}
	return a, r.end()
}

// Dump is the database's dump, for postgres.RestoreDatabase with
// Manifest.Database.
func (a *Archive) Dump() io.ReadSeeker {
	return io.NewSectionReader(a.source, a.dump, a.Manifest.Database.Bytes)
}

// Unpack writes the files into a folder that has none of them, closed to
// others, and flushes them to the disk. A digest that differs by now is
// fault.BackupCorrupt: then the folder is to be thrown away.
func (a *Archive) Unpack(dir string) error {
	// A root keeps every name below it, whatever is done to the folder
	// meanwhile.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Wrap(err, fault.RestoreFailed, dir, "open the folder to restore into")
	}
	defer root.Close()
	folders := map[string]bool{".": true}
	for i, f := range a.Manifest.Files {
		folder := path.Dir(f.Name)
		if err := root.MkdirAll(folder, 0o700); err != nil {
			return fault.Wrap(err, fault.RestoreFailed, f.Name, "make the file's folder")
		}
		for ; !folders[folder]; folder = path.Dir(folder) {
			folders[folder] = true
		}
		if err := unpackFile(root, f, io.NewSectionReader(a.source, a.files[i], f.Bytes)); err != nil {
			return err
		}
	}
	for folder := range folders {
		if err := syncFolder(root, folder); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(root *os.Root, f File, content io.Reader) error {
	file, err := root.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, memberMode)
	if err != nil {
		return fault.Wrap(err, fault.RestoreFailed, f.Name, "make the file")
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(file, sum), content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fault.Wrap(err, fault.RestoreFailed, f.Name, "write the file")
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fault.New(fault.BackupCorrupt, f.Name, "the backup has changed while it was read: the digest is %s, not %s", got, f.SHA256)
	}
	return nil
}

func syncFolder(root *os.Root, name string) error {
	folder, err := root.Open(name)
	if err == nil {
		err = errors.Join(folder.Sync(), folder.Close())
	}
	if err != nil {
		return fault.Wrap(err, fault.RestoreFailed, name, "flush the folder")
	}
	return nil
}

// reader takes the members one by one, each as it is expected.
type reader struct {
	in  *counter
	tar *tar.Reader
}

// manifest reads the first two members. Until the first has its name, the file
// may be anything.
func (r *reader) manifest(folders []string) (*Manifest, error) {
	header, err := r.next()
	if err != nil {
		return nil, foreign(err)
	}
	if header.Name != manifestName {
		return nil, fault.New(fault.BackupForeign, "", "the archive does not begin with %s", manifestName)
	}
	text, err := r.small(header, manifestBytesMax)
	if err != nil {
		return nil, err
	}
	if header, err = r.expect(sumName); err != nil {
		return nil, err
	}
	sum, err := r.small(header, int64(len(sumLine(nil))))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sum, sumLine(text)) {
		return nil, fault.New(fault.BackupCorrupt, manifestName, "the digest is %s, which %s does not say", digestOf(text), sumName)
	}
	return decodeManifest(text, folders)
}

// foreign says of a file that is no archive that it is not ours; a disk that
// does not read, or a person who does not wait, says nothing of the file.
func foreign(err error) error {
	if fault.Is(err, fault.BackupCorrupt) {
		return fault.Wrap(err, fault.BackupForeign, "", "the file is not a tar archive that begins with %s", manifestName)
	}
	return err
}

// member reads a member to its end and holds it against its size and digest.
// It returns where the bytes begin.
func (r *reader) member(name string, size int64, digest string) (offset int64, err error) {
	header, err := r.expect(name)
	if err != nil {
		return 0, err
	}
	if header.Size != size {
		return 0, fault.New(fault.BackupCorrupt, name, "has %d bytes, the manifest says %d", header.Size, size)
	}
	offset = r.in.bytes // the tar reader reads no more than the header
	sum := sha256.New()
	if _, err := io.Copy(sum, r.tar); err != nil {
		return 0, broken(err, name)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return 0, fault.New(fault.BackupCorrupt, name, "the digest is %s, the manifest says %s", got, digest)
	}
	return offset, nil
}

func (r *reader) expect(name string) (*tar.Header, error) {
	header, err := r.next()
	if err != nil {
		return nil, err
	}
	if header.Name != name {
		return nil, fault.New(fault.BackupCorrupt, name, "expected here, found is %.100q", header.Name)
	}
	return header, nil
}

// next reads a header. Only plain files in GNU's format are taken: no link, no
// device, and nothing with attributes or holes.
func (r *reader) next() (*tar.Header, error) {
	header, err := r.tar.Next()
	if err != nil {
		return nil, broken(err, "")
	}
	if header.Typeflag != tar.TypeReg || header.Format != tar.FormatGNU {
		return nil, fault.New(fault.BackupUnsafe, "", "%.100q is no plain file (type %q, format %s)", header.Name, header.Typeflag, header.Format)
	}
	return header, nil
}

func (r *reader) small(header *tar.Header, limit int64) ([]byte, error) {
	if header.Size > limit {
		return nil, fault.New(fault.InputTooBig, header.Name, "has %d bytes; at most %d are read", header.Size, limit)
	}
	data, err := io.ReadAll(r.tar)
	if err != nil {
		return nil, broken(err, header.Name)
	}
	return data, nil
}

// end makes sure that the archive ends as it should: with its trailer, which a
// cut file lacks, and with nothing behind it.
func (r *reader) end() error {
	padded := (r.in.bytes + blockBytes - 1) / blockBytes * blockBytes
	header, err := r.tar.Next()
	if err == nil {
		return fault.New(fault.BackupCorrupt, "", "%.100q is not in the manifest", header.Name)
	}
	if err != io.EOF {
		return broken(err, "")
	}
	if r.in.bytes != padded+trailerBytes {
		return fault.New(fault.BackupCorrupt, "", "the end of the archive is missing")
	}
	rest, err := io.Copy(io.Discard, r.in)
	if err != nil {
		return broken(err, "")
	}
	if rest != 0 {
		return fault.New(fault.BackupCorrupt, "", "%d bytes follow the end of the archive", rest)
	}
	return nil
}

// broken classes what the tar reader says: a wrong or missing byte is the
// archive's fault, everything else its disk's.
func broken(err error, name string) error {
	if fault.Of(err) != nil {
		return err
	}
	for _, damage := range []error{tar.ErrHeader, tar.ErrFieldTooLong, tar.ErrInsecurePath, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, damage) {
			return fault.Wrap(err, fault.BackupCorrupt, name, "the archive is cut or damaged")
		}
	}
	return fault.Wrap(err, fault.Unreadable, name, "read the backup")
}

// counter counts what was read, and stops when nobody waits any more.
type counter struct {
	ctx    context.Context
	source io.Reader
	bytes  int64
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, fault.Wrap(err, fault.Cancelled, "", "read the backup")
	}
	n, err := c.source.Read(p)
	c.bytes += int64(n)
	return n, err
}

package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

var (
	folders = []string{"private", "anchors"}
	madeAt  = time.Date(2026, time.November, 21, 9, 30, 0, 0, time.UTC)
	dump    = bytes.Repeat([]byte("PGDMP"), 300)
	longOne = "private/token/tokens/" + strings.Repeat("f", 36) + "/" + strings.Repeat("0", 60) + ".object"
	kept    = map[string]string{
		"private/senim.pin":           "one PIN\n",
		"private/empty":               "",
		"private/clients/қоңырау.jwk": "{}",
		longOne:                       strings.Repeat("\x00\xff", 700),
		"anchors/root_rsa.pem":        "PEM",
	}
)

// installation makes a folder with the kept files and something that is not.
func installation(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range kept {
		put(t, dir, name, text)
	}
	put(t, dir, "urls.json", "{}")
	put(t, dir, "postgres/data/PG_VERSION", "15")
	return dir
}

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func database() *postgres.Manifest {
	return &postgres.Manifest{Bytes: int64(len(dump)), SHA256: digestOf(dump), Server: 15,
		Tables: []postgres.TableSum{{Name: "orders", Rows: 2, Sum: "-17"}}}
}

// written is a whole archive.
func written(t testing.TB) []byte {
	t.Helper()
	contents, err := Collect(installation(t), folders...)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := Write(&out, madeAt, database(), bytes.NewReader(dump), contents); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t testing.TB, archive []byte) (*Archive, error) {
	t.Helper()
	return Open(t.Context(), bytes.NewReader(archive), int64(len(archive)), folders...)
}

// unpacked reads back what an archive holds.
func unpacked(t testing.TB, a *Archive) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := a.Unpack(dir); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		if entry.IsDir() {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		got[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWrittenIsRead(t *testing.T) {
	a, err := open(t, written(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept, unpacked(t, a)); diff != "" {
		t.Error(diff)
	}
	got, err := io.ReadAll(a.Dump())
	if err != nil || !bytes.Equal(got, dump) {
		t.Errorf("the dump has %d bytes, want %d (%v)", len(got), len(dump), err)
	}
	if diff := cmp.Diff(*database(), a.Manifest.Database); diff != "" {
		t.Error(diff)
	}
	if !a.Manifest.CreatedAt.Equal(madeAt) || len(a.Manifest.Files) != len(kept) || a.Manifest.FilesBytes() != 8+2+1400+3 {
		t.Errorf("manifest %+v", a.Manifest)
	}
}

func TestSameInstallationSameBytes(t *testing.T) {
	if !bytes.Equal(written(t), written(t)) {
		t.Error("two archives of the same installation at the same time differ")
	}
}

// The archive can be taken apart without us.
func TestTarAndSHA256SumReadIt(t *testing.T) {
	for _, program := range []string{"tar", "sha256sum"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s: %v", program, err)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "x.tar")
	if err := os.WriteFile(file, written(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-C", dir, "-xf", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("tar: %v: %s", err, out)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "manifest.sha256")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v: %s", err, out)
	}
	for name, want := range kept {
		got, err := os.ReadFile(filepath.Join(dir, "files", name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

// forged writes an archive of its own: what it is given, in the right order.
type forged struct {
	manifest Manifest
	text     []byte // in the place of the manifest
	headers  func(*tar.Header)
	extra    *tar.Header
	without  string
}

func forgery() *forged {
	f := &forged{manifest: Manifest{Format: Format, CreatedAt: madeAt, Database: *database()}}
	f.manifest.Files = []File{{Name: "private/a", Bytes: 1, SHA256: digestOf([]byte("x"))}}
	return f
}

func (f *forged) bytes(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, size int64, content []byte) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, Format: tar.FormatGNU}
		if f.headers != nil {
			f.headers(h)
		}
		if f.without == name {
			return
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			return
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	text := f.text
	if text == nil {
		var err error
		if text, err = json.Marshal(f.manifest); err != nil {
			t.Fatal(err)
		}
	}
	add(manifestName, int64(len(text)), text)
	add(sumName, int64(len(sumLine(text))), sumLine(text))
	add(dumpName, int64(len(dump)), dump)
	for _, file := range f.manifest.Files {
		add(filesPrefix+file.Name, 1, []byte("x"))
	}
	if f.extra != nil {
		if err := w.WriteHeader(f.extra); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func named(names ...string) func(*forged) {
	return func(f *forged) {
		f.manifest.Files = nil
		for _, name := range names {
			f.manifest.Files = append(f.manifest.Files, File{Name: name, Bytes: 1, SHA256: digestOf([]byte("x"))})
		}
	}
}

func typed(name string, flag byte) func(*forged) {
	return func(f *forged) {
		f.headers = func(h *tar.Header) {
			if h.Name == name {
				h.Typeflag, h.Linkname, h.Size = flag, "/etc/passwd", 0
			}
		}
	}
}

func TestForgedIsRefused(t *testing.T) {
	if _, err := open(t, forgery().bytes(t)); err != nil {
		t.Fatalf("the forgery that forges nothing: %v", err)
	}
	many := make([]string, filesMax+1)
	for i := range many {
		many[i] = fmt.Sprintf("private/%06d", i)
	}
	for name, row := range map[string]struct {
		change func(*forged)
		want   fault.Code
	}{
		"a path upwards":             {named("private/../../etc/passwd"), fault.BackupUnsafe},
		"an absolute path":           {named("/etc/passwd"), fault.BackupUnsafe},
		"a path to the folder":       {named("private"), fault.BackupUnsafe},
		"a path into the cluster":    {named("postgres/data/pg_hba.conf"), fault.BackupUnsafe},
		"a path with a backslash":    {named(`private/..\x`), fault.BackupUnsafe},
		"a path with a line end":     {named("private/a\nb"), fault.BackupUnsafe},
		"a path of two slashes":      {named("private//a"), fault.BackupUnsafe},
		"no path":                    {func(f *forged) { f.text = []byte(`{"format":1,"files":[{"name":""}]}`) }, fault.BackupUnsafe},
		"a file under a file":        {named("private/a", "private/a-", "private/a/b"), fault.BackupUnsafe},
		"a name that is too long":    {named("private/" + strings.Repeat("a", nameBytesMax)), fault.InputTooBig},
		"too many files":             {named(many...), fault.InputTooBig},
		"a file twice":               {named("private/a", "private/a"), fault.BackupCorrupt},
		"files out of order":         {named("private/b", "private/a"), fault.BackupCorrupt},
		"a file that is too large":   {func(f *forged) { f.manifest.Files[0].Bytes = fileBytesMax + 1 }, fault.InputTooBig},
		"a file of negative size":    {func(f *forged) { f.manifest.Files[0].Bytes = -1 }, fault.InputTooBig},
		"a symbolic link":            {typed("files/private/a", tar.TypeSymlink), fault.BackupUnsafe},
		"a hard link":                {typed("files/private/a", tar.TypeLink), fault.BackupUnsafe},
		"a device":                   {typed("files/private/a", tar.TypeChar), fault.BackupUnsafe},
		"a folder":                   {typed("files/private/a", tar.TypeDir), fault.BackupUnsafe},
		"the dump is a link":         {typed(dumpName, tar.TypeSymlink), fault.BackupUnsafe},
		"the manifest is a link":     {typed(manifestName, tar.TypeSymlink), fault.BackupUnsafe},
		"a newer format":             {func(f *forged) { f.manifest.Format = Format + 1 }, fault.BackupVersion},
		"an unknown field":           {func(f *forged) { f.text = []byte(`{"format":1,"surprise":true}`) }, fault.BackupCorrupt},
		"two objects":                {func(f *forged) { f.text = []byte(`{"format":1}{}`) }, fault.BackupCorrupt},
		"a manifest that is no JSON": {func(f *forged) { f.text = []byte("format: 1") }, fault.BackupCorrupt},
		"a manifest of null":         {func(f *forged) { f.text = []byte("null") }, fault.BackupVersion},
		"a manifest that is too big": {func(f *forged) { f.text = make([]byte, manifestBytesMax+1) }, fault.InputTooBig},
		"a dump of negative size":    {func(f *forged) { f.manifest.Database.Bytes = -1 }, fault.BackupCorrupt},
		"a dump of another size":     {func(f *forged) { f.manifest.Database.Bytes++ }, fault.BackupCorrupt},
		"a dump of another digest":   {func(f *forged) { f.manifest.Database.SHA256 = digestOf(nil) }, fault.BackupCorrupt},
		"a digest in capitals":       {func(f *forged) { f.manifest.Files[0].SHA256 = strings.ToUpper(f.manifest.Files[0].SHA256) }, fault.BackupCorrupt},
		"a file of another size":     {func(f *forged) { f.manifest.Files[0].Bytes = 0 }, fault.BackupCorrupt},
		"a file of another digest":   {func(f *forged) { f.manifest.Files[0].SHA256 = digestOf(nil) }, fault.BackupCorrupt},
		"no dump":                    {func(f *forged) { f.without = dumpName }, fault.BackupCorrupt},
		"no digest of the manifest":  {func(f *forged) { f.without = sumName }, fault.BackupCorrupt},
		"no manifest":                {func(f *forged) { f.without = manifestName }, fault.BackupForeign},
		"a file too few":             {func(f *forged) { f.without = "files/private/a" }, fault.BackupCorrupt},
		"a file too many":            {func(f *forged) { f.extra = &tar.Header{Typeflag: tar.TypeReg, Name: "files/private/z"} }, fault.BackupCorrupt},
		"attributes in records": {func(f *forged) {
			f.headers = func(h *tar.Header) {
				h.Format, h.PAXRecords = tar.FormatPAX, map[string]string{"SENIM.hidden": "x"}
			}
		}, fault.BackupUnsafe},
	} {
		t.Run(name, func(t *testing.T) {
			f := forgery()
			row.change(f)
			if _, err := open(t, f.bytes(t)); !fault.Is(err, row.want) {
				t.Errorf("Open = %v, want %s", err, row.want)
			}
		})
	}
}

func TestForeignIsRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":      nil,
		"a text":       []byte("not a backup"),
		"zeros":        make([]byte, 4096),
		"random":       bytes.Repeat([]byte{0xde, 0xad, 0xbe, 0xef}, 1024),
		"a dump":       dump,
		"a compressed": {0x1f, 0x8b, 8, 0, 0, 0, 0, 0},
	} {
		if _, err := open(t, data); !fault.Is(err, fault.BackupForeign) {
			t.Errorf("%s: %v, want %s", name, err, fault.BackupForeign)
		}
	}
}

func TestCutIsRefused(t *testing.T) {
	whole := written(t)
	for _, n := range []int{blockBytes, blockBytes + 1, len(whole) / 2, len(whole) - trailerBytes - 1, len(whole) - trailerBytes, len(whole) - blockBytes, len(whole) - 1} {
		if _, err := open(t, whole[:n]); !fault.Is(err, fault.BackupCorrupt) {
			t.Errorf("%d of %d bytes: %v, want %s", n, len(whole), err, fault.BackupCorrupt)
		}
	}
	for _, more := range []string{"\x00", "tail"} {
		if _, err := open(t, append(bytes.Clone(whole), more...)); !fault.Is(err, fault.BackupCorrupt) {
			t.Errorf("with %q behind it: %v, want %s", more, err, fault.BackupCorrupt)
		}
	}
}

// Whatever happens to the bytes, what is accepted is what was kept: a change
// can go unnoticed only where tar keeps nothing.
func TestChangedIsRefusedOrTheSame(t *testing.T) {
	whole := written(t)
	rapid.Check(t, func(r *rapid.T) {
		changed := bytes.Clone(whole)
		for range rapid.IntRange(1, 3).Draw(r, "changes") {
			changed[rapid.IntRange(0, len(changed)-1).Draw(r, "at")] ^= byte(rapid.IntRange(1, 255).Draw(r, "bits"))
		}
		if rapid.Bool().Draw(r, "cut") {
			changed = changed[:rapid.IntRange(0, len(changed)).Draw(r, "length")]
		}
		a, err := open(t, changed)
		if err != nil {
			if fault.Of(err) == nil {
				r.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if diff := cmp.Diff(kept, unpacked(t, a)); diff != "" {
			r.Fatal(diff)
		}
		if got, _ := io.ReadAll(a.Dump()); !bytes.Equal(got, dump) {
			r.Fatal("another dump was accepted")
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add(forgery().bytes(f))
	f.Add(written(f)[:4096])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := open(t, data)
		if err != nil {
			if fault.Of(err) == nil {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		if err := a.Unpack(t.TempDir()); err != nil {
			t.Errorf("what Open takes does not unpack: %v", err)
		}
	})
}

func TestOpenReportsItsSource(t *testing.T) {
	whole := written(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, bytes.NewReader(whole), int64(len(whole)), folders...); !fault.Is(err, fault.Cancelled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, at := range []int64{0, 5000} {
		if _, err := Open(t.Context(), failing{whole, at}, int64(len(whole)), folders...); !fault.Is(err, fault.Unreadable) {
			t.Errorf("a disk that fails at byte %d: %v, want %s", at, err, fault.Unreadable)
		}
	}
}

// failing is a disk that does not read beyond a byte.
type failing struct {
	data []byte
	from int64
}

func (f failing) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > f.from {
		return 0, syscall.EIO
	}
	return copy(p, f.data[offset:]), nil
}

func TestUnpackRefuses(t *testing.T) {
	whole := written(t)
	a, err := open(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	occupied, led := t.TempDir(), t.TempDir()
	put(t, occupied, "private/empty", "mine")
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(led, "private")); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file that is there": occupied, "a link that leads out": led, "no folder": filepath.Join(led, "none")} {
		if err := a.Unpack(dir); !fault.Is(err, fault.RestoreFailed) {
			t.Errorf("%s: %v, want %s", name, err, fault.RestoreFailed)
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside are now %v (%v)", entries, err)
	}
	// The file changes between the check and the unpacking.
	whole[bytes.Index(whole, []byte("one PIN"))] = 'O'
	if err := a.Unpack(t.TempDir()); !fault.Is(err, fault.BackupCorrupt) {
		t.Errorf("changed meanwhile: %v, want %s", err, fault.BackupCorrupt)
	}
}

func TestCollectRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		make func(dir string) error
		want fault.Code
	}{
		"a link":  {func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "private/link")) }, fault.BackupFailed},
		"a pipe":  {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "private/pipe"), 0o600) }, fault.BackupFailed},
		"a large": {func(dir string) error { return os.Truncate(filepath.Join(dir, "private/empty"), fileBytesMax+1) }, fault.InputTooBig},
		"a strange name": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "private/a\nb"), nil, 0o600)
		}, fault.BackupUnsafe},
		"a name that is not UTF-8": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "private/\xff"), nil, 0o600)
		}, fault.BackupUnsafe},
	} {
		dir := installation(t)
		if err := row.make(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Collect(dir, folders...); !fault.Is(err, row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
	if c, err := Collect(t.TempDir(), folders...); err != nil || len(c.files) != 0 {
		t.Errorf("folders that are not there: %v %v", c, err)
	}
}

func TestWriteFails(t *testing.T) {
	contents, err := Collect(installation(t), folders...)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		to   io.Writer
		dump io.Reader
	}{
		"a full disk":           {full{}, bytes.NewReader(dump)},
		"a dump that is short":  {io.Discard, bytes.NewReader(dump[1:])},
		"a dump that is long":   {io.Discard, io.MultiReader(bytes.NewReader(dump), strings.NewReader("x"))},
		"a dump that is broken": {io.Discard, io.MultiReader(bytes.NewReader(dump[:9]), unreadable{})},
	} {
		if _, err := Write(row.to, madeAt, database(), row.dump, contents); !fault.Is(err, fault.BackupFailed) {
			t.Errorf("%s: %v, want %s", name, err, fault.BackupFailed)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

type unreadable struct{}

func (unreadable) Read([]byte) (int, error) { return 0, errors.New("does not read") }

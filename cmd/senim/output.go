package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/term"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/signer/cades"
)

const (
	// spoolBytesMax bounds what comes through a pipe and is kept in a file until
	// it has been read twice.
	spoolBytesMax = 16 << 30
	// longInput is from where on work on a file tells how far it is.
	longInput = 64 << 20
)

// results is where results go. A result that could not be written is no success,
// whether or not who wrote it looked.
type results struct {
	to io.Writer

	mu  sync.Mutex
	err error // the first
}

func (r *results) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.to.Write(p)
	r.err = cmp.Or(r.err, err)
	return n, err
}

func (r *results) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		return nil
	}
	return fault.Wrap(r.err, fault.OutputFailed, "", "write the result")
}

func isTerminal(w io.Writer) bool {
	if r, wrapped := w.(*results); wrapped {
		w = r.to
	}
	file, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd()))
}

// inputFile is a document that may be of any size: read where it lies, or, from
// a pipe, out of a temporary file.
type inputFile struct {
	cades.Source
	name  string
	file  *os.File
	spool string // to be removed; empty if it is the file itself
}

// openInput opens a file, or standard input by the name "-".
func openInput(name string) (*inputFile, error) {
	if name == "-" {
		return spool(name, os.Stdin)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unreadable, name, "open")
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		err = fault.Wrap(err, fault.Unreadable, name, "open")
	case info.IsDir():
		err = fault.New(fault.Unreadable, name, "it is a folder")
	case !info.Mode().IsRegular():
		defer file.Close()
		return spool(name, file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &inputFile{Source: io.NewSectionReader(file, 0, info.Size()), name: name, file: file}, nil
}

// spool copies a stream to a temporary file.
func spool(name string, r io.Reader) (_ *inputFile, err error) {
	file, err := os.CreateTemp("", "senim-input-")
	if err != nil {
		return nil, fault.Wrap(err, fault.Unreadable, name, "keep what comes through the pipe")
	}
	in := &inputFile{name: name, file: file, spool: file.Name()}
	n, err := io.Copy(file, io.LimitReader(r, spoolBytesMax+1))
	switch {
	case err != nil:
		err = fault.Wrap(err, fault.Unreadable, name, "keep what comes through the pipe")
	case n > spoolBytesMax:
		err = fault.New(fault.InputTooBig, name, "more than %d bytes through a pipe", int64(spoolBytesMax))
	}
	if err != nil {
		return nil, errors.Join(err, in.close())
	}
	in.Source = io.NewSectionReader(file, 0, n)
	return in, nil
}

func (in *inputFile) close() error {
	err := in.file.Close()
	if in.spool != "" {
		err = errors.Join(err, os.Remove(in.spool))
	}
	return err
}

// message gives the source of a CMS message: the file, or what it holds in PEM
// or, if it may be, in base64, as NCALayer gives signatures out.
func (in *inputFile) message(plainBase64 bool) (cades.Source, error) {
	if in.Size() > documentBytesMax {
		return in.Source, nil // text of that size is no message
	}
	var first [1]byte
	if n, _ := in.ReadAt(first[:], 0); n == 0 || first[0] == 0x30 {
		return in.Source, nil
	}
	raw := make([]byte, in.Size())
	if _, err := in.ReadAt(raw, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(err, fault.Unreadable, in.name, "read")
	}
	if block, _ := pem.Decode(raw); block != nil && (block.Type == "CMS" || block.Type == "PKCS7") {
		return bytes.NewReader(block.Bytes), nil
	}
	if plainBase64 {
		stripped := bytes.Join(bytes.Fields(raw), nil)
		if der, err := base64.StdEncoding.AppendDecode(nil, stripped); err == nil && len(der) > 0 {
			return bytes.NewReader(der), nil
		}
	}
	return in.Source, nil
}

// watched runs work on a file and, if it is not nil, what it is over. If one of
// them is long, it says on stderr how far reading it is, and that ends with the
// context.
func (p *program) watched(ctx context.Context, what text, file, content cades.Source, work func(file, content cades.Source) error) error {
	isLong := func(s cades.Source) bool { return s != nil && s.Size() >= longInput }
	if !isLong(file) && !isLong(content) {
		return work(file, content)
	}
	return p.working(what, func(report func(string)) error {
		for _, s := range []*cades.Source{&file, &content} {
			if isLong(*s) {
				*s = &measuredSource{Source: *s, ctx: ctx, report: report}
			}
		}
		return work(file, content)
	})
}

// measuredSource reports what is read of a source.
type measuredSource struct {
	cades.Source
	ctx    context.Context
	report func(string)
}

func (m *measuredSource) ReadAt(p []byte, at int64) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, fault.Wrap(err, fault.Cancelled, "", "read on")
	}
	n, err := m.Source.ReadAt(p, at)
	m.report(fmt.Sprintf("%d / %d MiB", (at+int64(n))>>20, m.Size()>>20))
	return n, err
}

// outputFile is a result that appears whole or not at all.
type outputFile struct {
	path      string
	overwrite bool
}

// check refuses a result that must not be written, before any work is done.
func (o outputFile) check() error {
	if o.path == "" {
		return fault.New(fault.BadArgument, "--out", "names no file")
	}
	info, err := os.Lstat(o.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info, err = os.Stat(filepath.Dir(o.path))
		if err != nil || !info.IsDir() {
			return fault.New(fault.BadArgument, "--out", "%s is no folder", filepath.Dir(o.path))
		}
		return nil
	case err != nil:
		return fault.Wrap(err, fault.BadArgument, "--out", "look for the file")
	case info.IsDir():
		return fault.New(fault.BadArgument, "--out", "%s is a folder", o.path)
	case !o.overwrite:
		return o.exists()
	}
	return nil
}

func (o outputFile) exists() error {
	return fault.New(fault.OutputExists, o.path, "--force overwrites it")
}

// write writes beside the file and gives the whole its name at the end, so that
// nobody ever sees a half.
func (o outputFile) write(fill func(io.Writer) error) (err error) {
	failed := func(err error) error { return fault.Wrap(err, fault.OutputFailed, o.path, "write the result") }
	part, err := os.CreateTemp(filepath.Dir(o.path), "."+filepath.Base(o.path)+".")
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, removeIfThere(part.Name())) }()
	if err := fill(part); err != nil {
		_ = part.Close() // the first failure counts
		if fault.Of(err) == nil {
			err = failed(err)
		}
		return err
	}
	if err := errors.Join(part.Chmod(o.mode()), part.Sync(), part.Close()); err != nil {
		return failed(err)
	}
	if o.overwrite {
		err = os.Rename(part.Name(), o.path)
	} else {
		err = os.Link(part.Name(), o.path) // unlike a renaming, it spares a file that has appeared
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return o.exists()
	case err != nil:
		return failed(err)
	}
	return nil
}

// mode keeps the permissions of a file that is overwritten. A new one is for
// everybody whom the folder lets in: a signature is there to be shown.
func (o outputFile) mode() fs.FileMode {
	if info, err := os.Stat(o.path); err == nil {
		return info.Mode().Perm()
	}
	return 0o644
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

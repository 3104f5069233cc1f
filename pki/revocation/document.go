package revocation

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// keptInMemoryMax is up to which size the bytes of a list stay in memory; those
// of longer ones lie in a file, or a list of NUC RK's would take 21 MB of it.
const keptInMemoryMax = 64 << 10

// document is the raw bytes of a list that is held. A file stays readable for
// as long as anybody has the document, even if a newer one has taken its name
// meanwhile; the runtime closes it after that.
type document struct {
	data []byte
	file *os.File
	size int64
}

// putAway keeps the bytes: in the named file, or in one without a name where
// name is empty and they are many. They stay in memory where no file can be made,
// which costs memory and is no failure.
func putAway(raw []byte, name string, fetched time.Time) *document {
	if name == "" && len(raw) <= keptInMemoryMax {
		return &document{data: raw}
	}
	f, err := writeFile(raw, name, fetched)
	if err != nil {
		return &document{data: raw}
	}
	return asDocument(f, raw)
}

// asDocument takes the file over, and closes it if the bytes are few.
func asDocument(f *os.File, raw []byte) *document {
	if len(raw) > keptInMemoryMax {
		return &document{file: f, size: int64(len(raw))}
	}
	_ = f.Close() // it is written, or read, and not needed again
	return &document{data: raw}
}

// writeFile writes a file that appears under its name whole or not at all, and
// stays open. Its time is when the bytes were fetched.
func writeFile(raw []byte, name string, fetched time.Time) (f *os.File, err error) {
	folder := ""
	if name != "" {
		folder = filepath.Dir(name)
	}
	if f, err = os.CreateTemp(folder, "crl-*"); err != nil {
		return nil, err
	}
	if _, err = f.Write(raw); err == nil && name != "" {
		err = publish(f, name, fetched)
	}
	if err != nil || name == "" {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func publish(f *os.File, name string, fetched time.Time) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Chtimes(f.Name(), fetched, fetched); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// readKept reads a file that writeFile wrote.
func readKept(name string) (d *document, raw []byte, fetched time.Time, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fetched, err
	}
	about, err := f.Stat()
	if err == nil {
		raw, err = io.ReadAll(io.LimitReader(f, crlSizeMax+1))
	}
	if err != nil {
		return nil, nil, fetched, errors.Join(err, f.Close())
	}
	return asDocument(f, raw), raw, about.ModTime(), nil
}

func (d *document) bytes() ([]byte, error) {
	if d.file == nil {
		return d.data, nil
	}
	raw := make([]byte, d.size)
	if _, err := io.ReadFull(io.NewSectionReader(d.file, 0, d.size), raw); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "read a kept CRL back")
	}
	return raw, nil
}

// raw are the list's bytes, from where they are.
func (l *List) raw() ([]byte, error) {
	if l.Raw == nil && l.stored != nil {
		return l.stored.bytes()
	}
	return l.Raw, nil
}

// signed are the bytes under the signature.
func (l *List) signed() ([]byte, error) {
	if l.RawTBS != nil || l.stored == nil {
		return l.RawTBS, nil
	}
	raw, err := l.stored.bytes()
	if err != nil {
		return nil, err
	}
	again, err := ParseList(raw)
	if err != nil {
		return nil, err
	}
	return again.RawTBS, nil
}

// condensed is the list without its bytes: entries are looked up in the index,
// the bytes are put away, and what else it says is read from a copy without
// entries, so that nothing keeps the long original in memory.
func (l *List) condensed(index *Index, stored *document) (*List, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(l.head)
			b.AddBytes(l.tail)
		})
		l.SignatureAlgorithm.AddTo(b)
		b.AddASN1BitString(l.Signature)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fault.Wrap(err, fault.CRLUnreadable, "", "copy a CRL's head")
	}
	short, err := ParseList(der)
	if err != nil {
		return nil, err
	}
	short.Raw, short.RawTBS, short.index, short.stored = nil, nil, index, stored
	short.verifiedBy.Store(l.verifiedBy.Load())
	return short, nil
}

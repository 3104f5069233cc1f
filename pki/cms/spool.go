package cms

import (
	"errors"
	"io"
	"os"

	"github.com/senim-kz/senim/internal/fault"
)

// Spool says where a stream is kept while it passes, in case that it is needed
// once more.
type Spool struct {
	Dir   string // "" is the system's folder for temporary files
	Bytes int64  // at most; 0 keeps nothing
}

// DefaultSpool holds a DVD's worth.
var DefaultSpool = Spool{Bytes: 5 << 30}

// spool is a temporary file without a name, gone when it is closed or the program
// ends. It gives up silently when the limit is reached or the disk is full: then
// the stream was not kept, and who needs it again hears that.
type spool struct {
	where Spool
	file  *os.File
	size  int64
	lost  bool
}

func newSpool(where Spool) *spool { return &spool{where: where} }

func (s *spool) Write(b []byte) (int, error) {
	if s.lost {
		return len(b), nil
	}
	if s.size+int64(len(b)) > s.where.Bytes || s.create() != nil {
		return len(b), s.lose()
	}
	n, err := s.file.Write(b)
	s.size += int64(n)
	if err != nil {
		return len(b), s.lose()
	}
	return len(b), nil
}

func (s *spool) create() error {
	if s.file != nil {
		return nil
	}
	file, err := os.CreateTemp(s.where.Dir, "senim-content-")
	if err != nil {
		return err
	}
	s.file = file
	return os.Remove(file.Name())
}

// lose ends the keeping.
func (s *spool) lose() error {
	s.lost = true
	if err := s.Close(); err != nil {
		return fault.Wrap(err, fault.Unreadable, "", "give up keeping the content")
	}
	return nil
}

// stored gives the copy, if there is a whole one.
func (s *spool) stored() (io.ReaderAt, int64, bool) {
	if s.lost || s.file == nil {
		return nil, 0, false
	}
	return s.file, s.size, true
}

// Close removes the copy.
func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

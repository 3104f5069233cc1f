package statement

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// byteOrderMark that some programs put before UTF-8.
const byteOrderMark = "\xEF\xBB\xBF"

// sniffBytes is how much of a file tells its format.
const sniffBytes = 4 << 10

// Options of reading a file.
type Options struct {
	// Mapping says what the columns of a CSV file are. With it, a file that is
	// of no other format is read as CSV; without, CSV is refused.
	Mapping *Mapping
	// Progress is told by an import from time to time how many lines it has
	// read, and at last that it is storing them. It is called by another
	// goroutine than the caller's.
	Progress func(Step, int)
}

// Step of an import.
type Step int

// The steps.
const (
	Reading Step = iota // the file, into the database's temporary storage
	Storing             // the lines that are new
)

// Parse reads a file of any format, recognised by its content, and hands what
// it holds to the sink. Nothing of it may be trusted before Parse has returned
// without an error and Check has agreed.
//
// Errors: statement_malformed with the place (also for what is of no format that
// is known), statement_version_unsupported, input_too_big, and the reader's own.
func Parse(r io.Reader, o Options, sink Sink) error {
	limited := &limitedReader{source: r}
	b := bufio.NewReaderSize(limited, sniffBytes)
	head, err := b.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return sourceError(err)
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return fault.New(fault.StatementMalformed, "", "the file is empty")
	}
	read := sniff(head, o)
	if read == nil {
		return fault.New(fault.StatementMalformed, "", "no statement format that is known")
	}
	to := &reader{sink: sink, options: o}
	if bytes.HasPrefix(head, []byte(byteOrderMark)) {
		n, _ := b.Discard(len(byteOrderMark)) // it has been read, so it cannot fail
		to.base = int64(n)
	}
	return read(b, to)
}

// sniff tells the format by how the file begins.
func sniff(head []byte, o Options) func(io.Reader, *reader) error {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n\x00\x01")
	switch {
	case len(head) == 0:
		return nil
	case head[0] == '<':
		return readCAMT
	case head[0] == '[':
		return readKGD
	case isSWIFT(head):
		return readSWIFT
	case o.Mapping != nil:
		return readCSV
	}
	return nil
}

// sourceError keeps the class that the source gave its error.
func sourceError(err error) error {
	if fault.Of(err) != nil {
		return err
	}
	return fault.Wrap(err, fault.Unreadable, "", "read the statement")
}

// limitedReader ends the reading of a file that is too long.
type limitedReader struct {
	source io.Reader
	read   int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.read > fileBytesMax {
		return 0, fault.New(fault.InputTooBig, "", "the file has more than %d bytes", int64(fileBytesMax))
	}
	n, err := l.source.Read(p)
	l.read += int64(n)
	return n, err
}

// reader is what the formats have in common: where statements go.
type reader struct {
	texts
	sink    Sink
	options Options
	base    int64 // bytes of the file before those that the format's reader gets
	lastDay struct {
		text string
		day  kz.Day
	}
}

func (r *reader) begin(s *Statement) error {
	if r.sink.Begin == nil {
		return nil
	}
	return r.sink.Begin(s)
}

// emit counts an entry and hands it on, or says what is wrong with it.
func (r *reader) emit(s *Statement, e *Entry, wrong error) error {
	if wrong == nil {
		wrong = s.count(e)
	}
	s.Entries++
	if wrong == nil {
		if r.sink.Entry == nil {
			return nil
		}
		return r.sink.Entry(s, e)
	}
	s.Bad++
	if r.sink.Bad == nil {
		return nil
	}
	return r.sink.Bad(s, BadEntry{Index: e.Index, Offset: e.Offset, Day: e.BookingDay, Code: fault.StatementLineBad, Detail: explain(wrong)})
}

// explain says what is wrong with an entry, for people.
func explain(err error) string {
	f := fault.Of(err)
	if f == nil {
		return ""
	}
	return strings.TrimSpace(f.At + " " + f.Detail)
}

func (r *reader) end(s *Statement) error {
	if r.sink.End == nil {
		return nil
	}
	return r.sink.End(s)
}

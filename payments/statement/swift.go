package statement

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits of a SWIFT-like file.
const (
	swiftLineBytesMax  = 4 << 10  // the longest line of the format has 78 characters
	swiftFieldBytesMax = 64 << 10 // some banks put pages into :86:
)

// field is one tag with its lines.
type field struct {
	tag    string // "61", "60F"; "-" ends a message
	text   string // lines joined by "\n"
	offset int64
}

// fields reads the fields of a file that may hold several messages, each in
// blocks {1:}{2:}{4:…-} or bare. Text is UTF-8 or windows-1251, told line by
// line: what is Cyrillic in windows-1251 is no UTF-8.
type fields struct {
	lines  *bufio.Reader
	at     int64
	next   string // the line read ahead
	nextAt int64
	have   bool
	ended  bool
	kind   string // of the block 2, "940"; "" for a bare message
	begun  bool   // headers were read, and no field yet
}

func newFields(r io.Reader, base int64) *fields {
	return &fields{lines: bufio.NewReaderSize(r, swiftLineBytesMax), at: base}
}

// line returns the next line without its end, and where it begins.
func (f *fields) line() (text string, at int64, err error) {
	if f.have {
		f.have = false
		return f.next, f.nextAt, nil
	}
	at = f.at
	raw, err := f.lines.ReadSlice('\n')
	f.at += int64(len(raw))
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", at, fault.New(fault.StatementMalformed, "", "a line of more than %d bytes at byte %d", swiftLineBytesMax, at)
	case errors.Is(err, io.EOF) && len(raw) == 0:
		return "", at, io.EOF
	case err != nil && !errors.Is(err, io.EOF):
		return "", at, sourceError(err)
	}
	raw = bytes.TrimRight(raw, "\r\n")
	if !utf8.Valid(raw) {
		if raw, err = charmap.Windows1251.NewDecoder().Bytes(raw); err != nil {
			return "", at, fault.New(fault.StatementMalformed, "", "neither UTF-8 nor windows-1251 at byte %d", at)
		}
	}
	return string(raw), at, nil
}

func (f *fields) unread(text string, at int64) { f.next, f.nextAt, f.have = text, at, true }

// read returns the next field; at the end of a message one with the tag "-", at
// the end of the file io.EOF.
func (f *fields) read() (field, error) {
	for {
		text, at, err := f.line()
		if errors.Is(err, io.EOF) && f.begun {
			return field{}, fault.New(fault.StatementMalformed, "", "the last message has no fields")
		}
		if err != nil {
			return field{}, err
		}
		switch {
		case strings.HasPrefix(text, "-"):
			f.begun = false
			// What stands behind the end in the same line begins the next message.
			if rest := strings.TrimLeft(text[1:], "}"); strings.HasPrefix(rest, "{") {
				f.unread(rest, at)
			}
			return field{tag: "-", offset: at}, nil
		case strings.HasPrefix(strings.TrimLeft(text, "\x01"), "{"):
			f.blocks(strings.TrimLeft(text, "\x01"), at)
		default:
			tag, value, ok := cutTag(text)
			if !ok {
				continue // what some banks put between messages
			}
			f.begun = false
			return f.whole(field{tag: tag, text: value, offset: at})
		}
	}
}

// blocks reads the headers. Block 2 names the message: {2:I100…} {2:O940…}.
func (f *fields) blocks(text string, at int64) {
	// A trailer, {5:…}, is no head.
	f.begun = strings.Contains(text, "{1:") || strings.Contains(text, "{2:") || strings.Contains(text, "{4:")
	if i := strings.Index(text, "{2:"); i >= 0 && len(text) >= i+7 {
		f.kind = text[i+4 : i+7]
	}
	if i := strings.Index(text, "{4:"); i >= 0 && len(text) > i+3 {
		f.unread(text[i+3:], at)
	}
}

// whole adds the lines up to the next tag.
func (f *fields) whole(v field) (field, error) {
	var b strings.Builder
	b.WriteString(v.text)
	for {
		text, at, err := f.line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return field{}, err
		}
		_, _, tagged := cutTag(text)
		if tagged || text == "-" || strings.HasPrefix(text, "-}") || strings.HasPrefix(text, "{1:") {
			f.unread(text, at)
			break
		}
		if b.Len()+len(text) > swiftFieldBytesMax {
			return field{}, fault.New(fault.StatementMalformed, ":"+v.tag+":", "a field of more than %d bytes at byte %d", swiftFieldBytesMax, v.offset)
		}
		b.WriteByte('\n')
		b.WriteString(text)
	}
	v.text = b.String()
	return v, nil
}

// cutTag splits ":61:text". A tag has two digits and perhaps a letter, or is
// the NS of some banks.
func cutTag(line string) (tag, text string, ok bool) {
	if len(line) < 4 || line[0] != ':' {
		return "", "", false
	}
	end := strings.IndexByte(line[1:min(len(line), 5)], ':') + 1
	if end != 3 && end != 4 {
		return "", "", false
	}
	tag = line[1:end]
	if tag != "NS" && (tag[0] < '0' || tag[0] > '9' || tag[1] < '0' || tag[1] > '9' || len(tag) == 3 && (tag[2] < 'A' || tag[2] > 'Z')) {
		return "", "", false
	}
	return tag, line[end+1:], true
}

// isSWIFT tells by the first line.
func isSWIFT(head []byte) bool {
	if bytes.HasPrefix(head, []byte("{1:")) {
		return true
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if _, _, ok := cutTag(string(line)); ok {
		return true
	}
	// Some banks put lines of their own before the first tag.
	return bytes.Contains(head, []byte("\n:20:")) || bytes.Contains(head, []byte("\n{1:"))
}

// readSWIFT reads a file of messages, each by its own kind.
func readSWIFT(r io.Reader, to *reader) error {
	f := newFields(r, to.base)
	account := &accountMessages{reader: to, fields: f}
	found := false
	for {
		v, err := f.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if v.tag != "-" {
			found = true
		}
		switch f.kind {
		case "100", "102", "103":
			err = readPayment(f, v, to)
		case "", "940", "941", "942", "950":
			err = account.field(v)
		default:
			return fault.New(fault.StatementVersion, "", "MT%.3s at byte %d is no statement", f.kind, v.offset)
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return fault.New(fault.StatementMalformed, "", "no field")
	}
	return account.finish()
}

package cms

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// pemTypes are the labels under which CMS is written (RFC 7468 §8–9, and the
// older ones that OpenSSL still reads).
var pemTypes = map[string]bool{"CMS": true, "PKCS7": true, "PKCS #7 SIGNED DATA": true}

const pemBegin, pemEnd = "-----BEGIN ", "-----"

// ReadBytes is Read for an input in memory.
func ReadBytes(data []byte) (*Message, Input, error) {
	l := DefaultLimits
	switch {
	case len(data) == 0:
		return nil, Input{}, fault.New(fault.InputEmpty, "", "no bytes")
	case len(data) > l.Bytes/3*4+1024: // in base64, with its line ends
		return nil, Input{}, fault.New(fault.InputTooBig, "", "%d bytes", len(data))
	}
	m, err := parseArmoured(data, l)
	return m, Input{Bytes: int64(len(data)), SHA256: sha256.Sum256(data)}, err
}

// parseArmoured takes PEM or bare base64, as NCALayer hands a signature to a
// page, off a message. Anything else is taken for the message itself.
func parseArmoured(data []byte, l Limits) (*Message, error) {
	if len(data) > 0 && data[0] == 0x30 { // a SEQUENCE, or a digit that starts no armour
		return ParseWithin(data, l)
	}
	text := bytes.TrimSpace(data)
	if bytes.HasPrefix(text, []byte(pemBegin)) {
		block, rest := pem.Decode(text)
		if block == nil || !pemTypes[block.Type] || len(bytes.TrimSpace(rest)) > 0 {
			return nil, malformed("", "not one PEM block of a CMS message")
		}
		return ParseWithin(block.Bytes, l)
	}
	if bytes.HasPrefix(text, []byte("MI")) { // a SEQUENCE of 256 bytes or more, in base64
		if decoded, err := base64.StdEncoding.DecodeString(string(text)); err == nil { // ignores line ends
			return ParseWithin(decoded, l)
		}
	}
	return ParseWithin(data, l)
}

// armourOf recognises the armour of a large message by its beginning; nil if
// there is none.
func armourOf(head []byte) func(io.Reader) io.Reader {
	text := bytes.TrimLeft(head, " \t\r\n")
	skipped := len(head) - len(text)
	switch {
	case bytes.HasPrefix(text, []byte(pemBegin)):
		return func(r io.Reader) io.Reader { return newPEMReader(r) }
	case bytes.HasPrefix(text, []byte("MI")):
		return func(r io.Reader) io.Reader {
			in := bufio.NewReader(r)
			_, err := in.Discard(skipped)
			if err != nil {
				return failing{err}
			}
			return base64.NewDecoder(base64.StdEncoding, in)
		}
	}
	return nil
}

// failing is a reader that only has an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// newPEMReader decodes one PEM block on the way.
func newPEMReader(r io.Reader) io.Reader {
	in := bufio.NewReader(r)
	line := ""
	for strings.TrimSpace(line) == "" {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return failing{malformed("", "not one PEM block of a CMS message")}
		}
	}
	label, ok := strings.CutSuffix(strings.TrimPrefix(strings.TrimSpace(line), pemBegin), pemEnd)
	if !ok || !pemTypes[label] {
		return failing{malformed("", "not one PEM block of a CMS message")}
	}
	return base64.NewDecoder(base64.StdEncoding, &pemBody{in: in, end: pemEnd + "END " + label + pemEnd})
}

// pemBody gives the lines of a PEM block until its end, which must be the end of
// the input as well.
type pemBody struct {
	in   *bufio.Reader
	end  string
	line []byte
	done bool
}

func (p *pemBody) Read(b []byte) (int, error) {
	for len(p.line) == 0 {
		if p.done {
			return 0, io.EOF
		}
		line, err := p.in.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return 0, malformed("", "a line of the PEM block is too long")
		}
		switch text := bytes.TrimSpace(line); {
		case string(text) == p.end:
			rest, err := io.ReadAll(io.LimitReader(p.in, fieldBytesMax))
			if err != nil || len(bytes.TrimSpace(rest)) > 0 {
				return 0, malformed("", "not one PEM block of a CMS message")
			}
			p.done = true
		case err == io.EOF:
			return 0, malformed("", "the PEM block has no end")
		default:
			p.line = text
		}
	}
	n := copy(b, p.line)
	p.line = p.line[n:]
	return n, nil
}

// readArmoured reads a large message out of its armour. What was given is
// digested on its way in; what is inside passes once.
func (x *streamed) readArmoured(ctx context.Context, in io.Reader, decode func(io.Reader) io.Reader) (*Message, Input, error) {
	given := &counter{}
	x.size, x.again = -1, nil
	m, _, err := x.read(ctx, decoded{decode(io.TeeReader(in, io.MultiWriter(x.sum, given)))}, nil)
	return m, Input{Bytes: given.n, SHA256: x.digest()}, err
}

// decoded says of base64 that is none what it means for a message.
type decoded struct{ io.Reader }

func (d decoded) Read(b []byte) (int, error) {
	n, err := d.Reader.Read(b)
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) {
		err = malformed("", "not base64 at byte %d", int64(corrupt))
	}
	return n, err
}

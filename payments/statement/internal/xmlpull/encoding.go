package xmlpull

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"
)

const byteOrderMark = "\xEF\xBB\xBF"

// declarationBytesMax bounds the XML declaration.
const declarationBytesMax = 512

// prologue reads the byte order mark and the XML declaration, and puts a
// converter before the rest if it is not UTF-8.
func (s *Scanner) prologue() error {
	head := make([]byte, declarationBytesMax)
	n, err := io.ReadFull(s.source, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Err: err}
	}
	head, marked := bytes.CutPrefix(head[:n], []byte(byteOrderMark))
	if marked {
		s.base += int64(len(byteOrderMark))
	}
	rest := io.MultiReader(bytes.NewReader(head), s.source)
	name := declaredEncoding(head)
	switch strings.ToLower(name) {
	case "", "utf-8", "us-ascii":
		s.source = rest
		return nil
	}
	set, err := htmlindex.Get(name)
	if err != nil || strings.HasPrefix(strings.ToLower(name), "utf-") {
		// UTF-16 cannot be declared in bytes that read as ASCII.
		return &Error{Err: ErrEncoding, Detail: "an encoding that is not supported"}
	}
	s.source = transform.NewReader(rest, set.NewDecoder())
	return nil
}

// declaredEncoding is what the XML declaration says, "" if it says nothing.
func declaredEncoding(head []byte) string {
	if !bytes.HasPrefix(head, []byte("<?xml")) {
		return ""
	}
	end := bytes.Index(head, []byte("?>"))
	if end < 0 {
		return ""
	}
	_, after, found := bytes.Cut(head[:end], []byte("encoding"))
	after = bytes.TrimLeft(after, " \t\r\n=")
	if !found || len(after) == 0 {
		return ""
	}
	value, _, _ := bytes.Cut(after[1:], after[:1])
	return string(value)
}

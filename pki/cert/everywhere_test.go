package cert

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// One odd certificate must not spoil a message: every certificate inside the
// files of ../shared/data can be read, wherever it is: in DER, in PEM, in
// base64 of XML and JSON, in messages, answers, tokens and archives.
func TestEveryCertificateInTheData(t *testing.T) {
	if _, err := os.Stat(shared); err != nil {
		t.Skip("no ../shared/data here")
	}
	if testing.Short() {
		t.Skip("it reads 40 MB")
	}
	s := scanner{t: t, seen: make(map[[32]byte]bool), odd: make(map[string]int)}
	for _, folder := range []string{"validation", "nuc-rk", "gost"} {
		err := filepath.WalkDir(filepath.Join(shared, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "wycheproof" {
				return fs.SkipDir
			}
			if info, err := d.Info(); err == nil && d.Type().IsRegular() && info.Size() < 4<<20 {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				s.file(path, data)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d certificates, oddities %v", len(s.seen), s.odd)
	if len(s.seen) < 1000 {
		t.Errorf("only %d certificates were found", len(s.seen))
	}
}

// unreadableOnPurpose are those that are made so: no reader should take them.
var unreadableOnPurpose = map[string]string{
	"good_response_invalid_serial.pem serialNumber": "a serial number with a byte too many (X.690 §8.3.2); OpenSSL refuses it, too",
	"limbo.json subject":                            "a subject of more than 2048 parts, to stall who holds it against constraints",
	"limbo.json extension 2.5.29.17":                "an extension twice (RFC 5280 §4.2)",
	"limbo.json signature":                          "the signed algorithm is another than the one beside the signature (RFC 5280 §4.1.1.2)",
}

type scanner struct {
	t    *testing.T
	seen map[[32]byte]bool
	odd  map[string]int
}

func (s *scanner) file(name string, data []byte) {
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		s.archive(name, data)
		return
	}
	s.ders(name, data)
	s.base64(name, data)
}

func (s *scanner) archive(name string, data []byte) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return // broken on purpose
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(r, 4<<20))
		if err == nil {
			s.ders(name+"!"+f.Name, content)
			s.base64(name+"!"+f.Name, content)
		}
	}
}

// base64 looks into every run of base64, with line breaks as text, XML and JSON
// write them.
func (s *scanner) base64(name string, data []byte) {
	run := make([]byte, 0, 4096)
	flush := func() {
		if len(run) > 300 {
			raw := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
			n, _ := base64.RawStdEncoding.Decode(raw, run) // up to what is no base64
			s.ders(name, raw[:n])
			if n > 300 && bytes.HasPrefix(raw, []byte("-----BEGIN")) { // PEM in a string
				s.base64(name, raw[:n])
			}
		}
		run = run[:0]
	}
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			run = append(run, c)
		case c == '\n', c == '\r', c == ' ', c == '\t':
		case c == '\\' && i+1 < len(data) && (data[i+1] == 'n' || data[i+1] == 'r'):
			i++
		case c == '&' && bytes.HasPrefix(data[i:], []byte("&#13;")):
			i += len("&#13;") - 1
		case c == '&' && bytes.HasPrefix(data[i:], []byte("&#xD;")):
			i += len("&#xD;") - 1
		default:
			flush()
		}
	}
	flush()
}

// ders parses whatever has the outline of a certificate.
func (s *scanner) ders(name string, data []byte) {
	for i := 0; i+4 < len(data); i++ {
		if data[i] != 0x30 || data[i+1] != 0x82 || data[i+4] != 0x30 {
			continue
		}
		der := outline(data[i:])
		if der == nil {
			continue
		}
		hash := sha256.Sum256(der)
		if s.seen[hash] {
			continue
		}
		s.seen[hash] = true
		c, err := Parse(der)
		if f := fault.Of(err); f != nil {
			if unreadableOnPurpose[filepath.Base(name)+" "+f.At] == "" {
				s.t.Errorf("%s: %v", name, err)
			}
			continue
		}
		for _, odd := range c.Tolerated.Names() {
			s.odd[odd]++
		}
	}
}

// outline is the element at the start if it has the parts of a certificate
// (RFC 5280 §4.1): a number, an algorithm, two names around two times, a key;
// then an algorithm and a BIT STRING.
func outline(data []byte) []byte {
	s := cryptobyte.String(data)
	var der, outer, tbs, validity, part cryptobyte.String
	if !s.ReadASN1Element(&der, cbasn1.SEQUENCE) {
		return nil
	}
	inner := der
	if !inner.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) || !outer.ReadASN1(&part, cbasn1.SEQUENCE) ||
		!outer.ReadASN1(&part, cbasn1.BIT_STRING) || !outer.Empty() {
		return nil
	}
	var tag cbasn1.Tag
	if !tbs.SkipOptionalASN1(context(0).Constructed()) || !tbs.SkipASN1(cbasn1.INTEGER) || !tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.SEQUENCE) ||
		!tbs.ReadASN1(&validity, cbasn1.SEQUENCE) || !validity.ReadAnyASN1(&part, &tag) || tag != cbasn1.UTCTime && tag != cbasn1.GeneralizedTime ||
		!tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.SEQUENCE) {
		return nil
	}
	return der
}

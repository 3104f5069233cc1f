package tariff

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the sample
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/senim-kz/senim/internal/fault"
)

// Limits of a file, checked while it is read.
const (
	fileBytesMax  = 64 << 20 // the whole nomenclature, 13 000 codes with names, is about 6 MiB
	recordsMax    = 400_000  // and thirty measures for each code
	valueBytesMax = 1024     // a name, a ground
)

// Import reads a tariff, as CSV with a header or as a JSON object
// {"records":[{…}]} with the columns for keys; a file that begins with a brace
// is JSON. It is taken whole or refused, with the line.
func Import(r io.Reader) (*Tariff, error) {
	raw, err := io.ReadAll(io.LimitReader(r, fileBytesMax+1))
	switch {
	case err != nil:
		return nil, fault.Wrap(err, fault.TariffMalformed, "", "read the file")
	case len(raw) > fileBytesMax:
		return nil, fault.New(fault.InputTooBig, "", "the tariff has more than %d bytes", fileBytesMax)
	case !utf8.Valid(raw):
		return nil, fault.New(fault.TariffMalformed, "", "the file is not UTF-8")
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
	if len(text) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "the tariff is empty")
	}
	b := newBuilder()
	if text[0] == '{' {
		err = readJSON(raw, b.take())
	} else {
		err = readCSV(raw, b.take())
	}
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(raw)
	b.t.Digest = hex.EncodeToString(digest[:])
	return b.finish()
}

// take is add within the limit of records.
func (b *builder) take() func(record) error {
	var count int
	return func(r record) error {
		if count++; count > recordsMax {
			return fault.New(fault.InputTooBig, r.at("record"), "more than %d records", recordsMax)
		}
		for column, value := range r.values {
			if len(value) > valueBytesMax {
				return r.bad(column, "longer than %d bytes", valueBytesMax)
			}
		}
		return b.add(r)
	}
}

func readCSV(raw []byte, take func(record) error) error {
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return fault.Wrap(err, fault.TariffMalformed, "line 1", "read the header")
	}
	header = slices.Clone(header)
	if !slices.Equal(header, columns) {
		return fault.New(fault.TariffMalformed, "line 1", "the header is not that of a tariff: %q", columns)
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // the error names its line itself
			return fault.Wrap(err, fault.TariffMalformed, "", "read a row")
		}
		line, _ := rows.FieldPos(0)
		r := record{line: line, values: make(map[string]string, 8)}
		for i, value := range row {
			if value != "" {
				r.values[header[i]] = value
			}
		}
		if err := take(r); err != nil {
			return err
		}
	}
}

// jsonReader pulls tokens: a map would let a repeated key pass.
type jsonReader struct {
	raw    []byte
	tokens *json.Decoder
	line   int
	seen   int // bytes whose line ends are counted
}

func readJSON(raw []byte, take func(record) error) error {
	j := &jsonReader{raw: bytes.TrimPrefix(raw, []byte("\ufeff")), line: 1}
	j.tokens = json.NewDecoder(bytes.NewReader(j.raw))
	for _, want := range []json.Token{json.Delim('{'), "records", json.Delim('[')} {
		if err := j.expect(want); err != nil {
			return err
		}
	}
	for j.tokens.More() {
		r, err := j.record()
		if err != nil {
			return err
		}
		if err := take(r); err != nil {
			return err
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if err := j.expect(want); err != nil {
			return err
		}
	}
	if _, err := j.tokens.Token(); !errors.Is(err, io.EOF) {
		return j.bad("something stands after the tariff")
	}
	return nil
}

func (j *jsonReader) record() (record, error) {
	if err := j.expect(json.Delim('{')); err != nil {
		return record{}, err
	}
	r := record{line: j.here(), values: make(map[string]string, 8)}
	for j.tokens.More() {
		key, err := j.text()
		if err != nil {
			return record{}, err
		}
		if _, twice := r.values[key]; twice || !slices.Contains(columns, key) {
			return record{}, j.bad("a key that stands twice or does not belong here")
		}
		if r.values[key], err = j.text(); err != nil {
			return record{}, err
		}
	}
	return r, j.expect(json.Delim('}'))
}

func (j *jsonReader) text() (string, error) {
	token, err := j.tokens.Token()
	if err != nil {
		return "", j.broken(err)
	}
	text, ok := token.(string)
	if !ok {
		return "", j.bad("all values are strings")
	}
	return text, nil
}

func (j *jsonReader) expect(want json.Token) error {
	token, err := j.tokens.Token()
	if err != nil {
		return j.broken(err)
	}
	if token != want {
		return j.bad("not a tariff: %v is not where it belongs", want)
	}
	return nil
}

// here is the line that has been read to.
func (j *jsonReader) here() int {
	end := int(j.tokens.InputOffset())
	j.line += bytes.Count(j.raw[j.seen:end], []byte("\n"))
	j.seen = end
	return j.line
}

func (j *jsonReader) bad(format string, args ...any) error {
	return record{line: j.here()}.bad("record", format, args...)
}

func (j *jsonReader) broken(err error) error {
	return fault.Wrap(err, fault.TariffMalformed, record{line: j.here()}.at("record"), "read JSON")
}

//go:embed sample.csv
var sample []byte

// Sample is a small tariff of real shape for tests, the demo and the sandbox.
// Its rates, permits and grounds are illustrative: they are not the law.
func Sample() (*Tariff, error) { return Import(bytes.NewReader(sample)) }

// SampleFile is the file that Sample reads, to see how one is written.
func SampleFile() []byte { return bytes.Clone(sample) }

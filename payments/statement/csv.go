package statement

import (
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
)

// MappingBytesMax bounds a mapping's own file.
const MappingBytesMax = 64 << 10

// Mapping says what the columns of a CSV file are. Columns are named as the
// file's first record names them.
type Mapping struct {
	Delimiter string `yaml:"delimiter"` // one character; empty is ";"
	Encoding  string `yaml:"encoding"`  // empty is utf-8, or windows-1251 if the file is not that
	Date      string `yaml:"date"`      // layout as Go writes it; empty is 02.01.2006
	Decimal   string `yaml:"decimal"`   // "." or ","; empty is ","
	Grouping  string `yaml:"grouping"`  // what stands between thousands; empty is nothing
	Account   string `yaml:"account"`   // that all records are of, unless a column says it

	Columns map[string]string `yaml:"columns"` // what it is -> the column's name
}

// columns that a mapping may name; those that it must.
var (
	csvColumns  = []string{"account", "reference", "booking_day", "value_day", "amount", "debit", "credit", "currency", "identifier", "budget_code", "purpose_code", "revenue_office", "beneficiary", "payer", "payer_name", "payer_account", "end_to_end", "purpose"}
	csvRequired = []string{"booking_day"}
)

// ParseMapping reads a mapping in YAML. An unknown key is an error.
func ParseMapping(data []byte) (*Mapping, error) {
	if len(data) > MappingBytesMax {
		return nil, fault.New(fault.BadArgument, "", "a mapping of more than %d bytes", MappingBytesMax)
	}
	m := new(Mapping)
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	d.KnownFields(true)
	if err := d.Decode(m); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "read the mapping")
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mapping) check() error {
	bad := func(at, format string, args ...any) error {
		return fault.New(fault.BadArgument, at, format, args...)
	}
	m.Delimiter = orDefault(m.Delimiter, ";")
	m.Date = orDefault(m.Date, "02.01.2006")
	m.Decimal = orDefault(m.Decimal, ",")
	if r, size := utf8.DecodeRuneInString(m.Delimiter); size != len(m.Delimiter) || strings.ContainsRune("\"\r\n\uFFFD", r) {
		return bad("delimiter", "not one character")
	}
	if m.Decimal != "." && m.Decimal != "," || m.Grouping == m.Decimal {
		return bad("decimal", "neither a point nor a comma, or the same as grouping")
	}
	if _, err := htmlindex.Get(orDefault(m.Encoding, "utf-8")); err != nil {
		return bad("encoding", "an encoding that is not supported")
	}
	for _, name := range slices.Sorted(maps.Keys(m.Columns)) {
		if !slices.Contains(csvColumns, name) {
			return bad("columns/"+name, "no such column; there are %s", strings.Join(csvColumns, ", "))
		}
	}
	for _, name := range csvRequired {
		if m.Columns[name] == "" {
			return bad("columns/"+name, "the mapping does not name this column")
		}
	}
	if m.Columns["amount"] == "" && m.Columns["credit"] == "" {
		return bad("columns/amount", "the mapping names neither an amount nor a credit")
	}
	return nil
}

func orDefault(s, standard string) string {
	if s == "" {
		return standard
	}
	return s
}

// table reads the records of a CSV file by its mapping.
type table struct {
	*reader
	m      *Mapping
	places map[string]int
	width  int        // fields of the first record
	s      *Statement // of the account of the last record; nil before the first
}

func readCSV(r io.Reader, to *reader) error {
	m := to.options.Mapping
	decoder, err := m.decoder()
	if err != nil {
		return err
	}
	guard := &recordGuard{source: transform.NewReader(r, decoder), until: 2 * recordBytesMax}
	rows := csv.NewReader(guard)
	rows.Comma, _ = utf8.DecodeRuneInString(m.Delimiter)
	rows.ReuseRecord = true
	rows.FieldsPerRecord = -1 // one that has others than the head is a bad line
	t := &table{reader: to, m: m}
	for first := true; ; first = false {
		guard.until = rows.InputOffset() + 2*recordBytesMax
		offset := to.base + rows.InputOffset()
		row, err := rows.Read()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF) && first:
			return fault.New(fault.StatementMalformed, "", "no record")
		case errors.Is(err, io.EOF):
			if err := t.of(m.Account); err != nil {
				return err
			}
			return t.end(t.s)
		case errors.Is(err, encoding.ErrInvalidUTF8):
			return fault.New(fault.StatementMalformed, "", "not UTF-8 in the record at byte %d; the mapping may name another encoding", offset)
		case errors.As(err, &syntax) && syntax.StartLine == syntax.Line && !first:
			err = t.refuse(offset, "a quote out of place")
		case errors.As(err, &syntax): // other lines may be in it
			return fault.Wrap(err, fault.StatementMalformed, "", "read the record at byte %d", offset)
		case err != nil:
			return sourceError(err)
		case first:
			t.width = len(row)
			err = t.head(row)
		case len(row) != t.width:
			err = t.refuse(offset, "not as many fields as the first record has")
		default:
			err = t.row(row, offset)
		}
		if err != nil {
			return err
		}
	}
}

// decoder is what makes UTF-8 of the file.
func (m *Mapping) decoder() (transform.Transformer, error) {
	if m.Encoding == "" {
		return &guess{}, nil
	}
	set, err := htmlindex.Get(m.Encoding)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "encoding", "find the encoding")
	}
	if set == unicode.UTF8 {
		return encoding.UTF8Validator, nil // the set's own decoder replaces what is not UTF-8
	}
	return set.NewDecoder(), nil
}

// head finds the columns and begins the statement.
func (t *table) head(row []string) error {
	t.places = make(map[string]int)
	for what, name := range t.m.Columns {
		i := slices.IndexFunc(row, func(s string) bool { return strings.TrimSpace(strings.TrimPrefix(s, "\uFEFF")) == name })
		if i < 0 {
			return fault.New(fault.StatementMalformed, "", "no column %q for %s", name, what)
		}
		t.places[what] = i
	}
	return nil
}

// of makes the current statement that of an account; records of different
// accounts are of different statements. A record that names none is of the
// current one.
func (t *table) of(account string) error {
	if t.s != nil {
		if account == "" || account == t.s.Account {
			return nil
		}
		if err := t.end(t.s); err != nil {
			return err
		}
	}
	t.s = &Statement{Format: CSV, Account: account, Currency: money.Currency, LastPage: true}
	return t.begin(t.s)
}

// refuse hands on a record that cannot be read.
func (t *table) refuse(offset int64, why string) error {
	if err := t.of(""); err != nil {
		return err
	}
	return t.emit(t.s, &Entry{Index: t.s.Entries, Offset: offset}, fault.New(fault.StatementLineBad, "", "%s", why))
}

func (t *table) row(row []string, offset int64) error {
	cell := func(what string) string {
		i, ok := t.places[what]
		if !ok {
			return ""
		}
		return strings.Clone(strings.TrimSpace(row[i]))
	}
	if err := t.of(orDefault(cell("account"), t.m.Account)); err != nil {
		return err
	}
	e := &Entry{
		Index: t.s.Entries, Offset: offset, Reference: cell("reference"), Servicer: cell("reference"), Status: "BOOK",
		Amount: Amount{Currency: orDefault(cell("currency"), money.Currency)},
		Details: []Detail{{
			EndToEnd: cell("end_to_end"), PurposeCode: cell("purpose_code"), Text: []string{cell("purpose")},
			Debtor: Party{Name: cell("payer_name"), Account: cell("payer_account"), IDs: []Reference{{idScheme, cell("payer")}}},
		}},
	}
	d := &e.Details[0]
	if id := cell("beneficiary"); id != "" {
		d.Creditor.IDs = []Reference{{idScheme, id}}
	}
	for _, r := range []Reference{{identifierType, cell("identifier")}, {budgetCodeType, cell("budget_code")}, {officeType, cell("revenue_office")}} {
		if r.Value != "" {
			d.References = append(d.References, r)
		}
	}
	wrong := t.days(e, cell)
	if wrong == nil {
		wrong = t.amount(e, cell)
	}
	return t.emit(t.s, e, wrong)
}

func (t *table) days(e *Entry, cell func(string) string) error {
	day, err := time.Parse(t.m.Date, cell("booking_day"))
	if err != nil {
		return lineBad(errNoDate, "booking_day")
	}
	if e.BookingDay, err = isoDay(day.Format(time.DateOnly)); err != nil {
		return lineBad(err, "booking_day")
	}
	if value := cell("value_day"); value != "" {
		if day, err = time.Parse(t.m.Date, value); err != nil {
			return lineBad(errNoDate, "value_day")
		}
		e.ValueDay, err = isoDay(day.Format(time.DateOnly))
	}
	return err
}

// amount takes a signed amount, or what is credited less what is debited.
func (t *table) amount(e *Entry, cell func(string) string) error {
	found := false
	for _, column := range []struct {
		name  string
		debit bool
	}{{"amount", false}, {"credit", false}, {"debit", true}} {
		text := cell(column.name)
		if t.m.Grouping != "" {
			text = strings.ReplaceAll(text, t.m.Grouping, "")
		}
		if text == "" {
			continue
		}
		if found {
			return fault.New(fault.StatementLineBad, column.name, "both a debit and a credit")
		}
		found = true
		digits, negative := strings.CutPrefix(text, "-")
		value, err := parseAmount([]byte(digits), t.m.Decimal[0])
		if err != nil || digits == "" {
			return lineBad(errNoAmount, column.name)
		}
		if e.Amount.Value = value; negative != column.debit {
			e.Amount.Value = value.Neg()
		}
	}
	if !found {
		return lineBad(errNoAmount, "amount")
	}
	return nil
}

package statement

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// recordBytesMax bounds one record of a JSON or CSV file.
const recordBytesMax = 64 << 10

// receipt is a record of a personal account as the revenue service (КГД) shows
// it. It has two dates: the account was debited, the budget received.
type receipt struct {
	Number   string `json:"paymentDocumentNumber"`
	Payer    string `json:"bin"`
	Budget   string `json:"budgetClassificationCode"`
	Enrolled string `json:"dateOfBudgetEnrollment"`
	Debited  string `json:"dateOfAccountDebit"`
	Office   string `json:"ogdCode"`
	Amount   figure `json:"paymentAmount"`
	Kind     string `json:"paymentType"`
	Act      string `json:"transactionType"`
	Purpose  string `json:"paymentPurpose"`
}

// figure is an amount, written as a text or as a number.
type figure string

func (f *figure) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		*f = figure(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(f))
}

// recordGuard ends the reading of a record that is too long: encoding/json
// would keep all of it.
type recordGuard struct {
	source io.Reader
	read   int64
	until  int64
}

func (g *recordGuard) Read(p []byte) (int, error) {
	if g.read > g.until {
		return 0, fault.New(fault.StatementMalformed, "", "a record of more than %d bytes at byte %d", recordBytesMax, g.until-recordBytesMax)
	}
	n, err := g.source.Read(p[:min(len(p), recordBytesMax)])
	g.read += int64(n)
	return n, err
}

// readKGD reads an array of receipts. It names no account and no balances.
func readKGD(r io.Reader, to *reader) error {
	guard := &recordGuard{source: transform.NewReader(r, &guess{}), until: 2 * recordBytesMax}
	d := json.NewDecoder(guard)
	malformed := func(err error) error {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, encoding.ErrInvalidUTF8) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.Wrap(err, fault.StatementMalformed, "", "read the JSON at byte %d", to.base+d.InputOffset())
		}
		return sourceError(err)
	}
	if _, err := d.Token(); err != nil { // the bracket that sniff saw
		return malformed(err)
	}
	s := &Statement{Format: KGD, Currency: money.Currency, LastPage: true}
	if err := to.begin(s); err != nil {
		return err
	}
	for d.More() {
		guard.until = d.InputOffset() + 2*recordBytesMax
		var one receipt
		offset := d.InputOffset()
		var typed *json.UnmarshalTypeError
		err := d.Decode(&one)
		if err != nil && !errors.As(err, &typed) {
			return malformed(err)
		}
		e, wrong := one.entry()
		e.Index, e.Offset = s.Entries, to.base+offset
		if typed != nil {
			wrong = fault.New(fault.StatementLineBad, typed.Field, "a %s where a text is due", typed.Value)
		}
		if err := to.emit(s, e, wrong); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing bracket
		return malformed(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.StatementMalformed, "", "something stands after the array at byte %d", to.base+d.InputOffset())
	}
	return to.end(s)
}

func (r receipt) entry() (*Entry, error) {
	e := &Entry{
		Reference: r.Number, Servicer: r.Number, Status: "BOOK", Code: r.Act,
		Amount: Amount{Currency: money.Currency},
		Details: []Detail{{
			Debtor:     Party{IDs: []Reference{{idScheme, r.Payer}}},
			References: []Reference{{budgetCodeType, r.Budget}, {officeType, r.Office}},
			Text:       []string{r.Purpose},
		}},
	}
	var err error
	if e.BookingDay, err = dottedDay(r.Enrolled); err != nil {
		return e, lineBad(err, "dateOfBudgetEnrollment")
	}
	if r.Debited != "" {
		if e.ValueDay, err = dottedDay(r.Debited); err != nil {
			return e, lineBad(err, "dateOfAccountDebit")
		}
	}
	digits, negative := strings.CutPrefix(string(r.Amount), "-")
	if digits == "" {
		return e, lineBad(errNoAmount, "paymentAmount")
	}
	if e.Amount.Value, err = parseAmount([]byte(digits), '.'); err != nil {
		return e, lineBad(err, "paymentAmount")
	}
	if negative {
		e.Amount.Value = e.Amount.Value.Neg()
	}
	return e, nil
}

// dottedDay reads 05.11.2026.
func dottedDay(text string) (kz.Day, error) {
	t, err := time.Parse("02.01.2006", text)
	if err != nil {
		return kz.Day{}, errNoDate
	}
	return isoDay(t.Format(time.DateOnly))
}

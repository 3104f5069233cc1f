package statement

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/govalues/decimal"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/statement/internal/xmlpull"
)

// Limits of an ISO 20022 file.
const (
	fileBytesMax  = 8 << 30  // a day of seven million entries
	entryBytesMax = 16 << 20 // an entry is kept whole until its end; this one has ten thousand transactions
	textBytesMax  = 2 << 10  // the longest text of the schemas has 500 characters
	detailsMax    = 10_000   // transactions that one entry sums up
	blocksMax     = 100      // remittance blocks, references and identifications of one transaction
	balancesMax   = 200      // of one statement
	namespaceBase = "urn:iso:std:iso:20022:tech:xsd:"
)

// message is how one kind of ISO 20022 message names its parts.
type message struct {
	format    Format
	body      string      // the element of the message
	statement xmlpull.Tag // the element of each statement in it
}

var messages = []message{
	{CAMT053, "BkToCstmrStmt", tagStmt},
	{CAMT052, "BkToCstmrAcctRpt", tagRpt},
	{CAMT054, "BkToCstmrDbtCdtNtfctn", tagNtfctn},
}

// camt reads ISO 20022 statements, reports and notifications.
type camt struct {
	*reader
	x       *xmlpull.Scanner
	message message
	version string
	header  Statement // what the group header says; each statement begins as a copy
	began   bool      // the current statement was given to the sink
	found   int       // statements
	inEntry bool
	entry   Entry
	wrong   error // the first thing that spoils the current entry
}

// readCAMT reads the whole file.
func readCAMT(r io.Reader, to *reader) error {
	c := &camt{reader: to, x: xmlpull.New(r, to.base, camtVocabulary)}
	err := c.document()
	var broken *xmlpull.Error
	if err == nil || !errors.As(err, &broken) {
		return err
	}
	for _, ofText := range []error{
		xmlpull.ErrSyntax, xmlpull.ErrTruncated, xmlpull.ErrTooLong, xmlpull.ErrTooDeep, xmlpull.ErrDoctype, xmlpull.ErrEncoding,
	} {
		if errors.Is(err, ofText) {
			return fault.Wrap(err, fault.StatementMalformed, "", "read the XML")
		}
	}
	return sourceError(broken.Err)
}

func (c *camt) document() error {
	if _, err := c.x.Next(); err != nil { // the root's start: nothing else may come first
		return err
	}
	namespace := c.x.Namespace()
	if string(c.x.Name()) != "Document" || !c.identify(namespace) {
		return fault.New(fault.StatementVersion, "", "not a Document of camt.052, 053 or 054, version 01 to 13")
	}
	if err := c.children(c.body); err != nil {
		return err
	}
	if c.found == 0 {
		return fault.New(fault.StatementMalformed, "/"+c.message.body, "no statement")
	}
	// To the last byte: the file's digest is its name.
	if _, err := c.x.Next(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// identify takes the message and its version from the namespace.
func (c *camt) identify(namespace string) bool {
	name, ok := strings.CutPrefix(namespace, namespaceBase)
	for _, m := range messages {
		version, found := strings.CutPrefix(name, string(m.format)+".001.")
		if n, err := strconv.Atoi(version); ok && found && err == nil && len(version) == 2 && n >= 1 && n <= 13 {
			c.message, c.version = m, "001."+version
			return true
		}
	}
	return false
}

// children hands each child of the current element to field, which reads it to
// its end.
func (c *camt) children(field func(tag xmlpull.Tag) error) error {
	for {
		tag, found, err := c.x.Child()
		if err != nil {
			return err
		}
		if c.inEntry && c.x.Offset()-c.entry.Offset > entryBytesMax {
			return fault.New(fault.StatementMalformed, "/Ntry", "the entry at byte %d has more than %d bytes", c.entry.Offset, entryBytesMax)
		}
		if !found {
			return nil
		}
		if err := field(tag); err != nil {
			return err
		}
	}
}

// within hands the children of an element below the current one to field; what
// else stands beside is passed over.
func (c *camt) within(wanted xmlpull.Tag, field func(tag xmlpull.Tag) error) error {
	return c.children(func(tag xmlpull.Tag) error {
		if tag == wanted {
			return c.children(field)
		}
		return c.x.Skip()
	})
}

// value is the text of the current element.
func (c *camt) value() ([]byte, error) {
	v, err := c.x.Value()
	if err == nil && len(v) > textBytesMax {
		return nil, fault.New(fault.StatementMalformed, "", "a text of more than %d bytes at byte %d", textBytesMax, c.x.Offset())
	}
	return v, err
}

// into stores a text; of several the first is kept.
func (c *camt) into(target *string) error {
	v, err := c.value()
	if err == nil && *target == "" {
		*target = c.keep(v)
	}
	return err
}

// code stores a text of which a file repeats a few.
func (c *camt) code(target *string) error {
	v, err := c.value()
	if err == nil && *target == "" {
		*target = c.intern(v)
	}
	return err
}

func (c *camt) body(xmlpull.Tag) error {
	// Version 01 writes its number into the name.
	if trimmed, _ := bytes.CutSuffix(c.x.Name(), []byte("V01")); string(trimmed) != c.message.body {
		return c.x.Skip()
	}
	c.header = Statement{Format: c.message.format, Version: c.version, LastPage: true}
	return c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagGrpHdr:
			return c.children(func(tag xmlpull.Tag) error {
				switch tag {
				case tagMsgId:
					return c.into(&c.header.MessageID)
				case tagCreDtTm:
					return c.into(&c.header.Created)
				case tagMsgPgntn:
					return c.pagination(&c.header)
				}
				return c.x.Skip()
			})
		case c.message.statement:
			return c.statement()
		}
		return c.x.Skip()
	})
}

func (c *camt) pagination(s *Statement) error {
	return c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagPgNb:
			return c.into(&s.Page)
		case tagLastPgInd:
			v, err := c.value()
			s.LastPage = string(v) == "true" || string(v) == "1"
			return err
		}
		return c.x.Skip()
	})
}

func (c *camt) statement() error {
	c.found++
	s := c.header
	c.began = false
	s.Created = ""
	err := c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagId:
			return c.into(&s.ID)
		case tagElctrncSeqNb, tagLglSeqNb:
			return c.into(&s.Number)
		case tagStmtPgntn, tagRptPgntn, tagNtfctnPgntn:
			return c.pagination(&s)
		case tagCreDtTm:
			return c.into(&s.Created)
		case tagAcct:
			return c.account(&s)
		case tagBal:
			return c.balance(&s)
		case tagTxsSummry:
			return c.summary(&s)
		case tagNtry:
			if err := c.begin(&s); err != nil {
				return err
			}
			return c.readEntry(&s)
		}
		return c.x.Skip()
	})
	if err == nil {
		err = c.begin(&s)
	}
	if err != nil {
		return err
	}
	return c.end(&s)
}

// begin hands the head over before the first entry: the schemas put all of it
// there.
func (c *camt) begin(s *Statement) error {
	if c.began {
		return nil
	}
	c.began = true
	if s.Created == "" {
		s.Created = c.header.Created
	}
	return c.reader.begin(s)
}

func (c *camt) account(s *Statement) error {
	return c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagId:
			return c.accountID(&s.Account)
		case tagCcy:
			return c.into(&s.Currency)
		case tagOwnr:
			var owner Party
			err := c.party(&owner)
			s.Owner = owner.ID(idScheme)
			return err
		}
		return c.x.Skip()
	})
}

// accountID reads an AccountIdentification4Choice; IBAN comes first.
func (c *camt) accountID(target *string) error {
	return c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagIBAN, tagBBAN, tagUPIC:
			return c.into(target)
		case tagOthr, tagPrtryAcct:
			return c.children(func(tag xmlpull.Tag) error {
				if tag == tagId {
					return c.into(target)
				}
				return c.x.Skip()
			})
		}
		return c.x.Skip()
	})
}

// amount reads an ActiveOrHistoricCurrencyAndAmount; problem says why it is
// none.
func (c *camt) amount() (a Amount, problem, err error) {
	currency, _ := c.x.Attribute("Ccy")
	a.Currency = c.intern(currency)
	v, err := c.value()
	if err == nil {
		a.Value, problem = parseAmount(v, '.')
	}
	return a, problem, err
}

// direct gives an amount the sign of its CdtDbtInd.
func (a Amount) direct(indicator string) (Amount, error) {
	switch indicator {
	case "CRDT":
		return a, nil
	case "DBIT":
		a.Value = a.Value.Neg()
		return a, nil
	}
	return a, fault.New(fault.StatementLineBad, "CdtDbtInd", "neither CRDT nor DBIT")
}

// date reads a DateAndDateTimeChoice; problem says why it is none.
func (c *camt) date() (day kz.Day, problem, err error) {
	problem = errNoDate
	err = c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagDt, tagDtTm:
			v, err := c.value()
			if err == nil && day.IsZero() {
				day, problem = c.day(v)
			}
			return err
		}
		return c.x.Skip()
	})
	return day, problem, err
}

var errNoDate = fault.New(fault.StatementLineBad, "", "no date")

// day reads an ISO date, or a date and time: with an offset it is an instant,
// without one the date as it stands. A date with an offset of its own is the
// date as it stands.
func (c *camt) day(v []byte) (kz.Day, error) {
	if string(v) == c.lastDay.text {
		return c.lastDay.day, nil
	}
	text := string(v)
	day, err := isoDay(text)
	if err == nil {
		c.lastDay.text, c.lastDay.day = text, day
	}
	return day, err
}

func isoDay(text string) (kz.Day, error) {
	if len(text) >= len(time.DateTime) && text[len(time.DateOnly)] == 'T' {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return kz.DayOf(t), nil
		}
		if _, err := time.Parse("2006-01-02T15:04:05", text); err != nil {
			return kz.Day{}, errNoDate
		}
		text = text[:len(time.DateOnly)]
	}
	if date, zone := text[:min(len(text), len(time.DateOnly))], text[min(len(text), len(time.DateOnly)):]; zone != "" {
		if _, err := time.Parse("Z07:00", zone); err != nil {
			return kz.Day{}, errNoDate
		}
		text = date
	}
	day, err := kz.ParseDay(text)
	if err != nil {
		return kz.Day{}, errNoDate
	}
	return day, nil
}

func (c *camt) balance(s *Statement) error {
	var b Balance
	var kind, subtype, indicator string
	var amountProblem, dayProblem error = errNoAmount, errNoDate
	err := c.children(func(tag xmlpull.Tag) (err error) {
		switch tag {
		case tagTp:
			return c.children(func(tag xmlpull.Tag) error {
				switch tag {
				case tagCdOrPrtry:
					return c.children(func(xmlpull.Tag) error { return c.code(&kind) })
				case tagSubTp:
					return c.children(func(xmlpull.Tag) error { return c.code(&subtype) })
				}
				return c.x.Skip()
			})
		case tagAmt:
			b.Amount, amountProblem, err = c.amount()
			return err
		case tagCdtDbtInd:
			return c.code(&indicator)
		case tagDt:
			b.Day, dayProblem, err = c.date()
			return err
		}
		return c.x.Skip()
	})
	if err != nil {
		return err
	}
	b.Kind = BalanceKind(kind)
	if subtype == "INTM" && (b.Kind == OpeningBooked || b.Kind == ClosingBooked) {
		b.Kind += "/ITBD"
	}
	b.Amount, err = b.Amount.direct(indicator)
	if problem := errors.Join(amountProblem, dayProblem, err); problem != nil {
		if b.Kind != OpeningBooked && b.Kind != ClosingBooked && b.Kind != PreviousClosing {
			return nil // nothing depends on it
		}
		return fault.Wrap(problem, fault.StatementMalformed, "/Bal", "read the balance %s", kind)
	}
	if _, twice := s.Balance(b.Kind); twice && (b.Kind == OpeningBooked || b.Kind == ClosingBooked) {
		return fault.New(fault.StatementMalformed, "/Bal", "the balance %s stands twice", kind)
	}
	if len(s.Balances) == balancesMax {
		return fault.New(fault.StatementMalformed, "/Bal", "more than %d balances", balancesMax)
	}
	s.Balances = append(s.Balances, b)
	return nil
}

func (c *camt) summary(s *Statement) error {
	return c.children(func(tag xmlpull.Tag) (err error) {
		switch tag {
		case tagTtlCdtNtries:
			s.Credits, err = c.totals()
			return err
		case tagTtlDbtNtries:
			s.Debits, err = c.totals()
			return err
		}
		return c.x.Skip()
	})
}

// totals are nil if the count or the sum is missing: both are optional.
func (c *camt) totals() (*Totals, error) {
	var count, sum string
	err := c.children(func(tag xmlpull.Tag) error {
		switch tag {
		case tagNbOfNtries:
			return c.into(&count)
		case tagSum:
			return c.into(&sum)
		}
		return c.x.Skip()
	})
	if err != nil || count == "" || sum == "" {
		return nil, err
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fault.New(fault.StatementMalformed, "/TxsSummry", "NbOfNtries is no number")
	}
	value, err := parseAmount([]byte(sum), '.')
	if err != nil {
		return nil, fault.Wrap(err, fault.StatementMalformed, "/TxsSummry", "read Sum")
	}
	return &Totals{n, value}, nil
}

var errNoAmount = fault.New(fault.StatementLineBad, "Amt", "not an amount like 1234.50")

// parseAmount reads an amount without a sign: at most 18 digits, with at most
// five behind the separator (ISO 20022, ActiveOrHistoricCurrencyAndAmount).
// SWIFT writes the separator always and may have nothing behind it.
func parseAmount(text []byte, separator byte) (decimal.Decimal, error) {
	const digitsMax, fractionMax = 18, 5
	text = bytes.TrimLeft(text, "0")
	var value int64
	scale, digits := -1, 0
	for _, b := range text {
		switch {
		case b == separator && scale < 0:
			scale = 0
			continue
		case b < '0' || b > '9' || digits == digitsMax || scale == fractionMax:
			return decimal.Decimal{}, errNoAmount
		}
		value = value*10 + int64(b-'0')
		digits++
		if scale >= 0 {
			scale++
		}
	}
	if scale == 0 && separator == '.' {
		return decimal.Decimal{}, errNoAmount
	}
	return decimal.New(value, max(scale, 0))
}

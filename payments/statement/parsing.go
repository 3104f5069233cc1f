package statement

import (
	"context"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// row is what goes into the temporary table: a line, or a bad one.
type row struct {
	line   Line
	code   fault.Code
	detail string
}

// part is one statement of the file, as it was read.
type part struct {
	format                Format
	message, id           string
	number, page          string
	lastPage              bool
	opening, closing      *money.Tiyn
	openingDay            *kz.Day
	closingDay            *kz.Day
	credits, debits       money.Tiyn
	entries, bad, foreign int
}

// parsing reads the file and sends its rows on.
type parsing struct {
	ctx     context.Context
	from    Source
	at      time.Time
	digest  hash.Hash
	batches chan []row

	pending []row
	scratch []Line
	stated  map[statedPart]bool
	order   int // statements seen, those of other accounts included
	parts   []part
	lines   int
	bad     int
	foreign bool // the current statement is of another account
}

func (p *parsing) parse() error {
	source := io.TeeReader(p.from.Reader, p.digest)
	err := Parse(source, p.from.Options, Sink{Begin: p.begin, Entry: p.entry, Bad: p.badEntry, End: p.end})
	if err != nil {
		return err
	}
	if len(p.parts) == 0 {
		return fault.New(fault.StatementAccount, "/Acct/Id", "no statement of the account %s", p.from.Account)
	}
	// The digest is of all bytes, those behind the last statement too.
	if _, err := io.Copy(io.Discard, source); err != nil {
		return err
	}
	return p.flush()
}

func (p *parsing) begin(s *Statement) error {
	if len(p.parts) == partsMax {
		return fault.New(fault.StatementMalformed, "", "more than %d statements", partsMax)
	}
	p.foreign = s.Account != "" && !isOf(s.Account, p.from.Account)
	return nil
}

func (p *parsing) entry(s *Statement, e *Entry) error {
	if p.foreign {
		return p.refuse(e.Index, e.Offset, e.BookingDay, fault.StatementAccount, "an entry of another account's statement")
	}
	lines, err := appendLines(p.scratch[:0], s, e)
	p.scratch = lines
	if err != nil {
		s.Bad++
		return p.refuse(e.Index, e.Offset, e.BookingDay, fault.StatementLineBad, explain(err))
	}
	for i := range lines {
		l := &lines[i]
		l.Position = p.position()
		l.Place = p.place(e.Index, e.Offset, i, len(e.Details))
		p.lines++
		if err := p.add(row{line: *l}); err != nil {
			return err
		}
	}
	return nil
}

func (p *parsing) badEntry(s *Statement, b BadEntry) error {
	code := b.Code
	if p.foreign {
		code = fault.StatementAccount
	}
	return p.refuse(b.Index, b.Offset, b.Day, code, b.Detail)
}

func (p *parsing) refuse(index int, offset int64, day kz.Day, code fault.Code, detail string) error {
	bad := row{line: Line{Position: p.position(), Place: p.place(index, offset, 0, 0), BookingDay: day}, code: code, detail: detail}
	p.bad++
	return p.add(bad)
}

func (p *parsing) position() int { return p.lines + p.bad }

// place of a line for people: the statement and the entry within the file, the
// transaction within the entry, the byte.
func (p *parsing) place(index int, offset int64, detail, of int) string {
	b := append(make([]byte, 0, 64), "/Stmt/"...)
	b = strconv.AppendInt(b, int64(p.order), 10)
	b = append(b, "/Ntry/"...)
	b = strconv.AppendInt(b, int64(index), 10)
	if of > 0 {
		b = append(b, "/TxDtls/"...)
		b = strconv.AppendInt(b, int64(detail), 10)
	}
	b = append(b, ", byte "...)
	return string(strconv.AppendInt(b, offset, 10))
}

func (p *parsing) end(s *Statement) error {
	p.order++
	if p.foreign {
		return nil
	}
	if err := s.Check(p.from.Account); err != nil {
		return err
	}
	one := part{
		format: s.Format, message: s.MessageID, id: s.ID, number: s.Number, page: s.Page, lastPage: s.LastPage,
		entries: s.Entries, bad: s.Bad,
	}
	for _, b := range []struct {
		get func() (Balance, bool)
		at  **money.Tiyn
		day **kz.Day
	}{{s.Opening, &one.opening, &one.openingDay}, {s.Closing, &one.closing, &one.closingDay}} {
		balance, ok := b.get()
		if !ok {
			continue
		}
		amount, err := balance.Amount.Tiyn()
		if err != nil {
			return fault.Wrap(err, fault.StatementMalformed, "/Bal", "read the balance %s", balance.Kind)
		}
		*b.at, *b.day = &amount, &balance.Day
	}
	var err error
	if one.credits, err = (Amount{s.ReadCredits.Sum, money.Currency}).Tiyn(); err != nil {
		return err
	}
	if one.debits, err = (Amount{s.ReadDebits.Sum, money.Currency}).Tiyn(); err != nil {
		return err
	}
	if err := p.follows(&one); err != nil {
		return err
	}
	p.parts = append(p.parts, one)
	return nil
}

// statedPart is what makes two statements of one file the same.
type statedPart struct {
	id, number, page     string
	opening, closing     money.Tiyn
	openingDay, closeDay kz.Day
	entries              int
}

// follows refuses a file in which a statement stands twice, or the pages of a
// statement are missing, out of order or do not continue one another. Whether
// a statement continues that of another file is not its matter: see gapsOf.
func (p *parsing) follows(s *part) error {
	for _, text := range []string{s.id, s.number, s.page, s.message} {
		if strings.IndexByte(text, 0) >= 0 {
			return fault.New(fault.StatementMalformed, "/Stmt", "a NUL character in its head")
		}
	}
	if s.opening == nil || s.closing == nil {
		return nil
	}
	stated := statedPart{s.id, s.number, s.page, *s.opening, *s.closing, *s.openingDay, *s.closingDay, s.entries}
	if p.stated[stated] && s.entries > 0 {
		return fault.New(fault.StatementPaged, "", "the statement %.35q stands twice in the file", s.id)
	}
	if p.stated == nil {
		p.stated = make(map[statedPart]bool)
	}
	p.stated[stated] = true
	if len(p.parts) == 0 || s.number == "" {
		return nil
	}
	before := &p.parts[len(p.parts)-1]
	last, lastErr := strconv.Atoi(before.page)
	page, err := strconv.Atoi(s.page)
	if before.number != s.number || before.closing == nil || lastErr != nil || err != nil {
		return nil
	}
	switch {
	case page == last+1 && *s.opening != *before.closing:
		return fault.New(fault.StatementBalance, "/Bal", "page %d of statement %.35q opens with %s, page %d closes with %s", page, s.number, s.opening, last, before.closing)
	case page > last+1:
		return fault.New(fault.StatementPaged, "", "of statement %.35q page %d follows page %d", s.number, page, last)
	case page < last && *s.closing == *before.opening && *s.closingDay == *before.closingDay:
		return fault.New(fault.StatementPaged, "", "of statement %.35q page %d stands behind page %d", s.number, page, last)
	}
	return nil
}

// lastDay is the day that bad lines without one of their own count to: that of
// the last closing balance or, where there is none, that of the import.
func (p *parsing) lastDay(at time.Time) kz.Day {
	for i := len(p.parts) - 1; i >= 0; i-- {
		if day := p.parts[i].closingDay; day != nil {
			return *day
		}
	}
	return kz.DayOf(at)
}

func (p *parsing) add(r row) error {
	if p.pending == nil {
		p.pending = make([]row, 0, batchLines)
	}
	p.pending = append(p.pending, r)
	if len(p.pending) < batchLines {
		return nil
	}
	return p.flush()
}

func (p *parsing) flush() error {
	if len(p.pending) == 0 {
		return nil
	}
	select {
	case p.batches <- p.pending:
		p.pending = nil
		if p.from.Options.Progress != nil {
			p.from.Options.Progress(Reading, p.position())
		}
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

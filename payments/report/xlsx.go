package report

import (
	"io"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

const (
	// xlsxRowsMax leaves room for the head and the totals in the rows of a sheet,
	// of which ECMA-376 programs have 1 048 576.
	xlsxRowsMax = 1_000_000
	// xlsxExactMax is beyond the fifteen digits that a spreadsheet keeps of a
	// number; an amount of more is written as text, to the tiyn.
	xlsxExactMax = 1_000_000_000_000_000 // tiyn
	// Rows before the first one of the table: the title, the period, none, and
	// the columns' titles.
	xlsxHeadRows = 4

	xlsxAmountFormat = "#,##0.00"
	xlsxDateFormat   = "yyyy-mm-dd"
	sheetNameMax     = 31 // characters
)

// xlsxWidths are the widths of columns, in characters.
var xlsxWidths = map[Kind]float64{Text: 24, Date: 12, Count: 12, Amount: 20}

// xlsxSheet writes a workbook of one sheet: title and period, the columns'
// titles, which stay in view, the rows with real numbers and dates, and the
// totals. The library keeps what is long in a temporary file.
type xlsxSheet struct {
	w        io.Writer
	file     *excelize.File
	stream   *excelize.StreamWriter
	columns  []Column
	language fault.Language
	styles   map[Kind]int
	totals   map[Kind]int
	next     int // row
	cells    []any
}

func newXLSX(w io.Writer) sheet { return &xlsxSheet{w: w} }

func (s *xlsxSheet) begin(r *Request) error {
	s.columns, s.language, s.file, s.next = r.Report.Columns, r.Language, excelize.NewFile(), 1
	s.cells = make([]any, len(s.columns))
	bold, err := s.style("", true)
	if err != nil {
		return err
	}
	s.styles, s.totals = map[Kind]int{}, map[Kind]int{}
	for kind, format := range map[Kind]string{Text: "@", Date: xlsxDateFormat, Count: "0", Amount: xlsxAmountFormat} {
		if s.styles[kind], err = s.style(format, false); err != nil {
			return err
		}
		if s.totals[kind], err = s.style(format, true); err != nil {
			return err
		}
	}
	if err := s.open(r); err != nil {
		return xlsxFailed(err)
	}
	head := make([]any, len(s.columns))
	for i, c := range s.columns {
		head[i] = excelize.Cell{StyleID: bold, Value: c.Title.In(r.Language)}
	}
	for _, line := range [][]any{{excelize.Cell{StyleID: bold, Value: r.Report.Title.In(r.Language)}}, {r.made()}, {}, head} {
		if err := s.line(line); err != nil {
			return err
		}
	}
	return nil
}

// open names the sheet and sets what a stream must be told before its rows.
func (s *xlsxSheet) open(r *Request) error {
	at := r.At.UTC().Format(time.RFC3339)
	title := r.Report.Title.In(r.Language)
	if err := s.file.SetDocProps(&excelize.DocProperties{Title: title, Creator: "Senim", Created: at, Modified: at, Language: string(r.Language)}); err != nil {
		return err
	}
	name := []rune(title)
	if len(name) > sheetNameMax {
		name = name[:sheetNameMax]
	}
	if err := s.file.SetSheetName(s.file.GetSheetName(0), string(name)); err != nil {
		return err
	}
	stream, err := s.file.NewStreamWriter(string(name))
	if err != nil {
		return err
	}
	s.stream = stream
	for i, c := range s.columns {
		if err := stream.SetColWidth(i+1, i+1, xlsxWidths[c.Kind]); err != nil {
			return err
		}
	}
	corner, err := excelize.CoordinatesToCellName(1, xlsxHeadRows+1)
	if err != nil {
		return err
	}
	return stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: xlsxHeadRows, TopLeftCell: corner, ActivePane: "bottomLeft"})
}

func (s *xlsxSheet) style(format string, bold bool) (int, error) {
	style := &excelize.Style{Font: &excelize.Font{Bold: bold}}
	if format != "" {
		style.CustomNumFmt = &format
	}
	id, err := s.file.NewStyle(style)
	return id, xlsxFailed(err)
}

func (s *xlsxSheet) row(cells []Cell) error {
	if s.next > xlsxHeadRows+xlsxRowsMax {
		return fault.New(fault.ReportTooLarge, "/format", "more than %d rows for a sheet", xlsxRowsMax)
	}
	for i, c := range s.columns {
		s.cells[i] = excelize.Cell{StyleID: s.styles[c.Kind], Value: s.value(c, cells[i])}
	}
	return s.line(s.cells)
}

// value is what a spreadsheet computes with. A text is stored as a text,
// whatever it begins with. The quotient of an amount of at most fifteen digits
// is written with the very digits of the amount; a spreadsheet has no other
// numbers than floating ones.
func (s *xlsxSheet) value(c Column, cell Cell) any {
	switch {
	case c.Kind == Text:
		return c.word(cell, s.language)
	case c.Kind == Date && cell.Day.IsZero():
		return nil
	case c.Kind == Date:
		return utcDay(cell.Day)
	case c.Kind == Count:
		return cell.Number
	case cell.Number > -xlsxExactMax && cell.Number < xlsxExactMax:
		return float64(cell.Number) / float64(money.Tenge)
	}
	return plain(c, cell)
}

// utcDay is the day's date with no time and no zone, as a spreadsheet has it.
func utcDay(d kz.Day) time.Time {
	year, month, day := d.Start().Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func (s *xlsxSheet) line(cells []any) error {
	name, err := excelize.CoordinatesToCellName(1, s.next)
	if err == nil {
		s.next++
		err = s.stream.SetRow(name, cells)
	}
	return xlsxFailed(err)
}

func (s *xlsxSheet) end(t *Totals) error {
	for i, c := range s.columns {
		s.cells[i] = nil
		if c.Summed {
			s.cells[i] = excelize.Cell{StyleID: s.totals[c.Kind], Value: s.value(c, t.Cells[i])}
		}
	}
	s.cells[0] = excelize.Cell{StyleID: s.totals[Text], Value: sayTotal.In(s.language)}
	if err := s.line(s.cells); err != nil {
		return err
	}
	if err := s.stream.Flush(); err != nil {
		return xlsxFailed(err)
	}
	_, err := s.file.WriteTo(s.w)
	return written(err)
}

// close removes the library's temporary file.
func (s *xlsxSheet) close() error {
	if s.file == nil {
		return nil
	}
	return xlsxFailed(s.file.Close())
}

func xlsxFailed(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(err, fault.OutputFailed, "", "make the workbook")
}

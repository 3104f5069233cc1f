package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/go-fonts/dejavu/dejavusanscondensed"
	"github.com/go-fonts/dejavu/dejavusanscondensedbold"
	"github.com/go-pdf/fpdf"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
)

// The page, A4 across, in millimetres and points.
const (
	pdfRowsMax = 20_000 // some six hundred pages: nobody reads more, and it is all in memory

	pdfFont       = "dejavu" // has the letters that Kazakh has beyond Russian
	pdfMargin     = 10.0
	pdfTitleSize  = 13.0
	pdfTextSize   = 8.0
	pdfTableSize  = 6.5
	pdfLineHeight = 3.2
	pdfPadding    = 0.6
	pdfFooter     = 8.0
	pdfLine       = 0.1
)

// pdfWidths are the widths of columns of these kinds; texts share out the rest.
var pdfWidths = map[Kind]float64{Date: 16, Count: 14, Amount: 22}

// pdfSheet writes a table on as many pages as it takes, with its columns' titles
// and the page's number on each. The same report is the same bytes: the times
// in the file are the report's.
type pdfSheet struct {
	w       io.Writer
	pdf     *fpdf.Fpdf
	request *Request
	columns []Column
	widths  []float64
	bottom  float64
	rows    int
}

func newPDF(w io.Writer) sheet { return &pdfSheet{w: w} }

func (s *pdfSheet) begin(r *Request) error {
	s.request, s.columns = r, r.Report.Columns
	s.pdf = fpdf.New("L", "mm", "A4", "")
	s.pdf.SetCatalogSort(true)
	s.pdf.SetCreationDate(r.At.UTC())
	s.pdf.SetModificationDate(r.At.UTC())
	s.pdf.SetProducer("Senim", true)
	s.pdf.SetTitle(r.Report.Title.In(r.Language), true)
	s.pdf.SetLang(string(r.Language))
	s.pdf.AddUTF8FontFromBytes(pdfFont, "", dejavusanscondensed.TTF)
	s.pdf.AddUTF8FontFromBytes(pdfFont, "B", dejavusanscondensedbold.TTF)
	s.pdf.SetMargins(pdfMargin, pdfMargin, pdfMargin)
	s.pdf.SetAutoPageBreak(false, 0)
	s.pdf.SetCellMargin(pdfPadding)
	s.pdf.SetLineWidth(pdfLine)
	s.pdf.AliasNbPages("{pages}")
	s.pdf.SetFooterFunc(s.foot)
	width, height := s.pdf.GetPageSize()
	s.bottom = height - pdfMargin - pdfFooter
	s.widths = widthsOf(s.columns, width-2*pdfMargin)
	s.page()
	return s.failed()
}

// widthsOf shares out the width of a page among columns.
func widthsOf(columns []Column, width float64) []float64 {
	widths := make([]float64, len(columns))
	texts, rest := 0, width
	for i, c := range columns {
		widths[i] = pdfWidths[c.Kind]
		rest -= widths[i]
		if c.Kind == Text {
			texts++
		}
	}
	for i, c := range columns {
		if c.Kind == Text {
			widths[i] = rest / float64(texts)
		}
	}
	return widths
}

// page begins a page with what stands above the table.
func (s *pdfSheet) page() {
	s.pdf.AddPage()
	s.pdf.SetFont(pdfFont, "B", pdfTitleSize)
	s.pdf.CellFormat(0, 2*pdfLineHeight, s.request.Report.Title.In(s.request.Language), "", 1, "L", false, 0, "")
	s.pdf.SetFont(pdfFont, "", pdfTextSize)
	s.pdf.CellFormat(0, 2*pdfLineHeight, s.request.made(), "", 1, "L", false, 0, "")
	titles := make([]string, len(s.columns))
	for i, c := range s.columns {
		titles[i] = c.Title.In(s.request.Language)
	}
	s.draw(titles, true)
}

func (s *pdfSheet) foot() {
	s.pdf.SetY(s.bottom + pdfPadding)
	s.pdf.SetFont(pdfFont, "", pdfTextSize)
	s.pdf.CellFormat(0, pdfFooter, fmt.Sprintf(sayPage.In(s.request.Language), s.pdf.PageNo()), "", 0, "R", false, 0, "")
}

func (s *pdfSheet) row(cells []Cell) error {
	if s.rows++; s.rows > pdfRowsMax {
		return fault.New(fault.ReportTooLarge, "/format", "more than %d rows for pages", pdfRowsMax)
	}
	texts := make([]string, len(s.columns))
	for i, c := range s.columns {
		texts[i] = s.text(c, cells[i])
	}
	s.place(texts, false)
	return s.failed()
}

// text is a cell as people read it.
func (s *pdfSheet) text(c Column, cell Cell) string {
	switch c.Kind {
	case Text:
		return c.word(cell, s.request.Language)
	case Amount:
		return strings.TrimSuffix(money.Tiyn(cell.Number).Display(), "\u00a0₸") // the head says tenge
	}
	return plain(c, cell)
}

// place draws a row on this page or, if it has no room, on the next.
func (s *pdfSheet) place(texts []string, bold bool) {
	_, height := s.split(texts, bold)
	if s.pdf.GetY()+height > s.bottom {
		s.page()
	}
	s.draw(texts, bold)
}

// split breaks each text into lines as wide as its column; nothing is cut off.
func (s *pdfSheet) split(texts []string, bold bool) (lines [][]string, height float64) {
	style := ""
	if bold {
		style = "B"
	}
	s.pdf.SetFont(pdfFont, style, pdfTableSize)
	most := 1
	lines = make([][]string, len(texts))
	for i, text := range texts {
		if text == "" {
			continue
		}
		lines[i] = s.pdf.SplitText(text, s.widths[i])
		most = max(most, len(lines[i]))
	}
	return lines, float64(most)*pdfLineHeight + 2*pdfPadding
}

// draw draws a row where the page stands: a box for each cell, with its lines.
func (s *pdfSheet) draw(texts []string, bold bool) {
	lines, height := s.split(texts, bold)
	x, y := pdfMargin, s.pdf.GetY()
	for i, c := range s.columns {
		align := "L"
		if c.Kind == Count || c.Kind == Amount {
			align = "R"
		}
		s.pdf.Rect(x, y, s.widths[i], height, "D")
		for n, line := range lines[i] {
			s.pdf.SetXY(x, y+pdfPadding+float64(n)*pdfLineHeight)
			s.pdf.CellFormat(s.widths[i], pdfLineHeight, line, "", 0, align, false, 0, "")
		}
		x += s.widths[i]
	}
	s.pdf.SetXY(pdfMargin, y+height)
}

func (s *pdfSheet) end(t *Totals) error {
	if t.Rows == 0 {
		s.pdf.SetFont(pdfFont, "", pdfTextSize)
		s.pdf.CellFormat(0, 2*pdfLineHeight, sayNone.In(s.request.Language), "", 1, "L", false, 0, "")
	}
	texts := make([]string, len(s.columns))
	for i, c := range s.columns {
		if c.Summed {
			texts[i] = s.text(c, t.Cells[i])
		}
	}
	texts[0] = sayTotal.In(s.request.Language)
	s.place(texts, true)
	if err := s.failed(); err != nil {
		return err
	}
	return written(s.pdf.Output(s.w))
}

func (s *pdfSheet) failed() error {
	if err := s.pdf.Error(); err != nil {
		return fault.Wrap(err, fault.OutputFailed, "", "make the pages")
	}
	return nil
}

func (s *pdfSheet) close() error { return nil }

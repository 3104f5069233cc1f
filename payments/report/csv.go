package report

import (
	"encoding/csv"
	"io"
	"strings"
)

// csvSheet writes RFC 4180 in UTF-8: a header of the columns' names, the rows,
// and a last row of totals. Amounts are tenge with a point and two digits.
type csvSheet struct {
	w       *csv.Writer
	columns []Column
	record  []string
}

// totalName begins the last row, where the first column has no total itself.
const totalName = "total"

func newCSV(w io.Writer) sheet { return &csvSheet{w: csv.NewWriter(w)} }

func (s *csvSheet) begin(r *Request) error {
	s.columns = r.Report.Columns
	s.record = make([]string, len(s.columns))
	for i, c := range s.columns {
		s.record[i] = c.Name
	}
	return written(s.w.Write(s.record))
}

func (s *csvSheet) row(cells []Cell) error {
	for i, c := range s.columns {
		s.record[i] = plain(c, cells[i])
		if c.Kind == Text {
			s.record[i] = inert(s.record[i])
		}
	}
	return written(s.w.Write(s.record))
}

func (s *csvSheet) end(t *Totals) error {
	for i, c := range s.columns {
		s.record[i] = ""
		if c.Summed {
			s.record[i] = plain(c, t.Cells[i])
		}
	}
	s.record[0] = totalName
	_ = s.w.Write(s.record) // Error has it
	s.w.Flush()
	return written(s.w.Error())
}

func (s *csvSheet) close() error { return nil }

// inert keeps spreadsheets from taking a text for a formula: what may begin one
// gets an apostrophe before it.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

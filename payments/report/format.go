package report

import (
	"io"
	"strconv"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
)

// Format of a written report.
type Format string

// The formats.
const (
	JSON Format = "json"
	CSV  Format = "csv"
)

// formats says of each format how it is written, what it is to HTTP, and
// whether it is for people's programs, not for a terminal.
var formats = map[Format]struct {
	sheet  func(io.Writer) sheet
	media  string
	binary bool
}{
	JSON: {newJSON, "application/json", false},
	CSV:  {newCSV, "text/csv; charset=utf-8", false},
}

// Formats lists every format.
func Formats() []Format { return []Format{JSON, CSV} }

// ParseFormat reads the name of a format; empty is JSON.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return JSON, nil
	}
	if _, known := formats[Format(name)]; !known {
		return "", fault.New(fault.ReportFormatUnknown, "/format", "%.20q is no format of reports", name)
	}
	return Format(name), nil
}

// MediaType of the format.
func (f Format) MediaType() string { return formats[f].media }

// Binary says that a terminal cannot show it.
func (f Format) Binary() bool { return formats[f].binary }

// FileName under which a report is kept: "received_2026-11-01_2026-11-21.csv".
func (r *Request) FileName() string {
	return r.Report.Name + "_" + r.Period.From.String() + "_" + r.Period.To.String() + "." + string(r.Format)
}

// plain writes a cell for a program: codes, dates by ISO 8601, tenge with a
// point and two digits.
func plain(c Column, cell Cell) string {
	switch c.Kind {
	case Text:
		return cell.Text
	case Date:
		return cell.Day.String()
	case Amount:
		return money.Tiyn(cell.Number).String()
	}
	return strconv.FormatInt(cell.Number, 10)
}

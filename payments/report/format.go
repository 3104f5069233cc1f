package report

import (
	"fmt"
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
	XLSX Format = "xlsx"
	PDF  Format = "pdf"
)

// formats says of each format how it is written, what it is to HTTP, and
// whether a terminal cannot show it.
var formats = map[Format]struct {
	sheet  func(io.Writer) sheet
	media  string
	binary bool
}{
	JSON: {newJSON, "application/json", false},
	CSV:  {newCSV, "text/csv; charset=utf-8", false},
	XLSX: {newXLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", true},
	PDF:  {newPDF, "application/pdf", true},
}

// Formats lists every format.
func Formats() []Format { return []Format{JSON, CSV, XLSX, PDF} }

// ParseFormat reads the name of a format; empty is JSON.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return JSON, nil
	}
	if _, known := formats[Format(name)]; !known {
		return "", fault.New(fault.ReportFormatUnknown, "/format", "%.20q is none of %s", name, Formats())
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

// word is what people read for a text cell.
func (c Column) word(cell Cell, l fault.Language) string {
	if c.words == nil || cell.Text == "" {
		return cell.Text
	}
	return c.words(cell.Text, l)
}

// What stands around the table in the formats for people.
var (
	sayTotal = Title{"Барлығы", "Итого", "Total"}
	sayMade  = Title{
		"Кезең: %s – %s. Жасалған уақыты: %s (Алматы). Сомалар теңгемен.",
		"Период: %s – %s. Составлено: %s (Алматы). Суммы в тенге.",
		"Period: %s – %s. Made: %s (Almaty). Amounts in tenge.",
	}
	sayPage = Title{"%d-бет, барлығы {pages}", "Страница %d из {pages}", "Page %d of {pages}"}
	sayNone = Title{"Бұл кезеңде жолдар жоқ.", "За этот период строк нет.", "No rows in this period."}
)

// made says what the report is of and when it was made, for people.
func (r *Request) made() string {
	at := r.At.In(r.Period.From.Start().Location()).Format("2006-01-02 15:04")
	return fmt.Sprintf(sayMade.In(r.Language), r.Period.From, r.Period.To, at)
}

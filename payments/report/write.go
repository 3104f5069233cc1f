package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/money"
)

// Request says which report is wanted, of what, and how.
type Request struct {
	Report   *Report        // required
	Period   Period         // required: Report.Period gives it
	Format   Format         // empty is JSON
	Language fault.Language // of titles, and of words in XLSX and PDF
	// At is the moment of the report: ages are counted to its day, and it stands
	// in the report. Past says that it is earlier than now, so that what is owed
	// follows from the history; Report.Moment gives it.
	At   time.Time
	Past bool
	// Calendar counts business days; nil knows no decreed ones.
	Calendar *kz.Calendar
	// Progress, if there is one, is told the number of rows now and then.
	Progress func(rows int)
}

// progressRows is how often Progress is told.
const progressRows = 1000

// sheet is a report being written in one format.
type sheet interface {
	begin(*Request) error
	row([]Cell) error
	end(*Totals) error
	close() error // frees what the sheet holds, however it ended
}

// Totals of a report: how many rows it has, and the sum of each summed column.
type Totals struct {
	Rows  int
	Cells []Cell // parallel to the columns; zero where there is no total
}

// add adds a row, or fails with fault.AmountOverflow.
func (t *Totals) add(columns []Column, row []Cell) error {
	for i, c := range columns {
		if !c.Summed {
			continue
		}
		sum, err := money.Tiyn(t.Cells[i].Number).Add(money.Tiyn(row[i].Number))
		if err != nil {
			return fmt.Errorf("add up %s: %w", c.Name, err)
		}
		t.Cells[i].Number = int64(sum)
	}
	t.Rows++
	return nil
}

// Write makes a report and returns its totals. What was written to w before an
// error is not a report.
func Write(ctx context.Context, q postgres.Querier, w io.Writer, r Request) (*Totals, error) {
	if err := r.Period.check(); err != nil {
		return nil, err
	}
	if r.Format == "" {
		r.Format = JSON
	}
	format, known := formats[r.Format]
	if !known {
		return nil, fault.New(fault.ReportFormatUnknown, "/format", "%.20q is no format of reports", string(r.Format))
	}
	if r.Calendar == nil {
		r.Calendar = &kz.Calendar{}
	}
	to := format.sheet(w)
	totals, err := r.write(ctx, q, to)
	if err = errors.Join(err, to.close()); err != nil {
		return nil, fmt.Errorf("write the report %s: %w", r.Report.Name, err)
	}
	return totals, nil
}

func (r *Request) write(ctx context.Context, q postgres.Querier, to sheet) (*Totals, error) {
	columns, query := r.Report.Columns, r.Report.query
	if r.Past {
		if err := checkHistory(ctx, q, r); err != nil {
			return nil, err
		}
		query = r.Report.past
	}
	rows, err := q.Query(ctx, query, r.Report.args(*r)...)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	defer rows.Close()
	totals := &Totals{Cells: make([]Cell, len(columns))}
	row := make([]Cell, len(columns))
	fields := fieldsOf(columns, row)
	if err := to.begin(r); err != nil {
		return nil, err
	}
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return nil, postgres.Classify(err)
		}
		if err := totals.add(columns, row); err != nil {
			return nil, err
		}
		if err := to.row(row); err != nil {
			return nil, err
		}
		if r.Progress != nil && totals.Rows%progressRows == 0 {
			r.Progress(totals.Rows)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, postgres.Classify(err)
	}
	return totals, to.end(totals)
}

// fieldsOf are where the columns of a row are scanned to.
func fieldsOf(columns []Column, row []Cell) []any {
	fields := make([]any, len(columns))
	for i, c := range columns {
		switch c.Kind {
		case Text:
			fields[i] = &row[i].Text
		case Date:
			fields[i] = &row[i].Day
		default:
			fields[i] = &row[i].Number
		}
	}
	return fields
}

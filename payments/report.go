package payments

import (
	"context"
	"io"

	"github.com/senim-kz/senim/payments/report"
)

// WriteReport writes a report as of r.At, if that is past, or else now, with the
// treasury's own calendar, and returns its totals. What was written before an
// error is no report.
func (t Treasury) WriteReport(ctx context.Context, w io.Writer, r report.Request) (*report.Totals, error) {
	r.Calendar = t.Calendar
	if !r.Past {
		r.At = t.Now()
	}
	return report.Write(ctx, t.Pool, w, r)
}

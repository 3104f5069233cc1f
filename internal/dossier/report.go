package dossier

import (
	"bytes"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/report"
)

// reportBytesMax bounds a report that is made in memory, to be answered whole
// or not at all.
const reportBytesMax = 32 << 20

// ReportRequest says which report is wanted; a zero field asks for the report's
// own.
type ReportRequest struct {
	Name     string
	From, To kz.Day
	AsOf     kz.Day // zero: as of now
	Format   string
	Language fault.Language
}

// Report is a report as it is handed over.
type Report struct {
	FileName  string
	MediaType string
	Body      []byte
}

// Report makes a report as of now or, of what is outstanding, as of an earlier
// day's end. Errors: report_unknown, report_period_invalid,
// report_format_unknown, report_history_missing, report_too_large.
func (s *Service) Report(ctx context.Context, caller access.Caller, r ReportRequest) (*Report, error) {
	kind, err := report.Find(r.Name)
	if err != nil {
		return nil, err
	}
	request := report.Request{Report: kind, Language: r.Language}
	if request.Format, err = report.ParseFormat(r.Format); err != nil {
		return nil, err
	}
	now := s.now()
	if request.At, err = kind.Moment(r.AsOf, now); err != nil {
		return nil, err
	}
	request.Past = request.At.Before(now)
	if request.Period, err = kind.Period(r.From, r.To, request.At); err != nil {
		return nil, err
	}
	body := bounded{max: reportBytesMax}
	if _, err := s.payments.Treasury().WriteReport(ctx, &body, request); err != nil {
		return nil, err
	}
	name := request.FileName()
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		return outbox.Audit(ctx, tx, outbox.AuditRecord{Actor: caller.ID, Action: "report", Object: name, Outcome: "done", At: s.now()})
	})
	if err != nil {
		return nil, err
	}
	return &Report{FileName: name, MediaType: request.Format.MediaType(), Body: body.kept.Bytes()}, nil
}

// bounded is a buffer that takes so many bytes.
type bounded struct {
	kept bytes.Buffer
	max  int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > b.max {
		return 0, fault.New(fault.ReportTooLarge, "", "more than %d bytes", b.max)
	}
	return b.kept.Write(p)
}

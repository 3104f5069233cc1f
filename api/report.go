package api

import (
	"context"
	"mime"
	"net/http"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/report"
)

// Reporting is what the handlers ask of reports: part of Dossier.
type Reporting interface {
	Report(ctx context.Context, caller access.Caller, r dossier.ReportRequest) (*dossier.Report, error)
}

func (r rawResponse) VisitGetReportResponse(w http.ResponseWriter) error { return r.write(w) }

func (h handlers) ListReports(ctx context.Context, r ListReportsRequestObject) (ListReportsResponseObject, error) {
	_, c := enter(ctx)
	language := c.reportLanguage((*string)(r.Params.Lang))
	return ListReports200JSONResponse{Reports: each(report.All(), func(kind *report.Report) ReportKind {
		return ReportKind{Name: kind.Name, Title: kind.Title.In(language), Columns: each(kind.Columns, func(c report.Column) ReportColumn {
			return ReportColumn{Name: c.Key(), Kind: ReportColumnKind(c.Kind), Title: c.Title.In(language)}
		})}
	})}, nil
}

func (h handlers) GetReport(ctx context.Context, r GetReportRequestObject) (GetReportResponseObject, error) {
	ctx, c := enter(ctx)
	asked := dossier.ReportRequest{Name: r.Name, Format: string(value(r.Params.Format)), Language: c.reportLanguage((*string)(r.Params.Lang))}
	var err error
	if asked.From, err = reportDay(r.Params.From, "/query/from"); err != nil {
		return nil, err
	}
	if asked.To, err = reportDay(r.Params.To, "/query/to"); err != nil {
		return nil, err
	}
	if asked.AsOf, err = reportDay(r.Params.AsOf, "/query/as_of"); err != nil {
		return nil, err
	}
	made, err := h.rooms.Dossier.Report(ctx, c.caller, asked)
	if err != nil {
		return nil, err
	}
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": made.FileName})
	return rawResponse{made.MediaType, map[string]string{"Content-Disposition": disposition, "Cache-Control": "no-store"}, made.Body}, nil
}

// reportLanguage is the one asked for, or else that of Accept-Language.
func (c *call) reportLanguage(asked *string) fault.Language {
	if asked == nil {
		return c.language
	}
	return fault.Language(*asked) // the contract knows three
}

// reportDay reads a day that may be left out.
func reportDay(text *string, at string) (day kz.Day, err error) {
	if text == nil {
		return day, nil
	}
	if day, err = kz.ParseDay(*text); err != nil {
		return day, fault.Wrap(err, fault.ParameterInvalid, at, "read the day")
	}
	return day, nil
}

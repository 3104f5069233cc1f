package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/payments/report"
)

// The rooms' part in reports: what reached them is noted as text.
func (r *rooms) Report(_ context.Context, c access.Caller, asked dossier.ReportRequest) (*dossier.Report, error) {
	format, err := report.ParseFormat(asked.Format)
	if err != nil {
		return nil, err
	}
	body := `{"name":"received","title":"Received","period":{"from":"2026-11-20","to":"2026-11-20"},"at":"2026-11-21T00:00:00Z","columns":[],"rows":[],"totals":{"rows":0}}`
	return &dossier.Report{FileName: "received." + string(format), MediaType: format.MediaType(), Body: []byte(body)},
		r.note(c, idempotency.Key{}, fmt.Append(nil, asked))
}

func TestReports(t *testing.T) {
	h := newHouse(t)
	for _, role := range []access.Role{access.TreasuryOperator, access.TreasuryController, access.Auditor, access.Support} {
		a := h.do(good(t, "getReport", h.client(clientOf(role), role)))
		a.want(200, "")
		if a.header.Get("Content-Disposition") != "attachment; filename=received.json" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", role, a.header)
		}
	}
	auditor := h.client(clientOf(access.Auditor), access.Auditor)
	for _, row := range []struct{ query, mediaType, reached string }{
		{"", "application/json", "{received    json en}"},
		{"?from=2026-11-01&to=2026-11-20&format=csv&lang=kk", "text/csv", "{received 2026-11-01 2026-11-20  csv kk}"},
		{"?format=xlsx&lang=ru", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "{received    xlsx ru}"},
		{"?format=pdf", "application/pdf", "{received    pdf en}"},
		{"?as_of=2026-11-19", "application/json", "{received   2026-11-19 json en}"},
	} {
		r := good(t, "getReport", auditor)
		r.path += row.query
		a := h.do(r)
		a.want(200, "")
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, row.mediaType) {
			t.Errorf("%s: %s", row.query, got)
		}
		if got := string(h.rooms.body); got != row.reached {
			t.Errorf("%s reached as %s", row.query, got)
		}
	}
	for _, row := range []struct {
		query string
		want  fault.Code
	}{
		{"?from=2026-02-30", fault.ParameterInvalid}, {"?to=tomorrow", fault.ParameterInvalid}, {"?as_of=now", fault.ParameterInvalid},
		{"?format=html", fault.ParameterInvalid}, {"?lang=de", fault.ParameterInvalid}, {"?day=2026-11-20", fault.ParameterInvalid},
	} {
		r := good(t, "getReport", auditor)
		r.path += row.query
		h.do(r).want(400, row.want)
	}
	a := h.do(good(t, "listReports", auditor))
	a.want(200, "")
	for _, kind := range report.All() {
		if !strings.Contains(string(a.body), `"name":"`+kind.Name+`"`) {
			t.Errorf("%s is not in %s", kind.Name, a.body)
		}
	}
}

package main

import (
	"net/http"
	"testing"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/report"
)

// reports are of what was done: every one in every format, and those of the day
// agree with its reconciliation and with the ledger.
func (w *world) reports(t *testing.T, day kz.Day, reconciled api.Reconciliation) {
	ask := func(path string) call { return call{path: "/v1/reports" + path, bearer: w.treasury.bearer} }
	known := answered[api.Reports](t, w.do(t, ask("?lang=kk")), http.StatusOK)
	if len(known.Reports) != len(report.All()) {
		t.Errorf("%+v", known)
	}
	for _, kind := range known.Reports {
		for _, format := range report.Formats() {
			r := w.do(t, ask("/"+kind.Name+"?format="+string(format)+"&lang=kk"))
			if got := r.header.Get("Content-Type"); r.status != http.StatusOK || got != format.MediaType() || len(r.body) == 0 {
				t.Errorf("%s as %s is answered with %d %s", kind.Name, format, r.status, got)
			}
		}
	}
	// What is posted on a day off belongs to a business day after it.
	last := day.AddDays(15)
	ofDay := "?from=" + day.String() + "&to=" + last.String()
	totals := func(name string) map[string]int64 {
		r := answered[struct {
			Totals map[string]int64 `json:"totals"`
		}](t, w.do(t, ask("/"+name+ofDay)), http.StatusOK)
		return r.Totals
	}
	if got := totals("reconciliation"); got["matched_tiyn"] != reconciled.MatchedTiyn || got["open_exceptions"] != int64(reconciled.ExceptionCount) {
		t.Errorf("%+v, the reconciliation has %d and %d", got, reconciled.MatchedTiyn, reconciled.ExceptionCount)
	}
	var credited, let int64
	check(t, w.service.pool.QueryRow(t.Context(), `
		SELECT coalesce(-sum(p.amount) FILTER (WHERE p.account LIKE 'budget:%'), 0)::bigint, coalesce(sum(p.amount) FILTER (WHERE p.account LIKE 'tolerance:%'), 0)::bigint
		  FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id WHERE e.day BETWEEN $1 AND $2`, day, last).Scan(&credited, &let))
	if got := totals("received"); got["credited_tiyn"] != credited || got["let_go_tiyn"] != let || credited == 0 {
		t.Errorf("%+v, the ledger has %d and %d", got, credited, let)
	}
	if a, b := totals("outstanding"), totals("ageing"); a["outstanding_tiyn"] != b["outstanding_tiyn"] {
		t.Errorf("%+v in detail, %+v by age", a, b)
	}
	w.refuses(t, ask("/profit"), http.StatusNotFound, fault.ReportUnknown)
	w.refuses(t, ask("/received?from="+day.AddDays(1).String()+"&to="+day.String()), http.StatusBadRequest, fault.ReportPeriodInvalid)
	w.refuses(t, call{path: "/v1/reports", bearer: w.window.bearer}, http.StatusForbidden, fault.RoleDenied)
}

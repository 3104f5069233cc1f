package control_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox/control"
)

const slow, lost control.FaultName = "slow", "lost"

func newFaults() *control.Faults[int] {
	return control.NewFaults(map[control.FaultName]int{slow: 1, lost: 2})
}

func TestStrike(t *testing.T) {
	f := newFaults()
	if got := f.Strike(1); got != control.None {
		t.Errorf("with no fault: %q", got)
	}
	if err := f.Set(control.Fault{Name: slow, Times: 2}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []control.FaultName{slow, slow, control.None} {
		if got := f.Strike(2); got != control.None {
			t.Errorf("elsewhere: %q", got)
		}
		if got := f.Strike(1); got != want {
			t.Errorf("time %d: %q, want %q", i+1, got, want)
		}
	}
	if err := f.Set(control.Fault{Name: lost}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // until it is changed
		if got := f.Strike(2); got != lost {
			t.Errorf("%q", got)
		}
	}
	for _, bad := range []control.Fault{{Name: "other"}, {Name: slow, Times: -1}, {Times: -1}} {
		if err := f.Set(bad); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if got := f.Strike(2); got != lost {
		t.Errorf("after what was refused: %q", got)
	}
}

func TestObey(t *testing.T) {
	f := newFaults()
	send := func(body string) int {
		w := httptest.NewRecorder()
		var next control.Fault
		control.Obey(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)), 64, &next, func() error { return f.Set(next) })
		return w.Code
	}
	for body, want := range map[string]int{
		`{"fault":"slow","times":1}`: http.StatusNoContent,
		`{"fault":"other"}`:          http.StatusBadRequest,
		`{"name":"slow"}`:            http.StatusBadRequest,
		`{`:                          http.StatusBadRequest,
		`{"fault":"` + strings.Repeat(" ", 64) + `"}`: http.StatusBadRequest,
	} {
		if got := send(body); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := strings.TrimSpace(w.Body.String()); got != `{"fault":"slow","times":1}` {
		t.Error(got)
	}
}

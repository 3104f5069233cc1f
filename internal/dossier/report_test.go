package dossier

import (
	"bytes"
	"testing"

	"github.com/senim-kz/senim/internal/fault"
)

// A report of many parts stays within its bound, and nothing of what is beyond
// is kept.
func TestReportIsBounded(t *testing.T) {
	b := bounded{max: 10}
	for range 2 {
		if n, err := b.Write([]byte("12345")); n != 5 || err != nil {
			t.Fatal(n, err)
		}
	}
	if n, err := b.Write([]byte("6")); n != 0 || !fault.Is(err, fault.ReportTooLarge) {
		t.Errorf("%d, %v", n, err)
	}
	if !bytes.Equal(b.kept.Bytes(), []byte("1234512345")) {
		t.Errorf("%q", b.kept.Bytes())
	}
}

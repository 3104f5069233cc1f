package bench

import (
	"errors"
	"testing"
	"time"
)

// TestRows runs every row once, briefly: the measurements mean nothing, but each
// side must do its work.
func TestRows(t *testing.T) {
	seen := 0
	err := Run(1, time.Millisecond, func(r Result) {
		if seen++; r.Ours <= 0 || r.Reference <= 0 || r.Ratio <= 0 {
			t.Errorf("%+v", r)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	peer, err := startPeer()
	if errors.Is(err, errNoPeer) {
		t.Skipf("only %d rows: %v", seen, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	peer.close()
	if seen < len(musts) {
		t.Errorf("%d rows", seen)
	}
	if err := Run(0, 0, nil); err == nil {
		t.Error("no rounds are accepted")
	}
}

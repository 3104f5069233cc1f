package bench

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// Result is a measured row. Ours and Reference are operations per CPU second, the
// medians of the rounds, and Ratio is the median of the rounds' ratios.
type Result struct {
	Row       string  `json:"row"`
	Against   string  `json:"against"`
	Ours      float64 `json:"ours"`
	Reference float64 `json:"reference"`
	Ratio     float64 `json:"ratio"`
	Must      float64 `json:"must,omitempty"` // the least ratio that is good enough
}

// Run measures every row, and reports each as it is done. slice is the CPU time of
// one measurement.
func Run(rounds int, slice time.Duration, report func(Result)) error {
	if rounds < 1 {
		return errors.New("at least one round is needed")
	}
	peer, err := startPeer()
	if err != nil && !errors.Is(err, errNoPeer) {
		return err
	}
	if peer != nil {
		defer peer.close()
	}
	rows, err := rows(peer)
	if err != nil {
		return err
	}
	for _, row := range rows {
		r, err := row.measure(rounds, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		report(r)
	}
	return nil
}

// measure alternates the two sides of a row.
func (row row) measure(rounds int, slice time.Duration) (Result, error) {
	if err := row.ours(1); err != nil { // makes the tables of the base point
		return Result{}, err
	}
	var ours, reference, ratios []float64
	for range rounds {
		a, err := rate(row.ours, slice)
		if err != nil {
			return Result{}, err
		}
		b, err := row.reference(slice)
		if err != nil {
			return Result{}, err
		}
		ours, reference, ratios = append(ours, a), append(reference, b), append(ratios, a/b)
	}
	return Result{row.name, row.against, median(ours), median(reference), median(ratios), row.must}, nil
}

// rate runs an operation for some CPU time and returns operations per second.
func rate(operation func(n int) error, slice time.Duration) (float64, error) {
	start, err := cpuTime()
	if err != nil {
		return 0, err
	}
	done := 0
	for batch := 1; ; batch = min(2*batch, 64) {
		if err := operation(batch); err != nil {
			return 0, err
		}
		done += batch
		now, err := cpuTime()
		if err != nil {
			return 0, err
		}
		if spent := now - start; spent >= slice {
			return float64(done) / spent.Seconds(), nil
		}
	}
}

// cpuTime is what the process has used, the collector's share with it.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// benchSide is one side of a row: it runs n operations and returns how long
// each took, and all together.
type benchSide func(ctx context.Context, n int) (each []time.Duration, total time.Duration, err error)

// alternate runs both sides by turns and changes, round by round, who goes
// first: whatever else the machine does slows both alike, and the ratio of a
// round hardly feels it.
func (b *bench) alternate(ctx context.Context, row benchRow, ours, reference benchSide) (benchResult, error) {
	r := benchResult{Row: row.name, Must: row.must}
	for _, side := range []benchSide{ours, reference} {
		if _, _, err := side(ctx, b.config.Warmup); err != nil {
			return r, err
		}
	}
	rates := map[bool][]float64{} // true is ours
	var latencies []time.Duration
	for round := range b.config.Rounds {
		for _, isOurs := range []bool{round%2 == 0, round%2 != 0} {
			side := reference
			if isOurs {
				side = ours
			}
			each, total, err := side(ctx, b.config.PerRound)
			if err != nil {
				return r, err
			}
			rates[isOurs] = append(rates[isOurs], float64(len(each))/total.Seconds())
			if isOurs {
				latencies = append(latencies, each...)
			}
		}
		if n := round + 1; n%max(1, b.config.Rounds/fullBench.Rounds) == 0 {
			b.tell("%s: round %d of %d: %.1f/s, reference %.1f/s", row.name, n, b.config.Rounds, rates[true][round], rates[false][round])
		}
	}
	var ratios []float64
	for i := range rates[true] {
		ratios = append(ratios, rates[true][i]/rates[false][i])
	}
	r.Ours, r.Reference, r.Ratio = median(rates[true]), median(rates[false]), median(ratios)
	slices.Sort(latencies)
	r.P50, r.P99 = quantile(latencies, 0.50), quantile(latencies, 0.99)
	return r, nil
}

// inParallel runs n operations by some callers at once, each its own share.
func inParallel(ctx context.Context, now func() time.Time, callers, n int, operation func(ctx context.Context, i int) error) ([]time.Duration, time.Duration, error) {
	each := make([]time.Duration, n)
	group, ctx := errgroup.WithContext(ctx)
	began := now()
	for caller := range callers {
		group.Go(func() error {
			for i := caller; i < n; i += callers {
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("stopped: %w", err)
				}
				start := now()
				if err := operation(ctx, i); err != nil {
					return err
				}
				each[i] = now().Sub(start)
			}
			return nil
		})
	}
	err := group.Wait()
	return each, now().Sub(began), err
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// quantile of sorted latencies in milliseconds: the least that at least the
// share q of them do not exceed.
func quantile(sorted []time.Duration, q float64) float64 {
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return float64(sorted[max(i, 0)].Microseconds()) / 1000
}

// Compare measures pki/gost against OpenSSL's gost-engine and, for scale, against
// the standard library, and prints the table of docs/performance.md.
//
// Ours and the peer alternate within each round, both by CPU time, and the ratio
// of a row is the median over the rounds: so a busy machine slows both alike. The
// peer is peer/peer.c, compiled on the way; without a compiler, OpenSSL's headers
// or the engine (Debian: gcc, libssl-dev, libengine-gost-openssl) its rows are
// left out. The row of the must is the pure Go build's with -tags purego.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 9, "alternating rounds")
	slice := flag.Duration("slice", 200*time.Millisecond, "CPU time of each measurement")
	asJSON := flag.Bool("json", false, "print JSON rows")
	flag.Parse()
	if err := run(*rounds, *slice, *asJSON); err != nil {
		log.Fatal(err)
	}
}

// result is a row as senim bench prints it. Ours and Reference are operations per
// CPU second, the medians; Ratio is the median of the rounds' ratios.
type result struct {
	Row       string  `json:"row"`
	Against   string  `json:"against"`
	Ours      float64 `json:"ours"`
	Reference float64 `json:"reference"`
	Ratio     float64 `json:"ratio"`
	Must      float64 `json:"must,omitempty"`
}

func run(rounds int, slice time.Duration, asJSON bool) error {
	peer, err := startPeer()
	if err != nil {
		log.Printf("no gost-engine: %v", err)
	} else {
		defer peer.close()
	}
	rows, err := rows(peer)
	if err != nil {
		return err
	}
	results := make([]result, 0, len(rows))
	for _, row := range rows {
		r, err := measure(row, rounds, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		if asJSON {
			if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
				return err
			}
		}
		results = append(results, r)
	}
	if !asJSON {
		print(results)
	}
	return nil
}

// measure alternates the two sides of a row.
func measure(row row, rounds int, slice time.Duration) (result, error) {
	row.ours(1) // tables of the base point
	var ours, reference, ratios []float64
	for range rounds {
		a, err := rate(row.ours, slice)
		if err != nil {
			return result{}, err
		}
		b, err := row.reference(slice)
		if err != nil {
			return result{}, err
		}
		ours, reference, ratios = append(ours, a), append(reference, b), append(ratios, a/b)
	}
	return result{row.name, row.against, median(ours), median(reference), median(ratios), row.must}, nil
}

// rate runs an operation for some CPU time and returns operations per second.
func rate(operation func(n int) error, slice time.Duration) (float64, error) {
	start := cpuTime()
	done := 0
	for batch := 1; ; batch = min(2*batch, 64) {
		if err := operation(batch); err != nil {
			return 0, err
		}
		done += batch
		if spent := cpuTime() - start; spent >= slice {
			return float64(done) / spent.Seconds(), nil
		}
	}
}

// cpuTime is what the process has used, the collector's share with it.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func print(results []result) {
	fmt.Printf("build: %s\n\n", build)
	fmt.Println("| operation | against | ours, per s | theirs, per s | ratio | must |")
	fmt.Println("|---|---|---:|---:|---:|---:|")
	for _, r := range results {
		must := ""
		if r.Must > 0 {
			must = fmt.Sprintf("%.2f", r.Must)
		}
		fmt.Printf("| %s | %s | %.0f | %.0f | %.2f | %s |\n", r.Row, r.Against, r.Ours, r.Reference, r.Ratio, must)
	}
}

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/senim-kz/senim/pki/gost/bench"
)

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 9, "alternating rounds")
	slice := flag.Duration("slice", 200*time.Millisecond, "CPU time of each measurement")
	asJSON := flag.Bool("json", false, "print JSON rows")
	flag.Parse()

	show := func(r bench.Result) {
		must := ""
		if r.Must > 0 {
			must = fmt.Sprintf("%.2f", r.Must)
		}
		fmt.Printf("| %s | %s | %.0f | %.0f | %.2f | %s |\n", r.Row, r.Against, r.Ours, r.Reference, r.Ratio, must)
	}
	if *asJSON {
		show = func(r bench.Result) { json.NewEncoder(os.Stdout).Encode(r) }
	} else {
		fmt.Printf("Build: %s.\n\n", bench.Build)
		fmt.Println("| operation | against | ours, per s | theirs, per s | ratio | must |")
		fmt.Println("|---|---|---:|---:|---:|---:|")
	}
	if err := bench.Run(*rounds, *slice, show); err != nil {
		log.Fatal(err)
	}
}

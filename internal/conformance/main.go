package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/senim-kz/senim/internal/fault"
)

func main() {
	var o options
	flag.StringVar(&o.data, "data", "../shared/data", "folder of the sets")
	flag.StringVar(&o.docs, "docs", "docs/conformance.md", "page that explains differences")
	flag.StringVar(&o.out, "out", "", "file that differences are listed in (default: a new one in the temporary folder)")
	flag.StringVar(&o.only, "only", "", "run this set alone")
	flag.BoolVar(&o.fetch, "fetch", false, "let BetterTLS export its suite where it is not among the data (go run)")
	flag.Parse()
	ok, err := run(o, os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(1)
	case !ok:
		os.Exit(1)
	}
}

// run runs the sets and reports whether all is as it must be.
func run(o options, w io.Writer) (bool, error) {
	explained, err := readExplanations(o.docs)
	if err != nil {
		return false, err
	}
	file, err := create(o.out)
	if err != nil {
		return false, err
	}
	defer file.Close()
	ran, bad := 0, 0
	for _, s := range sets {
		if o.only != "" && s.name != o.only {
			continue
		}
		outcomes, err := s.run(o)
		if errors.Is(err, errNotThere) {
			fmt.Fprintf(w, "%s not run: %v\n", s.name, err)
			continue
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		if s.name != ownTable || o.only != "" { // it is always there
			ran++
		}
		agree := 0
		for _, result := range outcomes {
			if result.reason == fault.Internal { // the case was not judged
				return false, fmt.Errorf("%s: %s: %s", s.name, result.id, result.detail)
			}
			if result.got == result.want {
				agree++
				continue
			}
			why, known := explained.find(s.name, result)
			if !known {
				bad++
				why = "NOT EXPLAINED"
			}
			fmt.Fprintf(file, "%s\t%s\twant %s\tgot %s\t%s\t%s\n", s.name, result.id, result.want, result.got, result.detail, why)
		}
		fmt.Fprintf(w, "%s %d/%d\n", s.name, agree, len(outcomes))
	}
	if ran == 0 {
		return false, fmt.Errorf("no set in %s", o.data)
	}
	fmt.Fprintf(w, "differences are listed in %s\n", file.Name())
	if bad > 0 {
		fmt.Fprintf(w, "%d differences are not explained in %s\n", bad, o.docs)
	}
	return bad == 0, file.Close()
}

func create(out string) (*os.File, error) {
	if out == "" {
		return os.CreateTemp("", "senim-conformance-*.txt")
	}
	return os.Create(out)
}

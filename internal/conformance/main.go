package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	data := flag.String("data", "../shared/data", "folder of the sets")
	docs := flag.String("docs", "docs/conformance.md", "page that explains differences")
	out := flag.String("out", "", "file that differences are listed in (default: a new one in the temporary folder)")
	only := flag.String("only", "", "run this set alone")
	flag.Parse()
	ok, err := run(*data, *docs, *out, *only, os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(1)
	case !ok:
		os.Exit(1)
	}
}

// run runs the sets and reports whether all is as it must be.
func run(data, docs, out, only string, w io.Writer) (bool, error) {
	explained, err := readExplanations(docs)
	if err != nil {
		return false, err
	}
	file, err := create(out)
	if err != nil {
		return false, err
	}
	defer file.Close()
	ran, bad := 0, 0
	for _, s := range sets {
		if only != "" && s.name != only {
			continue
		}
		outcomes, err := s.run(data)
		if os.IsNotExist(err) {
			fmt.Fprintf(w, "%s not there\n", s.name)
			continue
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		ran++
		agree := 0
		for _, o := range outcomes {
			if o.got == o.want {
				agree++
				continue
			}
			why, known := explained.find(s.name, o)
			if !known {
				bad++
				why = "NOT EXPLAINED"
			}
			fmt.Fprintf(file, "%s\t%s\twant %s\tgot %s\t%s\t%s\n", s.name, o.id, o.want, o.got, o.detail, why)
		}
		fmt.Fprintf(w, "%s %d/%d\n", s.name, agree, len(outcomes))
	}
	if ran == 0 {
		return false, fmt.Errorf("no set in %s", data)
	}
	fmt.Fprintf(w, "differences are listed in %s\n", file.Name())
	if bad > 0 {
		fmt.Fprintf(w, "%d differences are not explained in %s\n", bad, docs)
	}
	return bad == 0, file.Close()
}

func create(out string) (*os.File, error) {
	if out == "" {
		return os.CreateTemp("", "senim-conformance-*.txt")
	}
	return os.Create(out)
}

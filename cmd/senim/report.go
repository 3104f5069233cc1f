package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/report"
)

var (
	sayReporting  = text{"Есеп жасалуда", "Составляю отчёт", "Making the report"}
	sayReportRows = text{"%d жол", "строк %d", "%d rows"}
	sayReported   = text{"%s: %d жол", "%s: строк %d", "%s: %d rows"}
)

// reportFlags are what `senim report` is told beside the name.
type reportFlags struct {
	where                            place
	from, to, asOf, format, language string
	out                              outputFile
}

func (p *program) reportCommand() *cobra.Command {
	var f reportFlags
	c := &cobra.Command{
		Use:   "report NAME",
		Short: "Report what was owed, paid and agreed with the treasury",
		Long: `Writes a report of the days from --from to --to (Asia/Almaty, both included, at
most a year). What is not given is the report's own: yesterday, this half-year to
today or, for what is outstanding, a year to today. What is outstanding, and its
ageing, may be asked for as of the end of an earlier day (--as-of): it follows from
the ledger and the orders' history, and is refused where these do not tell it.

` + reportNames() + `
JSON has amounts in whole tiyn; CSV, XLSX and PDF in tenge. XLSX and PDF go to a
file (--out) or through a pipe, never to a terminal.

Exit 0 the report is written, whatever it says; 1 it is not; 64 wrong usage.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request, err := p.reportRequest(&f, args[0], c.Flags().Changed("out"))
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return p.writeReport(c.Context(), &f, *request)
		},
	}
	f.where.flags(c)
	flags := c.Flags()
	flags.StringVar(&f.from, "from", "", "first day, 2006-01-02")
	flags.StringVar(&f.to, "to", "", "last day, 2006-01-02")
	flags.StringVar(&f.asOf, "as-of", "", "day at whose end outstanding and ageing stand, 2006-01-02 (now if not given)")
	flags.StringVar(&f.format, "format", string(report.JSON), "json, csv, xlsx or pdf")
	flags.StringVar(&f.language, "lang", "", "kk, ru or en: of titles (the locale's if empty)")
	flags.StringVar(&f.out.path, "out", "", "file to write (standard output if not given)")
	flags.BoolVar(&f.out.overwrite, "force", false, "overwrite --out")
	return c
}

// reportNames lists the reports for --help.
func reportNames() string {
	var b strings.Builder
	for _, r := range report.All() {
		fmt.Fprintf(&b, "  %-16s%s\n", r.Name, r.Title.EN)
	}
	return b.String()
}

// reportRequest reads the command line: all that is wrong with it is said
// before anything is opened.
func (p *program) reportRequest(f *reportFlags, name string, toFile bool) (*report.Request, error) {
	r, err := report.Find(name)
	if err != nil {
		return nil, fmt.Errorf("%w; the reports are:\n%s", err, reportNames())
	}
	request := &report.Request{Report: r, Language: p.language}
	if request.Format, err = report.ParseFormat(f.format); err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	if f.language != "" {
		request.Language = fault.Language(f.language)
		if !slices.Contains(fault.Languages(), request.Language) {
			return nil, fault.New(fault.BadArgument, "--lang", "%.20q is not kk, ru or en", f.language)
		}
	}
	var named [3]kz.Day
	for i, flag := range []struct{ name, value string }{{"--from", f.from}, {"--to", f.to}, {"--as-of", f.asOf}} {
		if flag.value == "" {
			continue
		}
		if named[i], err = kz.ParseDay(flag.value); err != nil {
			return nil, fmt.Errorf("%s: %w", flag.name, err)
		}
	}
	now := p.now()
	if request.At, err = r.Moment(named[2], now); err != nil {
		return nil, err
	}
	request.Past = request.At.Before(now)
	if request.Period, err = r.Period(named[0], named[1], request.At); err != nil {
		return nil, err
	}
	if toFile {
		return request, f.out.check()
	}
	if request.Format.Binary() && isTerminal(p.stdout) {
		return nil, fault.New(fault.BadArgument, "--format", "a terminal cannot show %s: name a file with --out", request.Format)
	}
	return request, nil
}

func (p *program) writeReport(ctx context.Context, f *reportFlags, request report.Request) error {
	t, err := p.openTreasury(ctx, &f.where)
	if err != nil {
		return err
	}
	defer t.Pool.Close()
	var totals *report.Totals
	err = p.working(sayReporting, func(tell func(string)) error {
		request.Progress = func(rows int) { tell(fmt.Sprintf(sayReportRows.in(p.language), rows)) }
		fill := func(w io.Writer) (err error) {
			totals, err = t.WriteReport(ctx, w, request)
			return err
		}
		write := f.out.write
		if f.out.path == "" {
			write = func(fill func(io.Writer) error) error { return fill(p.stdout) }
		}
		if err := write(fill); err != nil {
			return err
		}
		return t.audit(ctx, "report", request.FileName(), "done")
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, sayReported.in(p.language)+"\n", request.FileName(), totals.Rows)
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// nucHosts are the hosts of NUC RK and of the root authority that a
// certificate's own addresses may lead to.
var nucHosts = []string{
	"pki.gov.kz", "ocsp.pki.gov.kz", "crl.pki.gov.kz", "crl1.pki.gov.kz", "tsp.pki.gov.kz",
	"root.gov.kz", "crl.root.gov.kz", "test.pki.gov.kz",
}

// Limits on what is read from files.
const (
	documentBytesMax = 96 << 20 // of a message in text form: 64 MiB in base64, and its line ends
	evidenceBytesMax = 64 << 20 // a CRL of NUC RK has 21 MB
	evidenceFilesMax = 4096     // in one folder
)

// verifyFlags are the flags of `senim verify`.
type verifyFlags struct {
	contents, digests             []string
	at, policy, factsOut, factsIn string
	anchors, certs, crls, ocsp    []string
	offline, json                 bool
	format, language, evidenceOut string
}

// The formats of a report.
const (
	formatText = "text"
	formatJSON = "json"
	formatXML  = "xml"
)

func (p *program) verifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify [flags] FILE… | verify --facts FILE",
		Short: "Validate every signature in a file by ETSI EN 319 102-1",
		Long: `Validates every signature in FILE by the process of ETSI EN 319 102-1. FILE may be of any size; - is the standard input.

Exit status: 0 all signatures TOTAL-PASSED, 1 any TOTAL-FAILED, 2 otherwise INDETERMINATE, 64 wrong usage, 65 FILE unreadable or without
a signature. Of several files the first of these that any of them has: 1, 65, 2, 0. Several are printed as one JSON object with a result
for each, or as one text after another.

Revocation information is fetched from NUC RK's hosts only, and from those in SENIM_TRUST_ALLOWED_HOSTS (host or host:port, separated by
commas).`,
		Args: func(_ *cobra.Command, args []string) error { return f.check(args) },
		RunE: func(c *cobra.Command, args []string) error { return p.verify(c.Context(), f, args) },
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.contents, "content", nil, "the document that a detached signature is over (with several FILEs, one for each, in their order)")
	flags.StringArrayVar(&f.digests, "content-digest", nil, "a digest of that document, NAME:HEX, where it is not at hand itself (repeatable)")
	flags.StringArrayVar(&f.anchors, "anchors", nil, "trust anchors instead of the trust folder (file or folder, repeatable)")
	flags.StringArrayVar(&f.certs, "certs", nil, "further certificates (file or folder, repeatable)")
	flags.StringArrayVar(&f.crls, "crls", nil, "CRLs (file or folder, repeatable)")
	flags.StringArrayVar(&f.ocsp, "ocsp", nil, "OCSP answers (file or folder, repeatable)")
	flags.StringVar(&f.at, "at", "", "judge at this time (RFC 3339) instead of now")
	flags.StringVar(&f.policy, "policy", verifier.DefaultPolicy, "validation policy: "+strings.Join(verifier.PolicyNames(), ", ")+", or a file")
	flags.BoolVar(&f.offline, "offline", false, "ask nobody for revocation information")
	flags.StringVar(&f.factsOut, "facts-out", "", "write the facts to this file")
	flags.StringVar(&f.factsIn, "facts", "", "judge saved facts instead of a document; never asks anybody")
	flags.StringVar(&f.evidenceOut, "evidence-out", "", "write the certificates, CRLs, OCSP answers and time-stamp tokens that the verdict rests on to this folder, each under its SHA-256")
	flags.StringVar(&f.format, "format", "", "text, json, or xml: a validation report of ETSI TS 119 102-2")
	flags.BoolVar(&f.json, "json", false, "the same as --format json")
	flags.StringVar(&f.language, "lang", "", "language of what people read: kk, ru or en (default: that of the environment)")
	return c
}

// check refuses flags that contradict each other, and settles the format.
func (f *verifyFlags) check(args []string) error {
	switch {
	case f.json && f.format != "" && f.format != formatJSON:
		return errors.New("--json and --format differ")
	case f.json:
		f.format = formatJSON
	case f.format == "":
		f.format = formatText
	case !slices.Contains([]string{formatText, formatJSON, formatXML}, f.format):
		return fmt.Errorf("--format %q is none of text, json, xml", f.format)
	}
	if f.language != "" && !slices.Contains([]string{"kk", "ru", "en"}, f.language) {
		return fmt.Errorf("--lang %q is none of kk, ru, en", f.language)
	}
	if f.factsIn != "" {
		return f.checkFacts(args)
	}
	return f.checkFiles(args)
}

func (f *verifyFlags) checkFacts(args []string) error {
	if len(args) != 0 {
		return errors.New("--facts takes no FILE")
	}
	if len(f.contents)+len(f.digests)+len(f.certs)+len(f.crls)+len(f.ocsp) > 0 || f.offline || f.factsOut != "" {
		return errors.New("--facts goes with --anchors, --at, --policy, --evidence-out, --format and --lang only")
	}
	return nil
}

func (f *verifyFlags) checkFiles(args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("a FILE is needed (see senim verify --help)")
	case len(f.contents) > 0 && len(f.digests) > 0:
		return errors.New("--content and --content-digest are two ways to say the same")
	case len(f.contents) > 0 && len(f.contents) != len(args):
		return fmt.Errorf("%d times --content for %d FILEs", len(f.contents), len(args))
	case len(args) == 1:
		return nil
	case len(f.digests) > 0 || f.factsOut != "":
		return errors.New("--content-digest and --facts-out are about one FILE")
	case f.format == formatXML:
		return errors.New("a validation report of TS 119 102-2 is about one FILE")
	case slices.Contains(args, standardInput):
		return errors.New("- goes with no other FILE")
	}
	return nil
}

// verify judges saved facts or files, and prints what it finds.
func (p *program) verify(ctx context.Context, f verifyFlags, args []string) error {
	if f.language != "" {
		p.language = fault.ParseLanguage(f.language)
	}
	c, err := p.newChecker(f)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer c.close()
	if f.factsIn != "" {
		found, err := readFacts(f.factsIn)
		if err != nil {
			return err
		}
		return c.one(found)
	}
	if len(args) > 1 {
		return c.several(ctx, args)
	}
	found, err := c.collect(ctx, args[0], 0)
	if err != nil {
		return err
	}
	return c.one(found)
}

// checker validates the files of one command line, by the same terms.
type checker struct {
	*program
	flags   verifyFlags
	at      time.Time
	policy  verifier.Policy
	anchors *trust.Store
	given   verifier.Input // what was given beside each document
	session verifier.Session
	client  *fetch.Client // nil offline
}

func (p *program) newChecker(f verifyFlags) (*checker, error) {
	c := &checker{program: p, flags: f, at: p.now().UTC()}
	var err error
	if f.at != "" {
		if c.at, err = time.Parse(time.RFC3339, f.at); err != nil {
			return nil, fault.New(fault.BadArgument, "--at", "%q is not an RFC 3339 time", f.at)
		}
	}
	if c.policy, err = verifier.PolicyByName(f.policy); err != nil {
		return nil, err
	}
	if c.anchors, err = p.anchors(f.anchors); err != nil {
		return nil, err
	}
	if f.factsIn != "" {
		return c, nil
	}
	c.given = verifier.Input{Anchors: c.anchors, Now: p.now, Spool: cms.DefaultSpool}
	if err := addEvidence(&c.given, f); err != nil {
		return nil, err
	}
	if c.given.ContentDigests, err = parseDigests(f.digests); err != nil || f.offline {
		return c, err
	}
	if c.client, err = p.outsideClient(); err != nil {
		return nil, err
	}
	c.given.Revocation = revocation.NewStore(revocation.StoreConfig{Fetcher: c.client, Now: p.now})
	return c, nil
}

func (c *checker) close() {
	if c.client != nil {
		c.client.Close()
	}
}

// one judges and prints one document. What is to be written to files is
// written first: a full disk must not be found out after a verdict.
func (c *checker) one(found *facts.Facts) error {
	report, err := c.judge(found)
	if err != nil {
		return err
	}
	if err := c.print(report); err != nil {
		return noVerdict(err)
	}
	return exiting(verdictExit(report))
}

func (c *checker) judge(found *facts.Facts) (*verifier.Report, error) {
	report := c.session.Judge(found, c.policy, c.anchors, c.at)
	if c.flags.factsOut != "" {
		if err := writeFacts(c.flags.factsOut, found); err != nil {
			return nil, &exitError{exitUsage, err}
		}
	}
	if c.flags.evidenceOut != "" {
		if err := writeEvidence(c.flags.evidenceOut, report.Evidence(found, c.anchors)); err != nil {
			return nil, &exitError{exitUsage, err}
		}
	}
	return report, nil
}

func (c *checker) print(report *verifier.Report) error {
	switch c.flags.format {
	case formatJSON:
		return report.In(c.language).WriteJSON(c.stdout)
	case formatXML:
		return report.WriteXML(c.stdout)
	}
	return report.WriteText(c.stdout, c.language)
}

// verdictExit is the exit code of a verdict. Only all signatures passed is 0.
func verdictExit(r *verifier.Report) int {
	switch r.Indication {
	case verifier.TotalPassed:
		return exitOK
	case verifier.TotalFailed:
		return exitFailed
	}
	return exitIndeterminate
}

// exiting ends the program with a code, and nothing more to say.
func exiting(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// exitIndeterminate is verify's own.
const exitIndeterminate = 2

// noVerdict is for failures that are nobody's input, an interruption among
// them: 1 would say that a signature is wrong.
func noVerdict(err error) error { return &exitError{exitIndeterminate, err} }

// anchors loads the named anchors or, if none are named, the trust folder,
// which need not exist: without anchors no path is found, and the verdict says
// so.
func (p *program) anchors(paths []string) (*trust.Store, error) {
	if len(paths) > 0 {
		return trust.Load(paths...)
	}
	folder := p.trustFolder()
	if _, err := os.Stat(folder); folder == "" || errors.Is(err, os.ErrNotExist) {
		return trust.Load()
	}
	return trust.Load(folder)
}

// trustFolder is $SENIM_TRUST, or senim/trust in the user's configuration.
func (p *program) trustFolder() string {
	if folder := environment(p.environ, "SENIM_TRUST"); folder != "" {
		return folder
	}
	if base := environment(p.environ, "XDG_CONFIG_HOME"); base != "" {
		return filepath.Join(base, "senim", "trust")
	}
	if home := environment(p.environ, "HOME"); home != "" {
		return filepath.Join(home, ".config", "senim", "trust")
	}
	return ""
}

// outsideClient may go to NUC's hosts and to those that the environment names
// as the service's configuration does. Only who names hosts may reach loopback
// and private addresses: the sandbox, the state's closed network.
func (p *program) outsideClient() (*fetch.Client, error) {
	hosts := slices.Clone(nucHosts)
	configured := environment(p.environ, "SENIM_TRUST_ALLOWED_HOSTS")
	if configured != "" {
		hosts = append(hosts, strings.Split(configured, ",")...)
	}
	return fetch.New(fetch.Config{AllowedHosts: hosts, AllowLoopback: configured != "", AllowPrivate: configured != ""})
}

// environment looks a variable up in what os.Environ gave.
func environment(environ []string, name string) string {
	for _, entry := range environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

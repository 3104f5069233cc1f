package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
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
	documentBytesMax = 96 << 20 // a 64 MiB message in base64, and its line ends
	evidenceBytesMax = 64 << 20 // a CRL of NUC RK has 21 MB
	evidenceFilesMax = 4096     // in one folder
)

// verifyFlags are the flags of `senim verify`.
type verifyFlags struct {
	content, at, policy, factsOut, factsIn string
	anchors, certs, crls, ocsp             []string
	offline, json                          bool
}

func (p *program) verifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify [flags] FILE | verify --facts FILE",
		Short: "Validate every signature in a file by ETSI EN 319 102-1",
		Long: `Validates every signature in FILE by the process of ETSI EN 319 102-1.

Exit status: 0 all signatures TOTAL-PASSED, 1 any TOTAL-FAILED, 2 otherwise
INDETERMINATE, 64 wrong usage, 65 FILE unreadable or without a signature.

Revocation information is fetched from NUC RK's hosts only, and from those in
SENIM_TRUST_ALLOWED_HOSTS (host or host:port, separated by commas).`,
		Args: func(_ *cobra.Command, args []string) error { return f.check(args) },
		RunE: func(c *cobra.Command, args []string) error { return p.verify(c.Context(), f, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.content, "content", "", "the document that a detached signature is over")
	flags.StringArrayVar(&f.anchors, "anchors", nil, "trust anchors instead of the trust folder (file or folder, repeatable)")
	flags.StringArrayVar(&f.certs, "certs", nil, "further certificates (file or folder, repeatable)")
	flags.StringArrayVar(&f.crls, "crls", nil, "CRLs (file or folder, repeatable)")
	flags.StringArrayVar(&f.ocsp, "ocsp", nil, "OCSP answers (file or folder, repeatable)")
	flags.StringVar(&f.at, "at", "", "judge at this time (RFC 3339) instead of now")
	flags.StringVar(&f.policy, "policy", verifier.DefaultPolicy, "validation policy")
	flags.BoolVar(&f.offline, "offline", false, "ask nobody for revocation information")
	flags.StringVar(&f.factsOut, "facts-out", "", "write the facts to this file")
	flags.StringVar(&f.factsIn, "facts", "", "judge saved facts instead of a document; never asks anybody")
	flags.BoolVar(&f.json, "json", false, "print the report as one JSON object")
	return c
}

// check refuses flags that contradict each other.
func (f *verifyFlags) check(args []string) error {
	if f.factsIn == "" {
		if len(args) != 1 {
			return errors.New("exactly one FILE is needed (see senim verify --help)")
		}
		return nil
	}
	if len(args) != 0 {
		return errors.New("--facts takes no FILE")
	}
	if f.content != "" || len(f.certs)+len(f.crls)+len(f.ocsp) > 0 || f.offline || f.factsOut != "" {
		return errors.New("--facts goes with --anchors, --at, --policy and --json only")
	}
	return nil
}

// verify collects or reads facts, judges them and prints the report.
func (p *program) verify(ctx context.Context, f verifyFlags, args []string) error {
	at, policy, anchors, err := p.verifyTerms(f)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	var found *facts.Facts
	if f.factsIn != "" {
		found, err = readFacts(f.factsIn)
	} else {
		found, err = p.collect(ctx, f, args[0], anchors)
	}
	if err != nil {
		return err
	}
	report := verifier.Judge(found, policy, anchors, at)
	if f.factsOut != "" {
		if err := writeFacts(f.factsOut, found); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	if f.json {
		err = report.In(p.language).WriteJSON(p.stdout)
	} else {
		err = report.WriteText(p.stdout, p.language)
	}
	if err != nil {
		return noVerdict(err)
	}
	return verdictExit(report)
}

// verdictExit is the exit code of a verdict. Only all signatures passed is 0.
func verdictExit(r *verifier.Report) error {
	switch r.Indication {
	case verifier.TotalPassed:
		return nil
	case verifier.TotalFailed:
		return &exitError{code: exitFailed}
	}
	return &exitError{code: exitIndeterminate}
}

// exitIndeterminate is verify's own.
const exitIndeterminate = 2

// noVerdict is for failures that are nobody's input, an interruption among
// them: 1 would say that a signature is wrong.
func noVerdict(err error) error { return &exitError{exitIndeterminate, err} }

// verifyTerms are the time, the policy and the anchors to judge by.
func (p *program) verifyTerms(f verifyFlags) (time.Time, verifier.Policy, *trust.Store, error) {
	at := p.now().UTC()
	if f.at != "" {
		parsed, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return at, verifier.Policy{}, nil, fault.New(fault.BadArgument, "--at", "%q is not an RFC 3339 time", f.at)
		}
		at = parsed.UTC()
	}
	policy, err := verifier.PolicyByName(f.policy)
	if err != nil {
		return at, policy, nil, err
	}
	anchors, err := p.anchors(f.anchors)
	return at, policy, anchors, err
}

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

// collect reads the document and what was given with it, and asks NUC RK's
// hosts for the rest.
func (p *program) collect(ctx context.Context, f verifyFlags, file string, anchors *trust.Store) (*facts.Facts, error) {
	in := verifier.Input{Name: filepath.Base(file), Anchors: anchors, Now: p.now}
	var err error
	if in.Data, err = readCapped(file, documentBytesMax); err != nil {
		return nil, &exitError{exitBadInput, err}
	}
	if f.content != "" {
		if in.Content, err = readCapped(f.content, documentBytesMax); err != nil {
			return nil, &exitError{exitBadInput, err}
		}
	}
	if err := addEvidence(&in, f); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	if !f.offline {
		client, err := p.outsideClient()
		if err != nil {
			return nil, noVerdict(err)
		}
		defer client.Close()
		in.Fetcher = client
	}
	found, err := verifier.Collect(ctx, in)
	switch {
	case fault.Is(err, fault.Cancelled):
		return nil, noVerdict(err)
	case err != nil:
		return nil, &exitError{exitBadInput, fmt.Errorf("read %s: %w", in.Name, err)}
	}
	return found, nil
}

// addEvidence reads the certificates and revocation information that were given
// beside the document.
func addEvidence(in *verifier.Input, f verifyFlags) error {
	var err error
	if in.Certificates, err = trust.LoadCertificates(f.certs...); err != nil {
		return err
	}
	if err := eachFile(f.crls, func(_ string, raw []byte) error {
		in.CRLs = append(in.CRLs, unwrapPEM(raw, "X509 CRL")...)
		return nil
	}); err != nil {
		return err
	}
	return eachFile(f.ocsp, func(_ string, raw []byte) error {
		in.OCSPs = append(in.OCSPs, unwrapPEM(raw, "OCSP RESPONSE")...)
		return nil
	})
}

// unwrapPEM gives the DER of every PEM block of a type, or the file itself if
// it is not PEM. Whether it is what it should be is found out when it is used.
func unwrapPEM(raw []byte, label string) [][]byte {
	var out [][]byte
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == label {
			out = append(out, block.Bytes)
		}
	}
	if len(out) == 0 {
		out = append(out, raw)
	}
	return out
}

// eachFile reads every file named, and every file in a folder named, in the
// order of their names.
func eachFile(paths []string, use func(path string, raw []byte) error) error {
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			entries, err := os.ReadDir(path)
			if err != nil {
				return fault.Wrap(err, fault.Unreadable, path, "read the folder")
			}
			if len(entries) > evidenceFilesMax {
				return fault.New(fault.InputTooBig, path, "more than %d files", evidenceFilesMax)
			}
			files = files[:0]
			for _, e := range entries {
				if !e.IsDir() {
					files = append(files, filepath.Join(path, e.Name()))
				}
			}
		}
		for _, file := range files {
			raw, err := readCapped(file, evidenceBytesMax)
			if err != nil {
				return err
			}
			if err := use(file, raw); err != nil {
				return fmt.Errorf("read %s: %w", file, err)
			}
		}
	}
	return nil
}

// readCapped reads a file of at most max bytes; a longer one is refused without
// being read to its end.
func readCapped(path string, max int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unreadable, path, "open")
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > max {
		return nil, fault.New(fault.InputTooBig, path, "%d bytes, at most %d are read", info.Size(), max)
	}
	raw, err := io.ReadAll(io.LimitReader(file, max+1)) // a pipe has no size
	switch {
	case err != nil:
		return nil, fault.Wrap(err, fault.Unreadable, path, "read")
	case int64(len(raw)) > max:
		return nil, fault.New(fault.InputTooBig, path, "more than %d bytes", max)
	case raw == nil:
		raw = []byte{}
	}
	return raw, nil
}

func readFacts(path string) (*facts.Facts, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &exitError{exitBadInput, fault.Wrap(err, fault.Unreadable, path, "open the facts")}
	}
	defer file.Close()
	found, err := facts.Decode(file)
	if err != nil {
		return nil, &exitError{exitBadInput, err}
	}
	return found, nil
}

// writeFacts writes for the owner alone: facts hold the signer's personal data.
func writeFacts(path string, f *facts.Facts) error {
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		return fmt.Errorf("write facts: %w", err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return fault.Wrap(err, fault.Unreadable, path, "write the facts")
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// fileResult is what became of one of several files.
type fileResult struct {
	File   string            `json:"file"`
	Report *verifier.Report  `json:"report,omitempty"`
	Error  *verifier.Message `json:"error,omitempty"`
}

// several validates files one after another. One that cannot be read does not
// keep the others from their verdicts.
func (c *checker) several(ctx context.Context, files []string) error {
	results, codes := make([]fileResult, 0, len(files)), map[int]bool{}
	for i, file := range files {
		found, err := c.collect(ctx, file, i)
		var report *verifier.Report
		if err == nil {
			report, err = c.judge(found)
		}
		if err != nil && exitCode(err) != exitBadInput {
			return err // of ours, or of who interrupts
		}
		result := fileResult{File: filepath.Base(file), Report: report}
		if err != nil {
			c.complain(err)
			codes[exitBadInput] = true
			result.Error = messageOf(err, c.language)
		} else {
			codes[verdictExit(report)] = true
			result.Report = report.In(c.language)
		}
		if c.flags.format == formatText {
			if err := c.printNext(i, result); err != nil {
				return noVerdict(err)
			}
			continue // nothing is held of what was printed
		}
		results = append(results, result)
	}
	worst := worstOf(codes)
	if c.flags.format == formatJSON {
		if err := c.printResults(worst, results); err != nil {
			return noVerdict(err)
		}
	}
	return exiting(worst)
}

// worstOf is the exit code of several files.
func worstOf(codes map[int]bool) int {
	for _, code := range []int{exitFailed, exitBadInput, exitIndeterminate} {
		if codes[code] {
			return code
		}
	}
	return exitOK
}

func messageOf(err error, l fault.Language) *verifier.Message {
	e := fault.Of(err)
	if e == nil {
		return &verifier.Message{Code: fault.Internal, Message: fault.Internal.Message(l)}
	}
	return &verifier.Message{Code: e.Code, Message: e.Code.Message(l), At: e.At, Detail: e.Detail}
}

func (c *checker) printNext(i int, r fileResult) error {
	if i > 0 {
		fmt.Fprint(c.stdout, "\n\n")
	}
	if r.Report == nil {
		_, err := fmt.Fprintf(c.stdout, "%s: %s [%s]\n", r.File, r.Error.Message, r.Error.Code)
		return err
	}
	return r.Report.WriteText(c.stdout, c.language)
}

// printResults prints one JSON object about several files.
func (c *checker) printResults(worst int, results []fileResult) error {
	indication := verifier.Indeterminate
	switch worst {
	case exitOK:
		indication = verifier.TotalPassed
	case exitFailed:
		indication = verifier.TotalFailed
	}
	e := json.NewEncoder(c.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Indication verifier.Indication `json:"indication"`
		Results    []fileResult        `json:"results"`
	}{indication, results})
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

// evidenceNames end the names of the files that raw objects are written to.
var evidenceNames = map[string]string{"certificate": ".cer", "crl": ".crl", "ocsp": ".ors", "timestamp": ".tst"}

// writeEvidence writes raw objects into a folder, each under its SHA-256: the
// ID that the report gives it. They hold personal data, like facts.
func writeEvidence(folder string, objects []verifier.Object) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fault.Wrap(err, fault.Unreadable, folder, "make the folder")
	}
	for _, o := range objects {
		path := filepath.Join(folder, o.ID+evidenceNames[o.Kind])
		if err := os.WriteFile(path, o.Raw, 0o600); err != nil {
			return fault.Wrap(err, fault.Unreadable, path, "write evidence")
		}
	}
	return nil
}

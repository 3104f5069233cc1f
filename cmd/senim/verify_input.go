package main

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// standardInput is the FILE that stands for it.
const standardInput = "-"

// longGCPercent is how much the heap may grow while a long input passes.
const longGCPercent = 25

var readingText = text{"Файл оқылуда", "Файл читается", "Reading the file"}

// collect reads one document and, if it was given, its content, and asks NUC
// RK's hosts for what judging them needs besides.
func (c *checker) collect(ctx context.Context, file string, index int) (*facts.Facts, error) {
	in := c.given
	in.Name = filepath.Base(file)
	document, size, err := c.open(file)
	if err != nil {
		return nil, &exitError{exitBadInput, err}
	}
	defer document.Close()
	in.Document = document
	if len(c.flags.contents) > 0 {
		content, more, err := c.open(c.flags.contents[index])
		if err != nil {
			return nil, &exitError{exitBadInput, err}
		}
		defer content.Close()
		in.ContentFrom = content
		if size < 0 || more < 0 {
			size = -1
		} else {
			size += more
		}
	}
	var found *facts.Facts
	read := func(report func(string)) error {
		var told int64
		in.Progress = func(done, total int64) {
			if done>>20 == told {
				return
			}
			if told = done >> 20; total < 0 {
				report(fmt.Sprintf("%d MiB", told))
				return
			}
			report(fmt.Sprintf("%d / %d MiB", told, total>>20))
		}
		found, err = c.session.Collect(ctx, in)
		return err
	}
	if size >= 0 && size < longInput {
		err = read(func(string) {})
	} else {
		// What passes makes little garbage: collecting it early keeps the whole
		// within 64 MiB and costs nothing to speak of.
		defer debug.SetGCPercent(debug.SetGCPercent(longGCPercent))
		err = c.reading(size, read)
	}
	switch {
	case fault.Is(err, fault.Cancelled):
		return nil, noVerdict(err)
	case err != nil:
		return nil, &exitError{exitBadInput, fmt.Errorf("read %s: %w", in.Name, err)}
	}
	return found, nil
}

// pipeStep is after how many MiB of a pipe, whose length nobody knows, a word is
// due.
const pipeStep = 256

// reading tells how far a long reading is: of a file, from time to time; of a
// pipe, which may be short, with every step.
func (c *checker) reading(size int64, read func(func(string)) error) error {
	if size >= 0 {
		return c.working(readingText, read)
	}
	passed := 0
	return read(func(line string) {
		if passed++; passed%pipeStep == 0 {
			fmt.Fprintf(c.stderr, "%s … %s\n", readingText.in(c.language), line)
		}
	})
}

// open opens a file to be read as it is needed, and tells its size: -1 if nobody
// knows it. A folder has no bytes.
func (c *checker) open(path string) (io.ReadCloser, int64, error) {
	if path == standardInput {
		return io.NopCloser(c.stdin), -1, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.Unreadable, path, "open")
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fault.New(fault.Unreadable, path, "a folder")
	}
	if err != nil {
		file.Close()
		return nil, 0, fault.Wrap(err, fault.Unreadable, path, "open")
	}
	if !info.Mode().IsRegular() {
		return file, -1, nil
	}
	return file, info.Size(), nil
}

// parseDigests reads NAME:HEX, such as SHA-256:9f86….
func parseDigests(list []string) (map[*algo.Digest][]byte, error) {
	var out map[*algo.Digest][]byte
	for _, entry := range list {
		name, text, _ := strings.Cut(entry, ":")
		digest, err := algo.DigestByName(name)
		if err != nil {
			return nil, fault.Wrap(err, fault.BadArgument, "--content-digest", "no digest has this name")
		}
		value, err := hex.DecodeString(text)
		if err != nil || len(value) != digest.Size() {
			return nil, fault.New(fault.BadArgument, "--content-digest", "want %s: and %d bytes in hexadecimal", name, digest.Size())
		}
		if out == nil {
			out = map[*algo.Digest][]byte{}
		}
		out[digest] = value
	}
	return out, nil
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

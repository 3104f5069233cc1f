package main

import (
	"encoding/csv"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// set is one conformance set.
type set struct {
	name string
	run  func(options) ([]outcome, error) // fs.ErrNotExist: the set is not there
}

// options are where the sets and their explanations are.
type options struct {
	data, docs, out, only string
	fetch                 bool // sets that are not there may be fetched
}

var sets = []set{
	{"pkits", runPKITS},
	{"x509-limbo", runLimbo},
	{"openssl-verify", runOpenSSLVerify},
	{"boringssl-chains", runBoringSSLChains},
	{"openssl-ocsp", runOpenSSLOCSP},
	{"boringssl-ocsp", runBoringSSLOCSP},
	{"boringssl-crl", runBoringSSLCRL},
	{"bettertls", runBetterTLS},
}

// outcome is one case: what the set says and what came out. Words other than
// valid and invalid are those of the set.
type outcome struct {
	id, want, got, detail string
}

const (
	valid   = "valid"
	invalid = "invalid"
)

func verdict(err error) string {
	if err == nil {
		return valid
	}
	return invalid
}

func detail(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}

// accepts reports whether the outcome is an acceptance of what the set refuses.
func (o outcome) accepts() bool {
	good := func(word string) bool { return word == valid || word == "GOOD" }
	return good(o.got) && !good(o.want)
}

// explanation is a row of a table in docs/conformance.md: | set | cases |
// outcome | why |. Cases is a pattern of path.Match; outcome is "accepted" or
// "refused", so that no explanation of a refusal ever covers an acceptance.
type explanation struct{ set, cases, outcome, why string }

type explanations []explanation

func readExplanations(file string) (explanations, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out explanations
	for line := range strings.SplitSeq(string(data), "\n") {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		if cells[2] == "accepted" || cells[2] == "refused" {
			out = append(out, explanation{cells[0], cells[1], cells[2], cells[3]})
		}
	}
	return out, nil
}

func (list explanations) find(set string, o outcome) (why string, known bool) {
	kind := "refused"
	if o.accepts() {
		kind = "accepted"
	}
	for _, e := range list {
		if matched, err := path.Match(e.cases, strings.ReplaceAll(o.id, "/", "_")); err == nil && matched && e.set == set && e.outcome == kind {
			return e.why, true
		}
	}
	return "", false
}

// table reads a file of tab-separated values with a header line.
func table(file string) ([]map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	head, err := r.Read()
	if err != nil {
		return nil, err
	}
	var out []map[string]string
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		row := make(map[string]string)
		for i, v := range line {
			row[head[i]] = v
		}
		out = append(out, row)
	}
}

// block is a PEM block with the label it has in its file.
func blocks(data []byte) []*pem.Block {
	var out []*pem.Block
	for {
		b, rest := pem.Decode(data)
		if b == nil {
			return out
		}
		out, data = append(out, b), rest
	}
}

// readCertificates reads every certificate of a PEM or DER file that can be
// read; err is for the first that cannot.
func readCertificates(file string) (certs []*cert.Certificate, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list := blocks(data)
	if len(list) == 0 {
		list = []*pem.Block{{Type: "CERTIFICATE", Bytes: data}}
	}
	for _, b := range list {
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, parseErr := cert.Parse(b.Bytes)
		if parseErr != nil {
			err = fault.Wrap(parseErr, fault.CodeOf(parseErr), filepath.Base(file), "read a certificate")
			continue
		}
		certs = append(certs, c)
	}
	return certs, err
}

package main

import (
	"bytes"
	"encoding/csv"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// set is one conformance set.
type set struct {
	name string
	run  func(options) ([]outcome, error) // errNotThere: the set is not there
}

// errNotThere says that the list of a set's cases is not among the data. A file
// that such a list names must be.
var errNotThere = errors.New("the set is not there")

// index reads the file that lists a set's cases.
func index(elements ...string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(elements...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotThere
	}
	return data, err
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
	{ownTable, runRevocation},
	{"nuc-rk", runNUC},
	{"nuc-revocation", runNUCRevocation},
	{"wycheproof", runWycheproof},
	{"dss-crypto", runDSSCrypto},
	{"dss-indication", runDSSIndication},
	{"dss-security", runDSSSecurity},
	{"tsa", runTSA},
	{"cms", runCMS},
	{"engine", runEngine},
	{"mutants", runMutants},
	{"camt", runCAMT},
	{"mt940", runMT940},
}

// table reads a file of tab-separated values with a header line.
func table(file string) ([]map[string]string, error) {
	data, err := index(file)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(data))
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

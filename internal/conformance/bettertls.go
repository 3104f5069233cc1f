package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
)

// betterTLSProgram exports the suite; it comes through the Go module proxy.
const betterTLSProgram = "github.com/Netflix/bettertls/test-suites/cmd/bettertls@v0.0.0-20250909192348-e1e99e353074"

const exportTimeout = 30 * time.Minute // a minute, or ten on a machine that is busy

type betterTLSSuite struct {
	TrustRoot string
	Suites    map[string]struct {
		TestCases []struct {
			ID               int
			Certificates     []string // leaf first
			Hostname         string
			Expected         string
			FailureIsWarning bool
		}
	}
}

// runBetterTLS runs Netflix's suite from bettertls.json beside the other tables
// or, where that is not, from what its own program exports.
func runBetterTLS(o options) ([]outcome, error) {
	raw, err := index(o.data, "validation", "path", "bettertls.json")
	if errors.Is(err, errNotThere) && o.fetch {
		raw, err = exportBetterTLS()
	}
	if err != nil {
		return nil, err
	}
	var suite betterTLSSuite
	if err := json.Unmarshal(raw, &suite); err != nil {
		return nil, err
	}
	root, err := parseBase64(suite.TrustRoot)
	if err != nil {
		return nil, err
	}
	anchors, err := trust.New(root)
	if err != nil {
		return nil, err
	}
	policy, err := trust.CryptoPolicyByName("sha2")
	if err != nil {
		return nil, err
	}
	// The certificates are made when they are exported, valid from a day before;
	// those that are to have expired did so an hour before.
	at := root.NotBefore.Add(25 * time.Hour)
	var out []outcome
	for name, s := range suite.Suites {
		for _, tt := range s.TestCases {
			want := valid
			if tt.Expected != "ACCEPT" {
				want = invalid
			}
			r := path.Request{Anchors: anchors, At: at, Host: tt.Hostname, Purpose: mustOID("1.3.6.1.5.5.7.3.1")}
			r.Accept = func(p *path.Path) error { return policy.CheckPath(p.Certificates, r.At) }
			result := judged(name+"-"+strconv.Itoa(tt.ID), want, judgeBetterTLS(r, tt.Certificates))
			if tt.FailureIsWarning { // either will do
				result.got = result.want
			}
			out = append(out, result)
		}
	}
	return out, nil
}

func judgeBetterTLS(r path.Request, chain []string) error {
	for _, text := range chain {
		c, err := parseBase64(text)
		switch {
		case err != nil && r.Leaf == nil:
			return err
		case err != nil: // it helps no path
		case r.Leaf == nil:
			r.Leaf = c
		default:
			r.Intermediates = append(r.Intermediates, c)
		}
	}
	_, err := path.Build(r)
	return err
}

func parseBase64(text string) (*cert.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return cert.Parse(der)
}

// exportBetterTLS keeps the export in the user's cache: it takes a minute.
func exportBetterTLS() ([]byte, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(base, "senim", "bettertls.json")
	if raw, err := os.ReadFile(file); err == nil {
		return raw, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), exportTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "run", betterTLSProgram, "export-tests", "--out", file+".part")
	cmd.Dir = filepath.Dir(file) // outside this module
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: go run %s: %w", errNotThere, betterTLSProgram, err)
	}
	if err := os.Rename(file+".part", file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

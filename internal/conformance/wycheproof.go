package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// wycheproofElsewhere are the files of a folder of vectors that are about no
// signature algorithm of pki/algo: JSON formats, and Ed448, which the table
// lacks. Any other file must be run.
var wycheproofElsewhere = []string{"json_", "ed448_"}

// runWycheproof verifies Project Wycheproof's vectors of signatures. The set's
// index names the files and how many vectors each has.
func runWycheproof(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "wycheproof")
	raw, err := index(folder, "INDEX.tsv")
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(raw))
	r.Comma, r.FieldsPerRecord = '\t', -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		return nil, fmt.Errorf("read the index: %d lines, %w", len(rows), err)
	}
	var out []outcome
	for _, row := range rows[1:] {
		elsewhere := false
		for _, prefix := range wycheproofElsewhere {
			elsewhere = elsewhere || strings.HasPrefix(row[0], prefix)
		}
		if elsewhere {
			continue
		}
		outcomes, err := runWycheproofFile(filepath.Join(folder, row[0]+".gz"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row[0], err)
		}
		if len(row) > 2 && fmt.Sprint(len(outcomes)) != row[2] {
			return nil, fmt.Errorf("%s: %d vectors, the index says %s", row[0], len(outcomes), row[2])
		}
		out = append(out, outcomes...)
	}
	return out, nil
}

// wycheproofGroup are vectors of one key.
type wycheproofGroup struct {
	Type         string `json:"type"`
	SHA          string `json:"sha"`
	MGFSHA       string `json:"mgfSha"`
	SaltLength   int    `json:"sLen"`
	PublicKeyDER string `json:"publicKeyDer"`
	Tests        []struct {
		ID      int      `json:"tcId"`
		Comment string   `json:"comment"`
		Message string   `json:"msg"`
		Value   string   `json:"sig"`
		Result  string   `json:"result"`
		Flags   []string `json:"flags"`
	} `json:"tests"`
}

func runWycheproofFile(file string) ([]outcome, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	const sizeMax = 64 << 20 // the largest has 1 MB
	var content struct {
		TestGroups []wycheproofGroup `json:"testGroups"`
	}
	if err := json.NewDecoder(io.LimitReader(unpacked, sizeMax)).Decode(&content); err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(file), "_test.json.gz")
	var out []outcome
	for _, g := range content.TestGroups {
		outcomes, err := g.run(name)
		if err != nil {
			return nil, err
		}
		out = append(out, outcomes...)
	}
	return out, nil
}

func (g wycheproofGroup) run(name string) ([]outcome, error) {
	spki, err := hex.DecodeString(g.PublicKeyDER)
	if err != nil {
		return nil, err
	}
	pub, err := algo.ParsePublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	algorithm, err := g.algorithm(spki)
	if err != nil {
		return nil, err
	}
	verify := algorithm.VerifyMessage
	if g.Type == "EcdsaP1363Verify" { // r and s as in JWS
		verify = algorithm.VerifyRawMessage
	}
	out := make([]outcome, 0, len(g.Tests))
	for _, v := range g.Tests {
		message, err := hex.DecodeString(v.Message)
		value, err2 := hex.DecodeString(v.Value)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("vector %d: %w", v.ID, err)
		}
		result := judged(fmt.Sprintf("%s/%d", name, v.ID), v.Result, verify(pub, message, value), v.Flags...)
		switch v.Result {
		case valid, invalid:
		case "acceptable":
			result.want = result.got
		default:
			return nil, fmt.Errorf("vector %d: result %q", v.ID, v.Result)
		}
		out = append(out, result)
	}
	return out, nil
}

// algorithm finds the group's algorithm as a message of CMS would name it: by
// the key's identifier and a digest, or by RSASSA-PSS-params.
func (g wycheproofGroup) algorithm(spki []byte) (*algo.Signature, error) {
	info := cryptobyte.String(spki)
	var body cryptobyte.String
	info.ReadASN1(&body, cbasn1.SEQUENCE)
	id, ok := algo.ReadIdentifier(&body)
	if !ok {
		return nil, fault.New(fault.PublicKeyInvalid, "", "not a SubjectPublicKeyInfo")
	}
	if g.Type == "EddsaVerify" {
		return algo.SignatureByIdentifier(id, nil)
	}
	digest, err := algo.DigestByName(g.SHA)
	if err != nil {
		return nil, err
	}
	switch g.Type {
	case "EcdsaVerify", "EcdsaP1363Verify", "DsaVerify", "RsassaPkcs1Verify":
		return algo.SignatureByIdentifier(algo.Identifier{OID: id.OID}, digest)
	case "RsassaPssVerify", "RsassaPssWithParametersVerify":
		mask, err := algo.DigestByName(g.MGFSHA)
		if err != nil {
			return nil, err
		}
		return algo.PSSWith(digest, mask, g.SaltLength)
	}
	return nil, fmt.Errorf("unknown type %q", g.Type)
}

package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/tsp"
)

// rejection is a time-stamping authority's own refusal, read as one.
const rejection = "rejection"

// runTSA runs tokens, responses and requests. Rows that state no outcome, such
// as the evidence records of Bouncy Castle, are not scored.
func runTSA(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "tsa")
	rows, err := table(filepath.Join(folder, "tsa.tsv"))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		want := wantedOfTSA(row["expected"])
		if want == "" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(folder, row["file"]))
		if err != nil {
			return nil, err
		}
		err = judgeTSA(folder, row, raw)
		got := verdict(err)
		if fault.Is(err, fault.TSARefused) {
			got = rejection
		}
		out = append(out, saying(row["id"], want, got, err, row["expected"]))
	}
	return out, nil
}

// wantedOfTSA takes a row's expectation in words; "" if it states none.
func wantedOfTSA(expected string) string {
	switch {
	case strings.HasPrefix(expected, "rejection") || strings.Contains(expected, "= rejection"):
		return rejection
	case strings.HasPrefix(expected, "reject") || strings.HasPrefix(expected, "parse error"):
		return invalid
	case strings.HasPrefix(expected, "valid") || strings.HasPrefix(expected, "parse-ok"):
		return valid
	}
	return ""
}

func judgeTSA(folder string, row map[string]string, raw []byte) error {
	var token *tsp.Token
	var err error
	switch row["kind"] {
	case "request":
		_, err = tsp.ParseRequest(raw)
		return err
	case "hashed-message":
		_, err = (&tsp.Request{Digest: algo.SHA256, Imprint: raw}).Marshal()
		return err
	case "response":
		token, err = readReply(folder, row["expected"], raw)
	default:
		token, err = tsp.ParseToken(raw)
	}
	if err != nil || row["expected"] == "parse-ok" {
		return err
	}
	others, err := certificatesIn(folder, "*.pem")
	if err != nil {
		return err
	}
	if strings.HasPrefix(row["expected"], "parse-ok") {
		_, err := token.VerifySignature(others...)
		return err
	}
	return verifyToken(folder, row["trusted"], token, others)
}

// verifyToken verifies a token whole, with algorithms that are still good: the
// set's owners take nothing below SHA-256. No anchor is no path.
func verifyToken(folder, trusted string, token *tsp.Token, others []*cert.Certificate) error {
	var anchors []*cert.Certificate
	for name := range strings.SplitSeq(trusted, "|") {
		if name, _, _ = strings.Cut(strings.TrimSpace(name), " "); name == "" {
			continue
		}
		found, err := readCertificates(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		anchors = append(anchors, found...)
	}
	store, err := trust.New(anchors...)
	if err != nil {
		return err
	}
	signer, err := token.VerifySignature(others...)
	if err != nil {
		return err
	}
	if err := tsp.CheckAuthority(signer); err != nil {
		return err
	}
	policy, err := trust.CryptoPolicyByName("sha2")
	if err != nil {
		return err
	}
	if err := checkDigests(token, policy); err != nil {
		return err
	}
	_, err = path.Build(path.Request{
		Leaf: signer, Intermediates: append(token.Certificates(), others...), Anchors: store, At: token.Time,
		Accept: func(p *path.Path) error { return policy.CheckPath(p.Certificates, token.Time) },
	})
	return err
}

// checkDigests holds what a token is digested with against a policy. ESSCertID
// of version 1 is SHA-1 by definition.
func checkDigests(token *tsp.Token, policy *trust.CryptoPolicy) error {
	used := []algo.Identifier{token.ImprintAlgorithm, token.Signer.DigestAlgorithm}
	references, err := token.Signer.CertificateReferences()
	if err != nil {
		return err
	}
	for _, list := range references {
		if list[0].Version > 1 {
			used = append(used, list[0].DigestAlgorithm)
		}
	}
	for _, id := range used {
		digest, err := algo.DigestByIdentifier(id)
		if err != nil {
			return err
		}
		if !policy.AllowsDigest(digest, token.Time) {
			return fault.New(fault.AlgorithmForbidden, "", "policy %s: %s", policy.Name, digest.Name)
		}
	}
	return nil
}

// readReply reads a response, as the answer to the request that the expectation
// names if it does ("valid for all-zero.tsq").
func readReply(folder, expected string, raw []byte) (*tsp.Token, error) {
	for word := range strings.FieldsSeq(expected) {
		if !strings.HasSuffix(word, ".tsq") {
			continue
		}
		query, err := os.ReadFile(filepath.Join(folder, word))
		if err != nil {
			return nil, err
		}
		request, err := tsp.ParseRequest(query)
		if err != nil {
			return nil, err
		}
		return request.Accept(raw)
	}
	return tsp.ParseReply(raw)
}

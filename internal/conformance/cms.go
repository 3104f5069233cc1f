package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier"
)

// runCMS runs SignedData messages: by cryptography and the rules of RFC 5652
// alone, for the set has no anchors.
func runCMS(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "validation", "cms")
	rows, err := table(filepath.Join(folder, "cms.tsv"))
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, row := range rows {
		want := wantedOfCMS(row["expected"])
		if want == "" {
			continue
		}
		in, err := cmsInput(folder, row)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row["id"], err)
		}
		err = judgeCMS(in)
		out = append(out, judged(row["id"], want, err, row["what"]))
	}
	return out, nil
}

// cmsInput is the message of a row; RFC 4134 leaves some certificates out of
// its messages.
func cmsInput(folder string, row map[string]string) (verifier.Input, error) {
	in := verifier.Input{Name: row["file"]}
	var err error
	if in.Certificates, err = certificatesIn(filepath.Join(folder, "rfc4134"), "*.cer"); err != nil {
		return in, err
	}
	if in.Data, err = os.ReadFile(filepath.Join(folder, row["file"])); err != nil {
		return in, err
	}
	if row["detached"] != "" {
		if in.Content, err = os.ReadFile(filepath.Join(folder, row["detached"])); err != nil {
			return in, err
		}
	}
	if row["form"] == "SMIME" {
		in.Data, in.Content, err = unwrapSMIME(in.Data)
	}
	return in, err
}

// wantedOfCMS takes a row's expectation in words; "" if it states none. A bundle
// of certificates is no signature, and an algorithm that is not here verifies
// nothing.
func wantedOfCMS(expected string) string {
	for prefix, want := range map[string]string{
		"valid": valid, "signature valid": valid, "special": valid,
		"reject": invalid, "certs-only": invalid, "unsupported": invalid,
	} {
		if strings.HasPrefix(expected, prefix) {
			return want
		}
	}
	return ""
}

// judgeCMS makes sure that every signature of a message breaks no rule, the
// verdict on it or a warning, and holds.
func judgeCMS(in verifier.Input) error {
	found, err := verifier.Collect(context.Background(), in)
	if err != nil {
		return err
	}
	for _, s := range found.Signatures {
		for _, d := range slices.Concat(s.Defects, s.Findings) {
			return fault.New(d.Code, s.At+d.At, "%s", d.Detail)
		}
		if word := cryptographicWord(s); word != valid {
			code := fault.SignatureInvalid
			for _, c := range s.Candidates {
				if c.Code != "" {
					code = c.Code
				}
			}
			if len(s.Candidates) == 0 {
				code = fault.SignerCertificateMissing
			}
			return fault.New(code, s.At, "%s", word)
		}
	}
	return nil
}

// certificatesIn reads the certificates of a folder's files; those that are
// not there are none.
func certificatesIn(folder, pattern string) ([]*cert.Certificate, error) {
	files, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		return nil, err
	}
	var out []*cert.Certificate
	for _, file := range files {
		found, err := readCertificates(file)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// unwrapSMIME takes the message, and the content if it is detached, out of a
// mail (RFC 8551 §3.5). Content is signed with CRLF at the ends of lines.
func unwrapSMIME(raw []byte) (message, content []byte, err error) {
	mail, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, err
	}
	kind, parameters, err := mime.ParseMediaType(mail.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(mail.Body)
	if err != nil {
		return nil, nil, err
	}
	if kind != "multipart/signed" {
		message, err = base64.StdEncoding.DecodeString(string(bytes.TrimSpace(body)))
		return message, nil, err
	}
	content, err = firstPart(body, parameters["boundary"])
	if err != nil {
		return nil, nil, err
	}
	parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, nil, err
		}
		if !strings.Contains(part.Header.Get("Content-Type"), "pkcs7-signature") {
			continue
		}
		encoded, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		message, err = base64.StdEncoding.DecodeString(string(bytes.TrimSpace(encoded)))
		return message, content, err
	}
}

// firstPart is the signed part as it stands, its header included.
func firstPart(body []byte, boundary string) ([]byte, error) {
	text := bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	line := []byte("--" + boundary)
	_, rest, found := bytes.Cut(text, append(bytes.Clone(line), "\r\n"...))
	part, _, ended := bytes.Cut(rest, append([]byte("\r\n"), line...))
	if !found || !ended {
		return nil, errors.New("no part between boundaries")
	}
	return part, nil
}

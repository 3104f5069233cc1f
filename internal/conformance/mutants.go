package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

// specimen is a signed file that is valid, of which mutants are made.
type specimen struct {
	id string
	in verifier.Input
}

// runMutants changes the valid files of the other sets, where a signature
// protects them, and holds every mutant to be refused.
func runMutants(o options) ([]outcome, error) {
	specimens, err := collectSpecimens(o.data)
	if err != nil {
		return nil, err
	}
	var out []outcome
	for _, s := range specimens {
		if word, _ := wordOf(s.in); word != valid {
			continue
		}
		for _, m := range s.mutants() {
			word, err := wordOf(m.in)
			if word != valid {
				word = invalid
			}
			out = append(out, saying(s.id+" "+m.id, invalid, word, err, "mutant"))
		}
	}
	return out, nil
}

// wordOf reads a message and gives what cryptography says, and that a rule of
// the format is broken.
func wordOf(in verifier.Input) (string, error) {
	c := &dssCase{}
	c.facts, c.err = verifier.Collect(context.Background(), in)
	if c.err == nil {
		for _, s := range c.facts.Signatures {
			if len(s.Defects) > 0 {
				return "FORMAT_FAILURE", nil
			}
		}
	}
	return c.word(), c.err
}

func collectSpecimens(data string) ([]specimen, error) {
	var all []specimen
	for _, collect := range []func(string) ([]specimen, error){dssSpecimens, cmsSpecimens, gostSpecimens, nucSpecimens} {
		found, err := collect(data)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, os.ErrNotExist
	}
	return all, nil
}

func dssSpecimens(data string) ([]specimen, error) {
	folder := filepath.Join(data, "validation", "dss")
	rows, err := table(filepath.Join(folder, "manifest_cades.tsv"))
	if err != nil {
		return nil, err
	}
	var out []specimen
	for _, row := range rows {
		if row["use"] != "score" || row["crypto_expected"] != "VALID" {
			continue
		}
		in, err := dssInput(filepath.Join(folder, "files"), row)
		if err != nil {
			return nil, err
		}
		out = append(out, specimen{row["id"], in})
	}
	return out, nil
}

func cmsSpecimens(data string) ([]specimen, error) {
	folder := filepath.Join(data, "validation", "cms")
	rows, err := table(filepath.Join(folder, "cms.tsv"))
	if err != nil {
		return nil, err
	}
	var out []specimen
	for _, row := range rows {
		if row["expected"] != "valid" {
			continue
		}
		in, err := cmsInput(folder, row)
		if err != nil {
			return nil, err
		}
		out = append(out, specimen{row["id"], in})
	}
	return out, nil
}

func gostSpecimens(data string) ([]specimen, error) {
	folder := filepath.Join(data, "gost", "openssl-gost-engine")
	document, err := os.ReadFile(filepath.Join(folder, "document.txt"))
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "*.p7s"))
	if err != nil {
		return nil, err
	}
	return readSpecimens(folder, files, document)
}

func nucSpecimens(data string) ([]specimen, error) {
	folder := filepath.Join(data, "nuc-rk")
	files, err := filepath.Glob(filepath.Join(folder, "*", "cms", "*.der"))
	if err != nil {
		return nil, err
	}
	return readSpecimens(folder, files, []byte("test123")) // what SIGNED_DETACHED_CMS.der is over
}

// readSpecimens reads messages; those that are detached are over content.
func readSpecimens(folder string, files []string, content []byte) ([]specimen, error) {
	var out []specimen
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		in := verifier.Input{Name: filepath.Base(file), Data: raw}
		if strings.Contains(strings.ToLower(in.Name), "detached") {
			in.Content = content
		}
		name, err := filepath.Rel(folder, file)
		if err != nil {
			return nil, err
		}
		out = append(out, specimen{name, in})
	}
	return out, nil
}

// bitsPerPart is how many bits of each protected part are changed, one per
// mutant: the first and last of its bytes and some between.
const bitsPerPart = 5

// mutants changes single bits of the content, of each signer's attributes and
// value, and of the certificate that a signed reference names; and the message
// as a whole.
func (s specimen) mutants() []specimen {
	var out []specimen
	add := func(what string, in verifier.Input) { out = append(out, specimen{what, in}) }
	data := s.in.Data
	add("+ a byte", s.with(append(bytes.Clone(data), 1)))
	add("+ a zero", s.with(append(bytes.Clone(data), 0)))
	add("twice", s.with(append(bytes.Clone(data), data...)))
	add("truncated", s.with(data[:len(data)-1]))
	if s.in.Content != nil {
		in := s.in
		in.Content = flip(s.in.Content, 0)
		add("other content", in)
		in.Content = append(bytes.Clone(s.in.Content), ' ')
		add("longer content", in)
	}
	message, err := cms.Parse(data)
	if err != nil { // armoured: its inside is another specimen's
		return out
	}
	for _, p := range protected(message) {
		if len(p.bytes) == 0 || bytes.Count(data, p.bytes) != 1 { // in pieces, as BER may have it, or also where nothing protects it
			continue
		}
		from := bytes.Index(data, p.bytes)
		for n := range bitsPerPart {
			at := from + n*(len(p.bytes)-1)/(bitsPerPart-1)
			add(fmt.Sprintf("%s, bit %d of byte %d", p.name, n, at), s.with(flip(data, at*8+n)))
		}
	}
	return out
}

func (s specimen) with(data []byte) verifier.Input {
	in := s.in
	in.Data = data
	return in
}

func flip(data []byte, bit int) []byte {
	out := bytes.Clone(data)
	if len(out) == 0 {
		return []byte{0}
	}
	out[bit/8] ^= 1 << (bit % 8)
	return out
}

// part is a part of a message.
type part struct {
	name  string
	bytes []byte
}

// protected are the parts of a message that its signatures protect.
func protected(m *cms.Message) []part {
	var parts []part
	if !m.Detached {
		parts = append(parts, part{"content", m.Content})
	}
	for i, s := range m.Signers {
		if set := s.SignedAttributesAsSet(); len(set) > 2 {
			parts = append(parts, part{fmt.Sprintf("attributes of signer %d", i), set[2:]}) // without its tag, which is another when sent
		}
		parts = append(parts, part{fmt.Sprintf("value of signer %d", i), s.Signature})
	}
	return parts
}

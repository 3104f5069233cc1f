package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/senim-kz/senim/internal/fault"
)

// BytesMax bounds serialised facts: a few large CRLs in base64.
const BytesMax = 256 << 20

// Encode writes the facts as JSON. The same facts give the same bytes.
func (f *Facts) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(f)
}

// Decode reads facts that Encode wrote: of this version, with no key that is
// not known, each raw object under its own digest.
func Decode(r io.Reader) (*Facts, error) {
	raw, err := io.ReadAll(io.LimitReader(r, BytesMax+1))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unreadable, "", "read facts")
	}
	if len(raw) > BytesMax {
		return nil, fault.New(fault.InputTooBig, "", "facts of more than %d bytes", BytesMax)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var f Facts
	if err := d.Decode(&f); err != nil {
		return nil, fault.Wrap(err, fault.FactsUnreadable, "", "not facts")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.FactsUnreadable, "", "something follows the facts")
	}
	return &f, f.check()
}

// check refuses facts whose parts contradict each other.
func (f *Facts) check() error {
	if f.Version != Version {
		return fault.New(fault.FactsUnreadable, "/version", "%d, this program reads %d", f.Version, Version)
	}
	if len(f.Signatures) == 0 {
		return fault.New(fault.NoSignature, "/signatures", "none")
	}
	for _, c := range f.Certificates {
		if c.ID != Digest(c.Raw) {
			return fault.New(fault.FactsUnreadable, "/certificates", "%q is not the digest of its bytes", c.ID)
		}
	}
	for _, r := range f.Revocations {
		if r.ID != Digest(r.Raw) {
			return fault.New(fault.FactsUnreadable, "/revocations", "%q is not the digest of its bytes", r.ID)
		}
	}
	known := make(map[string]bool, len(f.Certificates))
	for _, c := range f.Certificates {
		known[c.ID] = true
	}
	return checkSignatures(f.Signatures, known, 0)
}

// nestingMax bounds signatures inside signatures: a counter-signature of a
// counter-signature with a time-stamp is three.
const nestingMax = 8

func checkSignatures(list []Signature, certificates map[string]bool, depth int) error {
	if depth == nestingMax {
		return fault.New(fault.FactsUnreadable, "/signatures", "nested more than %d deep", nestingMax)
	}
	for i := range list {
		s := &list[i]
		for _, references := range s.References {
			if len(references) == 0 {
				return fault.New(fault.FactsUnreadable, "/signatures", "%s has a reference attribute without references", s.ID)
			}
		}
		for _, c := range s.Candidates {
			if !certificates[c.Certificate] {
				return fault.New(fault.FactsUnreadable, "/signatures", "%s names a certificate that is not here", s.ID)
			}
		}
		if err := checkSignatures(s.CounterSignatures, certificates, depth+1); err != nil {
			return err
		}
		for _, t := range s.Timestamps {
			if t.Token == nil {
				continue
			}
			if err := checkSignatures([]Signature{*t.Token}, certificates, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

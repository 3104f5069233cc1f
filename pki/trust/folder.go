package trust

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Published are the addresses at which NUC RK and the root authority publish
// their certificates. Whatever comes from there counts only if it is pinned.
var Published = []string{
	"https://root.gov.kz/cert/root_gost_2022.cer",
	"https://root.gov.kz/cert/root_rsa_2020.cer",
	"https://root.gov.kz/cert/root_gost_2020.cer",
	"https://pki.gov.kz/cert/nca_rsa_2022.cer",
	"https://pki.gov.kz/cert/nca_gost_2022.cer",
	"https://pki.gov.kz/cert/nca_rsa.crt",
	"https://pki.gov.kz/cert/nca_gost.crt",
}

// PublishedMax bounds one of them in bytes.
const PublishedMax = 1 << 20

// Folder keeps what an operator trusts as files, one certificate each in DER.
type Folder struct{ Path string }

// Imported is a certificate that Import was given.
type Imported struct {
	Certificate *cert.Certificate
	File        string // where it is kept
	Forced      bool   // no pin recognises it: the operator alone vouches for it
	New         bool   // it was not there before
}

// forcedPrefix marks the files of certificates that no pin recognises.
const forcedPrefix = "forced-"

// certificates reads the folder; one that does not exist is empty.
func (f Folder) certificates() ([]*cert.Certificate, error) {
	if _, err := os.Stat(f.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return LoadCertificates(f.Path)
}

// Import is how certificates are taken in.
type Import struct {
	Force bool // also those that no pin recognises

	// Name, Profile and Terms are what the folder's AuthoritiesFile says of them
	// from now on; without any, what it says stays.
	Name    string
	Profile Profile
	Terms   TermsText
}

// Import adds certificates to the folder. Those that no pin recognises are
// refused (trust_not_pinned) unless forced. Nothing is written unless all can
// stay together: anchors of two environments cannot.
func (f Folder) Import(certs []*cert.Certificate, how Import) ([]Imported, error) {
	kept, err := f.certificates()
	if err != nil {
		return nil, err
	}
	authorities, err := readAuthorities(f.Path)
	if err != nil {
		return nil, err
	}
	entry := Authority{Name: how.Name, Profile: how.Profile, Text: how.Terms}
	described := how.Profile != "" || !how.Terms.IsZero()
	var list []Imported
	for _, c := range certs {
		name, pinned := PinnedName(c)
		if !pinned && !how.Force {
			return nil, fault.New(fault.TrustNotPinned, c.SerialHex(), "no pin recognises it: compare its fingerprint and force it")
		}
		fingerprint := c.Fingerprint()
		file := name + ".cer"
		if !pinned {
			file = forcedPrefix + hex.EncodeToString(fingerprint[:8]) + ".cer"
		}
		if described {
			if entry.Name = how.Name; entry.Name == "" {
				entry.Name = file
			}
			if err := entry.check(); err != nil {
				return nil, err
			}
			authorities = with(authorities, c, entry)
			authorities[len(authorities)-1].terms = entry.terms
		}
		list = append(list, Imported{
			Certificate: c, File: filepath.Join(f.Path, file), Forced: !pinned,
			New: !slices.ContainsFunc(kept, c.Equal),
		})
	}
	if _, err := NewOnTerms(slices.Concat(kept, certs), authorities); err != nil {
		return nil, err
	}
	return list, f.write(list, authorities, described)
}

// write puts the terms first: a certificate is never there without them.
func (f Folder) write(list []Imported, authorities []Authority, described bool) error {
	if err := os.MkdirAll(f.Path, 0o755); err != nil {
		return fault.Wrap(bare(err), fault.Unreadable, f.Path, "make the trust folder")
	}
	if described {
		if err := writeAuthorities(f.Path, authorities); err != nil {
			return fault.Wrap(bare(err), fault.Unreadable, f.Path, "write the terms of trust")
		}
	}
	for _, i := range list {
		if !i.New {
			continue
		}
		if err := writeFile(i.File, i.Certificate.Raw); err != nil {
			return fault.Wrap(bare(err), fault.Unreadable, i.File, "write a certificate")
		}
	}
	return nil
}

// writeFile replaces a file whole or not at all.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

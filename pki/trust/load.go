package trust

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Limits of what is loaded: the trust folder of a country has some dozens of
// files of 2 KiB.
const (
	filesMax        = 1000
	fileSizeMax     = 8 << 20
	certificatesMax = 5000
)

// certificateExtensions are the names under which a file in a folder must be
// readable. A file of another name is taken if it holds certificates and left
// alone if not: folders hold read-me files too.
var certificateExtensions = []string{".cer", ".crt", ".pem", ".der", ".p7b", ".p7c", ".cert"}

// Load makes a store of files and folders, PEM, DER or PKCS#7 by content, on the
// terms that the folders' AuthoritiesFile says. Folders are not descended into;
// an empty one gives a store without anchors.
func Load(paths ...string) (*Store, error) {
	certs, err := LoadCertificates(paths...)
	if err != nil {
		return nil, err
	}
	var authorities []Authority
	for _, path := range paths {
		list, err := readAuthorities(path)
		if err != nil {
			return nil, err
		}
		authorities = append(authorities, list...)
	}
	return NewOnTerms(certs, authorities)
}

// LoadCertificates reads all certificates of files and folders as Load does,
// trusting none of them.
func LoadCertificates(paths ...string) ([]*cert.Certificate, error) {
	var all []*cert.Certificate
	files := 0
	for _, path := range paths {
		found, err := list(path)
		if err != nil {
			return nil, err
		}
		if files += len(found); files > filesMax {
			return nil, fault.New(fault.InputTooBig, path, "more than %d files", filesMax)
		}
		for _, f := range found {
			certs, err := f.read()
			if err != nil {
				return nil, err
			}
			if all = append(all, certs...); len(all) > certificatesMax {
				return nil, fault.New(fault.InputTooBig, f.path, "more than %d certificates", certificatesMax)
			}
		}
	}
	return all, nil
}

// file is a file that may, or (strict) must, hold certificates.
type file struct {
	path   string
	strict bool
}

// list gives the file itself, or the files of a folder in the order of their
// names.
func list(path string) ([]file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Wrap(bare(err), fault.Unreadable, path, "find certificates")
	}
	if !info.IsDir() {
		return []file{{path, true}}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fault.Wrap(bare(err), fault.Unreadable, path, "list the folder")
	}
	var files []file
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if strings.HasPrefix(e.Name(), ".") || e.Name() == AuthoritiesFile {
			continue
		}
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			continue
		}
		files = append(files, file{name, slices.Contains(certificateExtensions, strings.ToLower(filepath.Ext(name)))})
	}
	return files, nil
}

func (f file) read() ([]*cert.Certificate, error) {
	data, err := readFile(f.path)
	if err != nil {
		return nil, err
	}
	certs, err := cert.ParseBundle(data)
	if err != nil && !f.strict && !bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), f.path, "read certificates")
	}
	return certs, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(bare(err), fault.Unreadable, path, "open")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, fileSizeMax+1))
	if err != nil {
		return nil, fault.Wrap(bare(err), fault.Unreadable, path, "read")
	}
	if len(data) > fileSizeMax {
		return nil, fault.New(fault.InputTooBig, path, "more than %d bytes", fileSizeMax)
	}
	return data, nil
}

// bare strips the path, which the error carries already.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

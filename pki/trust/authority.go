package trust

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// AuthoritiesFile is the name of the file beside certificates in a folder that
// says on what terms they are trusted.
const AuthoritiesFile = "trust.json"

// authoritiesMax bounds the entries of one file.
const authoritiesMax = 1000

// Authority is an entry of that file: some certificates, and what the operator
// says about them. Accredited CAs with roots of their own are such entries, with
// the names of their roles and policies.
type Authority struct {
	Name string `json:"name"`

	// Certificates are SHA-256 fingerprints in hexadecimal. What is said of a
	// certificate that is not there means nothing.
	Certificates []string `json:"certificates"`

	// Profile is production if the operator vouches that these are CAs of
	// production: the fingerprints are then the operator's pins. Without it,
	// what the program knows by itself counts. CAs that are known to be the
	// sandbox's or NUC RK's for tests cannot be made production.
	Profile Profile `json:"profile,omitempty"`

	// Roles and Policies name object identifiers that the program does not know.
	Roles    map[string]string `json:"roles,omitempty"`
	Policies map[string]string `json:"policies,omitempty"`

	Text  TermsText `json:"terms,omitzero"`
	terms *Terms
}

// ParseAuthorities reads the entries of a file; what it does not know, it
// refuses.
func ParseAuthorities(data []byte) ([]Authority, error) {
	var file struct {
		Authorities []Authority `json:"authorities"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "authorities", "read the terms of trust")
	}
	if d.More() || len(file.Authorities) > authoritiesMax {
		return nil, fault.New(fault.BadArgument, "authorities", "not one object with at most %d authorities", authoritiesMax)
	}
	seen := make(map[string]bool)
	for i := range file.Authorities {
		a := &file.Authorities[i]
		if err := a.check(); err != nil {
			return nil, err
		}
		for _, fingerprint := range a.Certificates {
			if seen[fingerprint] {
				return nil, fault.New(fault.BadArgument, a.Name, "%s comes twice", fingerprint)
			}
			seen[fingerprint] = true
		}
	}
	return file.Authorities, nil
}

func (a *Authority) check() (err error) {
	if a.Name == "" {
		return fault.New(fault.BadArgument, "authorities", "one without a name")
	}
	if a.Profile != "" && a.Profile != Production && a.Profile != Test {
		return fault.New(fault.BadArgument, a.Name, "the profile %q is neither %s nor %s", a.Profile, Production, Test)
	}
	for _, fingerprint := range a.Certificates {
		if raw, err := hex.DecodeString(fingerprint); err != nil || len(raw) != 32 || hex.EncodeToString(raw) != fingerprint {
			return fault.New(fault.BadArgument, a.Name, "%q is not a SHA-256 fingerprint in lower-case hexadecimal", fingerprint)
		}
	}
	if err := (cert.Vocabulary{Roles: a.Roles, Policies: a.Policies}).Check(); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), a.Name, "read the names of roles and policies")
	}
	if a.terms, err = a.Text.parse(); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), a.Name, "read the terms")
	}
	return nil
}

// readAuthorities reads the file of a folder; a folder without one has none.
func readAuthorities(folder string) ([]Authority, error) {
	name := filepath.Join(folder, AuthoritiesFile)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, nil
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	list, err := ParseAuthorities(data)
	if err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), name, "read the terms of trust")
	}
	return list, nil
}

// writeAuthorities replaces the file of a folder.
func writeAuthorities(folder string, list []Authority) error {
	data, err := json.MarshalIndent(map[string]any{"authorities": list}, "", "  ")
	if err != nil {
		return err
	}
	if _, err := ParseAuthorities(data); err != nil { // what cannot be read again is not written
		return err
	}
	return writeFile(filepath.Join(folder, AuthoritiesFile), append(data, '\n'))
}

// with is the list with an entry on new terms for a certificate; what was said
// of it before is gone.
func with(list []Authority, c *cert.Certificate, entry Authority) []Authority {
	fingerprint := c.Fingerprint()
	text := hex.EncodeToString(fingerprint[:])
	out := slices.Clone(list)
	for i := range out {
		out[i].Certificates = slices.DeleteFunc(slices.Clone(out[i].Certificates), func(s string) bool { return s == text })
	}
	out = slices.DeleteFunc(out, func(a Authority) bool {
		return len(a.Certificates)+len(a.Roles)+len(a.Policies) == 0
	})
	entry.Certificates = []string{text}
	return append(out, entry)
}

// about finds the entry about a certificate.
func about(list []Authority, c *cert.Certificate) *Authority {
	fingerprint := c.Fingerprint()
	text := hex.EncodeToString(fingerprint[:])
	for i := range list {
		if slices.Contains(list[i].Certificates, text) {
			return &list[i]
		}
	}
	return nil
}

// profile is the environment of a certificate as the entry about it has it.
func (a *Authority) profile(c *cert.Certificate) (Profile, error) {
	own := ProfileOf(c)
	switch {
	case a == nil || a.Profile == "" || a.Profile == own:
		return own, nil
	case a.Profile == Production && (own == Sandbox || isKnownTest(c)), own == Production:
		return "", fault.New(fault.AnchorProfilesMixed, a.Name, "a certificate known to be of the profile %s is said to be of %s", own, a.Profile)
	}
	return a.Profile, nil
}

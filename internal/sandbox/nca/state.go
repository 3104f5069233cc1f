package nca

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/sandbox/state"
	"github.com/senim-kz/senim/pki/gost"
)

const (
	stateFile   = "nca.json"
	stateFormat = 1
)

// Status of a certificate in the register.
type Status string

// The statuses.
const (
	Good    Status = "good"
	Held    Status = "held"
	Revoked Status = "revoked"
)

// register is all that outlives the process, one file.
type register struct {
	Format       int                      `json:"format"`
	BaseURL      string                   `json:"base_url"`
	Root         *systemRecord            `json:"root"`
	Issuing      *systemRecord            `json:"issuing"`
	RootGOST     *systemRecord            `json:"root_gost,omitempty"` // as of the first start with GOST
	IssuingGOST  *systemRecord            `json:"issuing_gost,omitempty"`
	Systems      map[string]*systemRecord `json:"systems"` // and services, by name
	Certificates map[string]*record       `json:"certificates"`
	CRLNumber    int64                    `json:"crl_number"`
	Bases        map[string]*base         `json:"bases,omitempty"` // of delta CRLs, by branch
}

// record is one issued certificate, under its serial in hexadecimal.
type record struct {
	Profile     Profile   `json:"profile"`
	Branch      string    `json:"branch,omitempty"` // "gost"; else RSA
	Certificate string    `json:"certificate"`      // base64 of DER
	Status      Status    `json:"status"`
	Since       time.Time `json:"since,omitzero"`
	Reason      int       `json:"reason,omitempty"`
}

// systemRecord is a software key with its certificate.
type systemRecord struct {
	Key         string `json:"key"` // base64 of PKCS#8
	Certificate string `json:"certificate"`
}

// load reads the register; found is false where there is none yet.
func (a *Authority) load() (found bool, err error) {
	r := &a.register
	if found, err = state.Load(a.file, r); err != nil || !found {
		return false, err
	}
	if r.Format != stateFormat || r.Root == nil || r.Issuing == nil || r.Systems == nil || r.Certificates == nil {
		return false, fault.New(fault.Unreadable, a.file, "the sandbox's register is of another format")
	}
	if r.BaseURL != a.base {
		return false, fault.New(fault.BadArgument, "", "the certificates in %s point to %s, not to %s", a.file, r.BaseURL, a.base)
	}
	for _, row := range []struct {
		from *systemRecord
		into *keyPair
	}{
		{r.Root, &a.rsa.root}, {r.Issuing, &a.rsa.issuing},
		{r.RootGOST, &a.gost.root}, {r.IssuingGOST, &a.gost.issuing},
	} {
		if *row.into, err = row.from.pair(); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *systemRecord) pair() (keyPair, error) {
	if s == nil {
		return keyPair{}, nil
	}
	pkcs8, err := base64.StdEncoding.DecodeString(s.Key)
	if err != nil {
		return keyPair{}, fault.New(fault.Unreadable, "", "a key in the sandbox's register is not base64")
	}
	key, err := parsePrivateKey(pkcs8)
	if err != nil {
		return keyPair{}, fault.New(fault.Unreadable, "", "a key in the sandbox's register is neither RSA nor GOST, or damaged")
	}
	der, err := base64.StdEncoding.DecodeString(s.Certificate)
	if err != nil {
		return keyPair{}, fault.Wrap(err, fault.Unreadable, "", "a certificate in the sandbox's register is not base64")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return keyPair{}, fault.Wrap(err, fault.Unreadable, "", "a certificate in the sandbox's register is damaged")
	}
	return keyPair{key, certificate}, nil
}

func parsePrivateKey(pkcs8 []byte) (crypto.Signer, error) {
	if key, err := gost.ParsePrivateKey(pkcs8); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fault.New(fault.Unreadable, "", "a key of type %T", parsed)
	}
	return key, nil
}

func marshalPrivateKey(key crypto.Signer) ([]byte, error) {
	if key, ok := key.(*gost.PrivateKey); ok {
		return key.Marshal()
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func (p keyPair) record() (*systemRecord, error) {
	pkcs8, err := marshalPrivateKey(p.key)
	if err != nil {
		return nil, fmt.Errorf("encode a sandbox key: %w", err)
	}
	return &systemRecord{
		Key:         base64.StdEncoding.EncodeToString(pkcs8),
		Certificate: base64.StdEncoding.EncodeToString(p.certificate.Raw),
	}, nil
}

// kept returns a key pair of the register, or an empty one; it requires a.mu.
func (a *Authority) kept(name string) (keyPair, error) { return a.register.Systems[name].pair() }

// keep enters a key pair and saves; it requires a.mu.
func (a *Authority) keep(name string, pair keyPair) error {
	row, err := pair.record()
	if err != nil {
		return err
	}
	a.register.Systems[name] = row
	return a.save()
}

// save writes the register; it requires a.mu, or that nobody else has a yet.
func (a *Authority) save() error {
	for _, row := range []struct {
		from keyPair
		into **systemRecord
	}{
		{a.rsa.root, &a.register.Root}, {a.rsa.issuing, &a.register.Issuing},
		{a.gost.root, &a.register.RootGOST}, {a.gost.issuing, &a.register.IssuingGOST},
	} {
		if *row.into != nil || row.from.key == nil {
			continue
		}
		var err error
		if *row.into, err = row.from.record(); err != nil {
			return err
		}
	}
	return state.Save(a.file, &a.register)
}

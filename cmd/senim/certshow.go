package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/pkcs12"
	"github.com/senim-kz/senim/pki/trust"
)

// Limits on what is shown.
const (
	certificateFileBytesMax = 8 << 20 // a bundle of a whole trust list
	passwordFileBytesMax    = 1 << 10
)

// certShowFlags are the flags of `senim cert show`.
type certShowFlags struct {
	passwordFile string
	json         bool
}

func (p *program) certShowCommand() *cobra.Command {
	var f certShowFlags
	c := &cobra.Command{
		Use:   "show [flags] FILE",
		Short: "Show whose certificate it is, in which roles, and where its key is kept",
		Long: `Shows the certificates in FILE: PEM, DER, PKCS#7 or PKCS#12, told apart by
content. It shows what they say; whether that can be believed, senim cert verify
finds out. IIN is masked in the text and whole in --json.

Exit status: 0 shown, 64 wrong usage, 65 FILE unreadable or its password wrong.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.certShow(f, args[0]) },
	}
	c.Flags().StringVar(&f.passwordFile, "password-file", "", "file with the password of a PKCS#12 FILE (its first line)")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// shownFile is what --json prints.
type shownFile struct {
	File         string             `json:"file"`
	Format       string             `json:"format"` // pem, der, pkcs7 or pkcs12
	Certificates []shownCertificate `json:"certificates"`

	names *trust.Store
}

// shownCertificate is one certificate. Names are the standard's; absent things
// are empty.
type shownCertificate struct {
	Holder             shownHolder    `json:"holder"`
	Roles              []named        `json:"roles"`
	Kind               string         `json:"kind"`                // individual, legal or system; "" if the certificate does not say
	Purposes           []cert.Purpose `json:"purposes"`            // sign, authenticate
	Treasury           bool           `json:"treasury"`            // for the treasury's system alone
	Tolerated          []string       `json:"tolerated,omitempty"` // oddities that were read over
	KeyStore           *shownKeyStore `json:"keyStore"`            // null if the certificate does not say
	Policies           []named        `json:"policies"`
	Key                shownKey       `json:"key"`
	SignatureAlgorithm named          `json:"signatureAlgorithm"`
	NotBefore          time.Time      `json:"notBefore"`
	NotAfter           time.Time      `json:"notAfter"`
	KeyUsage           []string       `json:"keyUsage"`
	ExtendedKeyUsage   []string       `json:"extendedKeyUsage"`
	Authority          bool           `json:"authority"`
	Subject            string         `json:"subject"`
	Issuer             string         `json:"issuer"`
	Serial             string         `json:"serial"`
	SHA256             string         `json:"sha256"`
	PrivateKey         bool           `json:"privateKey"` // the file holds it
	issuerName         string
}

type shownHolder struct {
	CommonName   string `json:"commonName"`
	Surname      string `json:"surname"`
	Patronymic   string `json:"patronymic"`
	IIN          string `json:"iin"`
	BIN          string `json:"bin"`
	Organization string `json:"organization"`
	Country      string `json:"country"`
	Email        string `json:"email"`
	System       string `json:"system"` // the OID of an information system
	maskedIIN    string
}

type named struct {
	OID  string `json:"oid"`
	Name string `json:"name"`
}

type shownKeyStore struct {
	named
	Kind cert.StoreKind `json:"kind"` // file, hardware, cloud; "" if not known
}

type shownKey struct {
	named
	Curve     string `json:"curve"`
	Bits      int    `json:"bits"`
	Supported bool   `json:"supported"` // signatures of this key can be verified
}

func (p *program) certShow(f certShowFlags, path string) error {
	data, err := readCapped(path, certificateFileBytesMax)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	shown := shownFile{File: filepath.Base(path), Certificates: []shownCertificate{}}
	if shown.names, err = p.anchors(nil); err != nil { // roles go without the names that it would give
		p.complain(err)
	}
	if pkcs12.Recognise(data) {
		err = shown.readPKCS12(data, f.passwordFile)
	} else {
		err = shown.readBundle(data)
	}
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		return err
	case err != nil:
		return &exitError{exitBadInput, fmt.Errorf("read %s: %w", shown.File, err)}
	}
	if f.json {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(shown)
	}
	_, err = p.stdout.Write(shown.text(certWordsIn[p.language], p.now()))
	return err
}

// readBundle reads certificates alone.
func (s *shownFile) readBundle(data []byte) error {
	certificates, err := cert.ParseBundle(data)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(data)
	switch {
	case block != nil:
		s.Format = "pem"
	case len(certificates) == 1 && bytes.Equal(certificates[0].Raw, data):
		s.Format = "der"
	default:
		s.Format = "pkcs7"
	}
	for _, c := range certificates {
		s.Certificates = append(s.Certificates, show(c, s.names))
	}
	return nil
}

// readPKCS12 opens a key file. Without a file of the password the empty one is
// tried, so that a file that no password opens is refused for what it is.
func (s *shownFile) readPKCS12(data []byte, passwordFile string) error {
	s.Format = "pkcs12"
	password := ""
	if passwordFile != "" {
		raw, err := readCapped(passwordFile, passwordFileBytesMax)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		password, _, _ = strings.Cut(string(raw), "\n")
	}
	contents, err := pkcs12.Decode(data, strings.TrimSuffix(password, "\r"))
	if passwordFile == "" && fault.Is(err, fault.PKCS12PasswordWrong) {
		return &exitError{exitUsage, fault.New(fault.BadArgument, "--password-file", "%s is protected by a password", s.File)}
	}
	if err != nil {
		return err
	}
	if len(contents.Certificates) == 0 {
		return fault.New(fault.CertificateUnreadable, "", "no certificate in the key file")
	}
	for _, c := range contents.Certificates {
		one := show(c, s.names)
		for _, key := range contents.Keys {
			one.PrivateKey = one.PrivateKey || contents.CertificateOf(key) == c
		}
		s.Certificates = append(s.Certificates, one)
	}
	return nil
}

// show reads a certificate; names are the store's whose authorities name roles
// and policies of their own.
func show(c *cert.Certificate, names *trust.Store) shownCertificate {
	h := names.Holder(c)
	fingerprint := c.Fingerprint()
	s := shownCertificate{
		Holder: shownHolder{
			CommonName: h.CommonName, Surname: h.Surname, Patronymic: h.Patronymic, IIN: h.IIN.Digits(), BIN: string(h.BIN),
			Organization: h.Organization, Country: h.Country, Email: h.Email, System: h.UserID,
		},
		Roles: []named{}, Policies: []named{}, ExtendedKeyUsage: []string{},
		Kind: string(h.Kind), Purposes: append([]cert.Purpose{}, h.Purposes...), Treasury: h.Treasury != nil, Tolerated: c.Tolerated.Names(),
		Key:                shownKey{named: named{c.KeyAlgorithm.OID.String(), c.KeyAlgorithm.Name()}},
		SignatureAlgorithm: named{c.SignatureAlgorithm.OID.String(), c.SignatureAlgorithm.Name()},
		NotBefore:          c.NotBefore, NotAfter: c.NotAfter,
		KeyUsage: c.KeyUsage.Names(), Authority: c.IsCA,
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: c.SerialHex(), SHA256: hex.EncodeToString(fingerprint[:]),
		issuerName: issuerName(c),
	}
	if h.IIN != "" {
		s.Holder.maskedIIN = h.IIN.String()
	}
	for _, r := range h.Roles {
		s.Roles = append(s.Roles, named{r.OID.String(), r.Name})
	}
	for _, oid := range h.Policies {
		s.Policies = append(s.Policies, named{oid.String(), names.PolicyName(oid)})
	}
	for _, oid := range c.ExtKeyUsage {
		s.ExtendedKeyUsage = append(s.ExtendedKeyUsage, oid.String())
	}
	if h.KeyStore.OID != nil {
		s.KeyStore = &shownKeyStore{named{h.KeyStore.OID.String(), h.KeyStore.Name}, h.KeyStore.Kind}
	}
	if k, ok := algo.KeyOf(c.PublicKey); ok {
		s.Key.Curve, s.Key.Bits, s.Key.Supported = k.Curve, k.Bits, true
	}
	return s
}

// issuerName is the issuer as people know it. A whole name is not shown, since
// that of a certificate signed by itself has its holder's IIN.
func issuerName(c *cert.Certificate) string {
	issuer := (&cert.Certificate{Subject: c.Issuer}).Holder()
	if issuer.CommonName != "" {
		return issuer.CommonName
	}
	return issuer.Organization
}

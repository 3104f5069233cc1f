package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/pki/pkcs12"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/signer/cades"
)

// keyFileBytesMax: a key file has some KiB.
const keyFileBytesMax = 1 << 20

// keyFlags say which key signs and how it is opened.
type keyFlags struct {
	key, cert string
	moduleFlags
	pinFlags
}

func (f *keyFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.key, "key", "", "the signing key: pkcs11:URI of a key in a token, or a PKCS#12 or PKCS#8 file")
	f.moduleFlags.add(c)
	flags.StringVar(&f.cert, "cert", "", "the signer's certificate and what else to carry (default: what is beside the key)")
	f.pinFlags.add(c, "PIN or password")
}

// check refuses what is missing.
func (f *keyFlags) check() error {
	if f.key == "" {
		return errors.New("--key is needed")
	}
	return nil
}

// identity opens the key and finds its certificate. close gives the token back.
func (p *program) identity(ctx context.Context, f keyFlags) (who cades.Identity, closing func() error, err error) {
	closing = func() error { return nil }
	var given []*cert.Certificate
	if f.cert != "" {
		if given, err = trust.LoadCertificates(f.cert); err != nil {
			return who, closing, &exitError{exitUsage, err}
		}
	}
	if strings.HasPrefix(f.key, "pkcs11:") {
		return p.tokenIdentity(ctx, f, given)
	}
	who, err = p.fileIdentity(f, given)
	return who, closing, err
}

// tokenIdentity finds a key in a token by RFC 7512: object is its label, id its
// CKA_ID, and the rest of the URI describes the token.
func (p *program) tokenIdentity(ctx context.Context, f keyFlags, given []*cert.Certificate) (who cades.Identity, closing func() error, err error) {
	closing = func() error { return nil }
	tokenURI, label, id, err := splitKeyURI(f.key)
	if err != nil {
		return who, closing, &exitError{exitUsage, err}
	}
	module, err := p.openModule(f.moduleFlags)
	if err != nil {
		return who, closing, err
	}
	token, err := module.Token(ctx, tokenURI, f.pin())
	if err != nil {
		return who, closing, errors.Join(err, module.Close())
	}
	closing = func() error { return errors.Join(token.Close(), module.Close()) }
	key, err := keyNamed(ctx, token, label, id)
	if err != nil {
		return who, closing, err
	}
	if len(given) == 0 {
		der, err := key.Certificate(ctx)
		if err != nil {
			return who, closing, fmt.Errorf("find the certificate beside the key (--cert names another): %w", err)
		}
		c, err := cert.Parse(der)
		if err != nil {
			return who, closing, err
		}
		given = append(given, c)
	}
	who, err = pair(key, given)
	return who, closing, err
}

// splitKeyURI takes the object out of a URI.
func splitKeyURI(uri string) (token, label string, id []byte, err error) {
	if _, err := hsm.ParseURI(uri); err != nil {
		return "", "", nil, err
	}
	var rest []string
	for pair := range strings.SplitSeq(strings.TrimPrefix(uri, "pkcs11:"), ";") {
		name, encoded, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(encoded)
		if err != nil {
			return "", "", nil, fault.New(fault.HSMTokenURIInvalid, name, "the value is not percent-encoded")
		}
		switch name {
		case "object":
			label = value
		case "id":
			id = []byte(value)
		case "type":
			if value != "private" {
				return "", "", nil, fault.New(fault.HSMTokenURIInvalid, name, "a private key signs")
			}
		default:
			rest = append(rest, pair)
		}
	}
	if label == "" && len(id) == 0 {
		return "", "", nil, fault.New(fault.HSMTokenURIInvalid, "", "the URI names no key: object=LABEL or id=%%XX")
	}
	return "pkcs11:" + strings.Join(rest, ";"), label, id, nil
}

// fileIdentity opens a key file. PKCS#12 asks for a password if the empty one
// does not open it.
func (p *program) fileIdentity(f keyFlags, given []*cert.Certificate) (cades.Identity, error) {
	data, err := readCapped(f.key, keyFileBytesMax)
	if err != nil {
		return cades.Identity{}, &exitError{exitUsage, err}
	}
	defer clear(data)
	if pkcs12.Recognise(data) {
		return p.pkcs12Identity(f, data, given)
	}
	key, beside, err := parseKeyFile(data)
	if err != nil {
		return cades.Identity{}, err
	}
	given = append(given, beside...)
	if len(given) == 0 {
		return cades.Identity{}, &exitError{exitUsage, fault.New(fault.BadArgument, "--cert", "the key file holds no certificate")}
	}
	return pair(key, given)
}

func (p *program) pkcs12Identity(f keyFlags, data []byte, given []*cert.Certificate) (cades.Identity, error) {
	password, err := f.password(p)
	if err != nil {
		return cades.Identity{}, err
	}
	contents, err := pkcs12.Decode(data, password)
	if err != nil {
		return cades.Identity{}, err
	}
	given = append(given, contents.Certificates...)
	var found []cades.Identity
	for _, key := range contents.Keys {
		if who, err := pair(key.Signer, given); err == nil && maySign(who.Certificate) {
			found = append(found, who)
		}
	}
	switch {
	case len(contents.Keys) == 0:
		return cades.Identity{}, fault.New(fault.SigningKeyBad, f.key, "no private key in it")
	case len(found) == 0:
		return pair(contents.Keys[0].Signer, given) // for the reason
	case len(found) > 1 && f.cert == "":
		return cades.Identity{}, &exitError{exitUsage, fault.New(fault.BadArgument, "--cert", "the file holds %d keys that may sign; name the certificate", len(found))}
	}
	return found[0], nil
}

// password reads the password of a key file where the flags say, else asks.
func (f *keyFlags) password(p *program) (string, error) {
	var raw []byte
	var err error
	switch {
	case f.file != "":
		raw, err = readCapped(f.file, passwordFileBytesMax)
	case f.environment != "":
		raw = []byte(environment(p.environ, f.environment))
		if len(raw) == 0 {
			err = fault.New(fault.PINUnavailable, "--pin-env", "the variable is not set")
		}
	case f.credential != "":
		folder := environment(p.environ, "CREDENTIALS_DIRECTORY")
		if folder == "" || filepath.Base(f.credential) != f.credential {
			err = fault.New(fault.PINUnavailable, "--pin-credential", "no credentials directory, or not a credential's name")
			break
		}
		raw, err = readCapped(filepath.Join(folder, f.credential), passwordFileBytesMax)
	default:
		raw, err = p.askPassword()
	}
	if err != nil {
		return "", &exitError{exitUsage, err}
	}
	defer clear(raw)
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	return string(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// askPassword asks at the terminal, without showing what is typed.
func (p *program) askPassword() ([]byte, error) {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fault.Wrap(err, fault.PINUnavailable, "--pin-file", "there is no terminal to ask at")
	}
	defer terminal.Close()
	fmt.Fprint(terminal, text{"Кілт файлының құпиясөзі: ", "Пароль файла ключа: ", "Password of the key file: "}.in(p.language))
	raw, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(terminal)
	if err != nil {
		return nil, fault.Wrap(err, fault.PINUnavailable, "", "read the password")
	}
	return raw, nil
}

// parseKeyFile reads a private key in PEM or DER, and the certificates beside it
// in PEM. A key that is encrypted by itself is for PKCS#12.
func parseKeyFile(data []byte) (crypto.Signer, []*cert.Certificate, error) {
	var key crypto.Signer
	var beside []*cert.Certificate
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		found = true
		switch {
		case block.Type == "CERTIFICATE":
			if c, err := cert.Parse(block.Bytes); err == nil {
				beside = append(beside, c)
			}
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, nil, fault.New(fault.NotAvailable, "--key", "an encrypted PKCS#8 file; put the key into PKCS#12")
		case strings.HasSuffix(block.Type, "PRIVATE KEY") && key == nil:
			one, err := parsePrivateKey(block.Bytes)
			if err != nil {
				return nil, nil, err
			}
			key = one
		}
	}
	if !found {
		one, err := parsePrivateKey(data)
		return one, nil, err
	}
	if key == nil {
		return nil, nil, fault.New(fault.SigningKeyBad, "--key", "no private key in the file")
	}
	return key, beside, nil
}

// parsePrivateKey reads PKCS#8, and the forms of RSA and EC before it. What the
// readers say stays out of the error: they may quote the key.
func parsePrivateKey(der []byte) (crypto.Signer, error) {
	if key, err := gost.ParsePrivateKey(der); err == nil {
		return key, nil
	}
	for _, read := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(b []byte) (any, error) { return x509.ParsePKCS1PrivateKey(b) },
		func(b []byte) (any, error) { return x509.ParseECPrivateKey(b) },
	} {
		if key, err := read(der); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
		}
	}
	return nil, fault.New(fault.SigningKeyBad, "--key", "neither a PKCS#12 nor a PKCS#8 key")
}

// pair finds the key's certificate; the others are carried along.
func pair(key crypto.Signer, among []*cert.Certificate) (cades.Identity, error) {
	own, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return cades.Identity{}, fault.New(fault.AlgorithmUnsupported, "--key", "a key of type %T", key.Public())
	}
	for i, c := range among {
		if c.PublicKey != nil && own.Equal(publicHalf(c)) {
			who := cades.Identity{Key: key, Certificate: c}
			who.Chain = append(append(who.Chain, among[:i]...), among[i+1:]...)
			return who, nil
		}
	}
	return cades.Identity{}, fault.New(fault.KeyCertificateMismatch, "--cert", "none of %d certificates is the key's", len(among))
}

// publicHalf is the certificate's key, freed of a restriction to RSASSA-PSS.
func publicHalf(c *cert.Certificate) crypto.PublicKey {
	if restricted, ok := c.PublicKey.(*algo.PSSPublicKey); ok {
		return restricted.RSA
	}
	return c.PublicKey
}

// maySign reports whether the certificate is for signatures at all.
func maySign(c *cert.Certificate) bool {
	return c.Allows(cert.KeyUsageNonRepudiation) || c.Allows(cert.KeyUsageDigitalSignature)
}

// checkSigner refuses to sign with a certificate that makes every signature
// worthless.
func (p *program) checkSigner(c *cert.Certificate) error {
	now := p.now()
	switch {
	case now.After(c.NotAfter):
		return fault.New(fault.CertificateExpired, "--cert", "%s expired %s", c.SerialHex(), c.NotAfter.Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fault.New(fault.CertificateNotYetValid, "--cert", "%s is valid from %s", c.SerialHex(), c.NotBefore.Format(time.RFC3339))
	case !maySign(c):
		return fault.New(fault.KeyUsageNotSigning, "--cert", "%s is not for signatures", c.SerialHex())
	}
	return nil
}

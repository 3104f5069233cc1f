package hsm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
)

// contentsMax bounds what is listed of a token, of each kind.
const contentsMax = 1024

// Contents of a token.
type Contents struct {
	Keys         []KeyInfo         `json:"keys"`
	Certificates []CertificateInfo `json:"certificates"`
}

// KeyInfo describes a private key in a token.
type KeyInfo struct {
	Label string `json:"label"`
	ID    string `json:"id"` // CKA_ID in hexadecimal
	// Algorithm is a name such as RSA-2048, P-256, Ed25519 or a GOST key's; it is
	// empty where the key cannot be used, and Problem says why.
	Algorithm string `json:"algorithm"`
	Problem   string `json:"problem,omitempty"`
	// AlwaysAuthenticate: the token wants the PIN for each signature.
	AlwaysAuthenticate bool `json:"always_authenticate"`
	Sensitive          bool `json:"sensitive"`
	Extractable        bool `json:"extractable"`
	Local              bool `json:"local"` // born in the token
}

// CertificateInfo describes a certificate in a token.
type CertificateInfo struct {
	Label     string    `json:"label"`
	ID        string    `json:"id"`
	Subject   string    `json:"subject"` // RFC 4514
	Serial    string    `json:"serial"`  // in hexadecimal
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Problem   string    `json:"problem,omitempty"`
	DER       []byte    `json:"-"`

	public crypto.PublicKey // nil where no key of ours can have it
}

// CertificateOf is the certificate of a public key; of several, the one that is good
// longest. Cards and other tools name certificates in their own way, which is why
// neither the label nor the CKA_ID counts.
func (c Contents) CertificateOf(public crypto.PublicKey) (best CertificateInfo, found bool) {
	for _, there := range c.Certificates {
		if samePublicKey(there.public, public) && (!found || there.NotAfter.After(best.NotAfter)) {
			best, found = there, true
		}
	}
	return best, found
}

// Contents lists the private keys and the certificates of the token. What cannot
// be used is listed too, with the reason.
func (t *Token) Contents(ctx context.Context) (Contents, error) {
	var c Contents
	err := t.do(ctx, shared, nil, func(s *session) error {
		c = Contents{Keys: []KeyInfo{}, Certificates: []CertificateInfo{}}
		o := t.objects(s)
		keys, err := o.findUpTo(contentsMax, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY))
		if err != nil {
			return err
		}
		for _, handle := range keys {
			k, err := o.keyInfo(handle)
			if err != nil {
				return err
			}
			c.Keys = append(c.Keys, k)
		}
		certificates, err := o.findUpTo(contentsMax, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE))
		if err != nil {
			return err
		}
		for _, handle := range certificates {
			info, err := o.certificateInfo(handle)
			if err != nil {
				return err
			}
			c.Certificates = append(c.Certificates, info)
		}
		return nil
	})
	if err != nil {
		return Contents{}, err
	}
	return c, nil
}

func (o objects) keyInfo(handle pkcs11.ObjectHandle) (KeyInfo, error) {
	label, id, err := o.names(handle)
	if err != nil {
		return KeyInfo{}, err
	}
	k := KeyInfo{Label: label, ID: hex.EncodeToString(id)}
	k.AlwaysAuthenticate = o.flag(handle, pkcs11.CKA_ALWAYS_AUTHENTICATE)
	k.Sensitive = o.flag(handle, pkcs11.CKA_SENSITIVE)
	k.Extractable = o.flag(handle, pkcs11.CKA_EXTRACTABLE)
	k.Local = o.flag(handle, pkcs11.CKA_LOCAL)
	public, err := o.publicKey(id, label)
	switch {
	case err == nil:
		k.Algorithm = AlgorithmOf(public)
	case meaningOf(err).action != report:
		return k, err // the token's trouble, not the key's
	default:
		k.Problem = err.Error()
	}
	return k, nil
}

// AlgorithmOf names the kind of a public key.
func AlgorithmOf(public crypto.PublicKey) string {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprint("RSA-", public.N.BitLen())
	case *ecdsa.PublicKey:
		return public.Curve.Params().Name
	case ed25519.PublicKey:
		return string(Ed25519)
	case *gost.PublicKey:
		return public.Algorithm().Name
	}
	return ""
}

func (o objects) certificateInfo(handle pkcs11.ObjectHandle) (CertificateInfo, error) {
	label, id, err := o.names(handle)
	if err != nil {
		return CertificateInfo{}, err
	}
	values, err := o.values(handle, pkcs11.CKA_VALUE)
	if err != nil {
		return CertificateInfo{}, err
	}
	c := CertificateInfo{Label: label, ID: hex.EncodeToString(id), DER: values[0]}
	parsed, err := x509.ParseCertificate(c.DER)
	if err != nil {
		c.Problem = "cannot be read: " + err.Error()
		return c, nil
	}
	c.NotBefore, c.NotAfter = parsed.NotBefore, parsed.NotAfter
	if public, err := certifiedKey(parsed); err == nil {
		c.public = public
	}
	// crypto/x509 has no words for the names that every person's certificate of NUC RK
	// has, SURNAME and GIVENNAME.
	subject, err := cert.ParseName(parsed.RawSubject)
	if err != nil {
		c.Problem = "cannot be read: " + err.Error()
		return c, nil
	}
	c.Subject, c.Serial = subject.String(), parsed.SerialNumber.Text(16)
	return c, nil
}

// CheckExpiry fails if the certificate with a label, which ends then, is not good for
// a margin of time from now on.
func CheckExpiry(label string, end, now time.Time, margin time.Duration) error {
	if now.Add(margin).Before(end) {
		return nil
	}
	return fault.New(fault.HSMCertificateExpiring, label, "the certificate is good until %s", end.UTC().Format(time.RFC3339))
}

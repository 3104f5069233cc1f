package hsm

import (
	"context"
	"crypto/x509"
	"math/big"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"

	"github.com/senim-kz/senim/internal/fault"
)

// certificateBytesMax: a certificate of NUC RK has under 3 KB.
const certificateBytesMax = 64 << 10

// PutCertificate stores a DER certificate beside the key with the same CKA_ID
// and replaces an earlier certificate of that label and CKA_ID; keys of other tools
// may share a label, or have none. The new one is written before the old one goes, so
// that a failure leaves one in place.
func (t *Token) PutCertificate(ctx context.Context, label string, id, der []byte) error {
	if label == "" && len(id) == 0 || len(label) > keyLabelBytesMax || len(id) > keyIDBytesMax || len(der) > certificateBytesMax {
		return fault.New(fault.BadArgument, "", "the label, the ID or the certificate has a size that is not taken")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fault.Wrap(err, fault.Unreadable, "", "parse the certificate")
	}
	template, err := certificateTemplate(label, id, certificate)
	if err != nil {
		return err
	}
	return t.write(ctx, func(s *session) error {
		earlier, err := t.objects(s).certificates(label, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
		if err != nil {
			return err
		}
		if _, err := t.lib.ctx.CreateObject(s.handle, template); err != nil {
			return explain("C_CreateObject", err)
		}
		for _, handle := range earlier {
			if err := t.lib.ctx.DestroyObject(s.handle, handle); err != nil {
				return explain("C_DestroyObject", err)
			}
		}
		return nil
	})
}

// certificateTemplate is an X.509 certificate object (PKCS#11 v2.40 §4.6.3).
func certificateTemplate(label string, id []byte, c *x509.Certificate) ([]*pkcs11.Attribute, error) {
	serial, err := derInteger(c.SerialNumber)
	if err != nil {
		return nil, err
	}
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE),
		pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		pkcs11.NewAttribute(pkcs11.CKA_ID, id),
		pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, c.RawSubject),
		pkcs11.NewAttribute(pkcs11.CKA_ISSUER, c.RawIssuer),
		pkcs11.NewAttribute(pkcs11.CKA_SERIAL_NUMBER, serial),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, c.Raw),
	}, nil
}

func derInteger(n *big.Int) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1BigInt(n)
	return b.Bytes()
}

// Certificate returns the DER of the certificate with the label.
func (t *Token) Certificate(ctx context.Context, label string) ([]byte, error) {
	var der []byte
	err := t.do(ctx, shared, nil, func(s *session) error {
		o := t.objects(s)
		found, err := o.certificates(label)
		if err != nil {
			return err
		}
		switch len(found) {
		case 1:
		case 0:
			return fault.New(fault.HSMKeyMissing, "", "no certificate with this label")
		default:
			return fault.New(fault.HSMKeyAmbiguous, "", "%d certificates with this label", len(found))
		}
		values, err := o.values(found[0], pkcs11.CKA_VALUE)
		if err != nil {
			return err
		}
		der = values[0]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return der, nil
}

// PutCertificate stores the key's certificate beside it. One of another key is
// refused.
func (k *Key) PutCertificate(ctx context.Context, der []byte) error {
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return fault.Wrap(err, fault.Unreadable, "", "parse the certificate")
	}
	public, err := certifiedKey(parsed)
	if err != nil {
		return err
	}
	if !samePublicKey(public, k.public) {
		return fault.New(fault.HSMCertificateMismatch, "", "the certificate is for another public key")
	}
	return k.token.PutCertificate(ctx, k.label, k.id, der)
}

// Certificate returns the DER of the key's certificate; see Contents.CertificateOf.
func (k *Key) Certificate(ctx context.Context) ([]byte, error) {
	contents, err := k.token.Contents(ctx)
	if err != nil {
		return nil, err
	}
	c, found := contents.CertificateOf(k.public)
	if !found {
		return nil, fault.New(fault.HSMKeyMissing, "", "the token holds no certificate of the key")
	}
	return c.DER, nil
}

func (o objects) certificates(label string, and ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	return o.find(append(and,
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
	)...)
}

package nca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// servicesRenewBefore: the responder's and the TSP's certificates are replaced at
// start when they have less than this left.
const servicesRenewBefore = 30 * 24 * time.Hour

// userKeyBits is what NUC RK's RSA users have.
const userKeyBits = 2048

// Request asks for a certificate. The key is given as a public key or as a
// PKCS#10 request, whose signature then proves possession; not as both.
type Request struct {
	Profile  Profile
	Usage    Usage
	KeyStore KeyStore // empty means PKCS12
	Holder   Holder

	PublicKey crypto.PublicKey
	CSR       []byte // DER; its subject is ignored: the register knows the names
}

// Issued is a new certificate.
type Issued struct {
	Serial      string // hexadecimal, as Revoke takes it
	Certificate []byte // DER
	Chain       [][]byte
}

// Issue makes a certificate and enters it into the register.
func (a *Authority) Issue(r Request) (*Issued, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	certificate, err := a.issue(r)
	if err != nil {
		return nil, err
	}
	if err := a.save(); err != nil {
		return nil, err
	}
	return &Issued{Serial: serialHex(certificate.SerialNumber), Certificate: certificate.Raw, Chain: a.chain()}, nil
}

func (a *Authority) chain() [][]byte { return [][]byte{a.Issuing(), a.Root()} }

func serialHex(n *big.Int) string { return fmt.Sprintf("%x", n) }

// issue requires a.mu.
func (a *Authority) issue(r Request) (*x509.Certificate, error) {
	public, err := r.publicKey()
	if err != nil {
		return nil, err
	}
	if r.KeyStore == "" {
		r.KeyStore = PKCS12
	}
	names, err := r.Holder.subject(r.Profile)
	if err != nil {
		return nil, err
	}
	template, err := a.template(public, names, profiles[r.Profile].years)
	if err != nil {
		return nil, err
	}
	// The serial is the key's: a second certificate would be a second serial.
	if a.register.Certificates[serialHex(template.SerialNumber)] != nil {
		return nil, fault.New(fault.BadArgument, "/public_key", "this key has a certificate already")
	}
	template.AuthorityKeyId = a.issuing.certificate.SubjectKeyId
	if err := a.extensions(template, r); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.issuing.certificate, public, a.issuing.key)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "make the certificate")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read our certificate: %w", err)
	}
	a.register.Certificates[serialHex(certificate.SerialNumber)] = &record{
		Profile: r.Profile, Certificate: base64.StdEncoding.EncodeToString(der), Status: Good,
	}
	return certificate, nil
}

func (r Request) publicKey() (crypto.PublicKey, error) {
	public := r.PublicKey
	if r.CSR != nil {
		request, err := x509.ParseCertificateRequest(r.CSR)
		if err != nil {
			return nil, fault.Wrap(err, fault.Unreadable, "/csr", "parse the request")
		}
		if err := request.CheckSignature(); err != nil {
			return nil, fault.Wrap(err, fault.BadArgument, "/csr", "the request does not prove that its sender has the key")
		}
		public = request.PublicKey
	}
	if (r.CSR != nil) == (r.PublicKey != nil) {
		return nil, fault.New(fault.BadArgument, "", "one of a public key and a request is needed")
	}
	switch public := public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < keyBitsMin || public.N.BitLen() > keyBitsMax {
			return nil, fault.New(fault.BadArgument, "/public_key", "an RSA key of %d bits", public.N.BitLen())
		}
	case *ecdsa.PublicKey:
	default:
		return nil, fault.New(fault.BadArgument, "/public_key", "neither RSA nor ECDSA")
	}
	return public, nil
}

// Certificate returns the DER of an issued certificate.
func (a *Authority) Certificate(serial string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	row, err := a.record(serial)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(row.Certificate)
}

// Status of an issued certificate.
func (a *Authority) Status(serial string) (Status, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	row, err := a.record(serial)
	if err != nil {
		return "", err
	}
	return row.Status, nil
}

// record requires a.mu.
func (a *Authority) record(serial string) (*record, error) {
	row := a.register.Certificates[strings.TrimLeft(strings.ToLower(serial), "0")]
	if row == nil {
		return nil, fault.New(fault.BadArgument, "/serial", "no certificate with this serial number was issued")
	}
	return row, nil
}

// Reasons of revocation that NUC RK is seen to use (RFC 5280 §5.3.1).
const (
	ReasonUnspecified    = 0
	ReasonKeyCompromise  = 1
	ReasonAffiliation    = 3
	ReasonSuperseded     = 4
	ReasonCessation      = 5
	reasonHold           = 6
	reasonsRevocationMax = 5
)

// Revoke revokes a certificate for good, now.
func (a *Authority) Revoke(serial string, reason int) error {
	if reason < 0 || reason > reasonsRevocationMax || reason == 2 {
		return fault.New(fault.BadArgument, "/reason", "not a reason to revoke an end entity's certificate")
	}
	return a.change(serial, Revoked, reason)
}

// Hold suspends a certificate; Unhold lifts that.
func (a *Authority) Hold(serial string) error { return a.change(serial, Held, reasonHold) }

// Unhold makes a held certificate good again.
func (a *Authority) Unhold(serial string) error { return a.change(serial, Good, 0) }

func (a *Authority) change(serial string, to Status, reason int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	row, err := a.record(serial)
	if err != nil {
		return err
	}
	if row.Status == Revoked || row.Status == Good && to == Good {
		return fault.New(fault.BadArgument, "/serial", "a %s certificate does not become %s", row.Status, to)
	}
	row.Status, row.Reason, row.Since = to, reason, a.now().UTC().Truncate(time.Second)
	delete(a.crls, pathCRL) // the next one shows it
	return a.save()
}

// System is a key pair of an information system: its key is a software key in
// the state folder, as the stand-ins of ШЭП and ПШЭП use it.
type System struct {
	Key         crypto.Signer
	Certificate []byte   // DER
	Chain       [][]byte // issuing CA, root
}

// System returns the key pair of an information system, made at the first call
// and the same ever after.
func (a *Authority) System(p Profile, h Holder) (*System, error) {
	if profiles[p].form != systemForm {
		return nil, fault.New(fault.BadArgument, "/profile", "%s is not an information system", p)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	name := string(p) + "/" + string(h.BIN)
	pair, err := a.kept(name)
	if err != nil {
		return nil, err
	}
	if pair.key == nil || a.now().After(pair.certificate.NotAfter) {
		if pair, err = a.generate(Request{Profile: p, Holder: h}); err != nil {
			return nil, err
		}
		if err := a.keep(name, pair); err != nil {
			return nil, err
		}
	}
	return &System{Key: pair.key, Certificate: pair.certificate.Raw, Chain: a.chain()}, nil
}

// generate makes a software key and its certificate; it requires a.mu.
func (a *Authority) generate(r Request) (keyPair, error) {
	key, err := a.newKey(userKeyBits)
	if err != nil {
		return keyPair{}, fmt.Errorf("generate a key: %w", err)
	}
	r.PublicKey = &key.PublicKey
	certificate, err := a.issue(r)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{key, certificate}, nil
}

// renewServices sees to it that the OCSP responder and the TSP have a key and a
// certificate that lasts.
func (a *Authority) renewServices() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for profile, into := range map[Profile]*keyPair{OCSPResponder: &a.responder, TimeStamping: &a.stamper} {
		pair, err := a.kept(string(profile))
		if err != nil {
			return err
		}
		if pair.key == nil || a.now().Add(servicesRenewBefore).After(pair.certificate.NotAfter) {
			if pair, err = a.generate(Request{Profile: profile}); err != nil {
				return err
			}
			if err := a.keep(string(profile), pair); err != nil {
				return err
			}
		}
		*into = pair
	}
	return nil
}

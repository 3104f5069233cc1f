package nca

import (
	"crypto"
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
	public, err := r.publicKey()
	if err != nil {
		return nil, err
	}
	certificate, err := a.issue(r, public)
	if err != nil {
		return nil, err
	}
	if err := a.save(); err != nil {
		return nil, err
	}
	return &Issued{Serial: serialHex(certificate.SerialNumber), Certificate: certificate.Raw, Chain: a.branchOf(public).chain()}, nil
}

func (b *branch) chain() [][]byte { return [][]byte{b.issuing.certificate.Raw, b.root.certificate.Raw} }

func serialHex(n *big.Int) string { return fmt.Sprintf("%x", n) }

// issue certifies the key; it requires a.mu.
func (a *Authority) issue(r Request, public crypto.PublicKey) (*x509.Certificate, error) {
	b := a.branchOf(public)
	if r.KeyStore == "" {
		r.KeyStore = PKCS12
	}
	names, err := r.Holder.subject(r.Profile)
	if err != nil {
		return nil, err
	}
	template, err := a.template(b, public, names, profiles[r.Profile].years)
	if err != nil {
		return nil, err
	}
	// The serial is the key's: a second certificate would be a second serial.
	if a.register.Certificates[serialHex(template.SerialNumber)] != nil {
		return nil, fault.New(fault.BadArgument, "/public_key", "this key has a certificate already")
	}
	template.AuthorityKeyId = b.issuing.certificate.SubjectKeyId
	if err := a.extensions(b, template, r); err != nil {
		return nil, err
	}
	certificate, err := certify(template, b.issuing.certificate, public, b.issuing.key)
	if err != nil {
		return nil, err
	}
	a.register.Certificates[serialHex(certificate.SerialNumber)] = &record{
		Profile: r.Profile, Branch: b.name, Certificate: base64.StdEncoding.EncodeToString(certificate.Raw), Status: Good,
	}
	return certificate, nil
}

func (r Request) publicKey() (public crypto.PublicKey, err error) {
	if (r.CSR != nil) == (r.PublicKey != nil) {
		return nil, fault.New(fault.BadArgument, "", "one of a public key and a request is needed")
	}
	if public = r.PublicKey; r.CSR != nil {
		if public, err = requestedKey(r.CSR); err != nil {
			return nil, err
		}
	}
	return public, checkKey(public)
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
	b := a.named(row.Branch) // its next lists show it
	delete(a.crls, b.pathCRL())
	delete(a.crls, b.pathDelta())
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
		if pair, err = a.generate(&a.rsa, Request{Profile: p, Holder: h}); err != nil {
			return nil, err
		}
		if err := a.keep(name, pair); err != nil {
			return nil, err
		}
	}
	return &System{Key: pair.key, Certificate: pair.certificate.Raw, Chain: a.rsa.chain()}, nil
}

// generate makes a software key and its certificate; it requires a.mu.
func (a *Authority) generate(b *branch, r Request) (keyPair, error) {
	key, err := a.generateKey(b, userKeyBits)
	if err != nil {
		return keyPair{}, fmt.Errorf("generate a key: %w", err)
	}
	certificate, err := a.issue(r, key.Public())
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{key, certificate}, nil
}

// renewServices sees to it that the OCSP responders and the TSP have a key and a
// certificate that lasts.
func (a *Authority) renewServices() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, service := range []struct {
		name    string
		branch  *branch
		profile Profile
		into    *keyPair
	}{
		{string(OCSPResponder), &a.rsa, OCSPResponder, &a.rsa.responder},
		{string(OCSPResponder) + "-gost", &a.gost, OCSPResponder, &a.gost.responder},
		{string(TimeStamping), &a.rsa, TimeStamping, &a.stamper},
	} {
		pair, err := a.kept(service.name)
		if err != nil {
			return err
		}
		if pair.key == nil || a.now().Add(servicesRenewBefore).After(pair.certificate.NotAfter) {
			if pair, err = a.generate(service.branch, Request{Profile: service.profile}); err != nil {
				return err
			}
			if err := a.keep(service.name, pair); err != nil {
				return err
			}
		}
		*service.into = pair
	}
	return nil
}

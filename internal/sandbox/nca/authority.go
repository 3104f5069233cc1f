package nca

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Organization marks the root so that nobody takes it for the real one.
const Organization = "Senim Sandbox NCA"

const (
	rootCommonName    = "НЕГІЗГІ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (%s) SANDBOX"
	issuingCommonName = "ҰЛТТЫҚ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (%s) SANDBOX"

	authorityYears = 20
	// backdate: a certificate is valid a little before it is issued, so that a
	// peer whose clock is behind accepts it.
	backdate = 5 * time.Minute

	keyBitsMin = 2048
	keyBitsMax = 8192
)

// Config of an Authority.
type Config struct {
	// Dir keeps the keys and the register; it is made with mode 0700.
	Dir string
	// BaseURL is where Handler will be reached; it stands in every certificate,
	// so it must stay the same as long as Dir does.
	BaseURL string
	// Bits of the CA keys of RSA: 4096 as NUC RK has them, or 2048 for quick tests.
	// Used when the Authority is first made.
	Bits int
	// Now is the clock of certificates, answers and timestamps.
	Now func() time.Time
	// GenerateKey makes the RSA keys; nil means crypto/rsa. Tests hand in keys
	// that they made once; within one Authority no key may come twice.
	GenerateKey func(bits int) (*rsa.PrivateKey, error)
}

// Authority is the stand-in. It is safe for concurrent use.
type Authority struct {
	now    func() time.Time
	newKey func(bits int) (*rsa.PrivateKey, error)
	base   string
	file   string

	rsa, gost branch
	stamper   keyPair // of RSA

	faults  faultBoard
	servers [timeServers]*TimeServer

	mu       sync.Mutex
	register register
	crls     map[string]*crl
}

// Open loads the Authority kept in the folder, or founds a new one.
func Open(c Config) (*Authority, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Scheme != "http" || base.Host == "" || c.Now == nil || !filepath.IsAbs(c.Dir) {
		return nil, fault.New(fault.BadArgument, "", "nca: needs an absolute folder, an http base URL and a clock")
	}
	a := &Authority{
		now:    c.Now,
		newKey: c.GenerateKey,
		base:   strings.TrimSuffix(c.BaseURL, "/"),
		file:   filepath.Join(c.Dir, stateFile),
		crls:   make(map[string]*crl),
		rsa:    branch{name: "rsa"},
		gost:   branch{name: "gost"},
	}
	if a.newKey == nil {
		a.newKey = func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
	}
	for i := range a.servers {
		a.servers[i] = newTimeServer(c.Now, i)
	}
	found, err := a.load()
	if err != nil {
		return nil, err
	}
	if !found {
		if err := a.establish(c.Bits); err != nil {
			return nil, err
		}
	}
	// A register from before there was GOST here gets its authorities now.
	if a.gost.root.key == nil {
		if err := a.foundBranch(&a.gost, 0); err != nil {
			return nil, err
		}
	}
	if err := a.renewServices(); err != nil {
		return nil, err
	}
	return a, nil
}

// establish begins a register with the root and the issuing CA of RSA.
func (a *Authority) establish(bits int) error {
	if bits < keyBitsMin || bits > keyBitsMax {
		return fault.New(fault.BadArgument, "", "nca: CA keys have %d to %d bits", keyBitsMin, keyBitsMax)
	}
	a.register = register{Format: stateFormat, BaseURL: a.base, Certificates: map[string]*record{}, Systems: map[string]*systemRecord{}}
	return a.foundBranch(&a.rsa, bits)
}

// foundBranch makes the root and the issuing CA of a branch.
func (a *Authority) foundBranch(b *branch, bits int) error {
	rootName, issuingName := b.commonNames()
	root, err := a.authorityCertificate(b, bits, nil, rootName)
	if err != nil {
		return err
	}
	issuing, err := a.authorityCertificate(b, bits, &root, issuingName)
	if err != nil {
		return err
	}
	b.root, b.issuing = root, issuing
	return a.save()
}

// authorityCertificate makes a CA key and certificate: a root when issuer is nil.
// The layout is that of root_rsa_2020 and nca_rsa_2022.
func (a *Authority) authorityCertificate(b *branch, bits int, issuer *keyPair, commonName string) (keyPair, error) {
	key, err := a.generateKey(b, bits)
	if err != nil {
		return keyPair{}, fmt.Errorf("generate a CA key: %w", err)
	}
	names := []attribute{{oidCommonName, commonName}, {oidOrganization, Organization}, {oidCountry, "KZ"}}
	template, err := a.template(b, key.Public(), names, authorityYears)
	if err != nil {
		return keyPair{}, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	parent, signer, policy := template, key, oidPolicyRoot
	template.AuthorityKeyId = template.SubjectKeyId
	if issuer != nil {
		parent, signer, policy = issuer.certificate, issuer.key, oidPolicy
		template.NotAfter = issuer.certificate.NotAfter
		template.AuthorityKeyId = issuer.certificate.SubjectKeyId
		template.MaxPathLen, template.MaxPathLenZero = 0, true
		template.CRLDistributionPoints = []string{a.base + b.pathRootCRL()}
		template.IssuingCertificateURL = []string{a.base + b.pathRootCertificate()}
	}
	policies, err := a.policiesExtension(policy)
	if err != nil {
		return keyPair{}, err
	}
	template.ExtraExtensions = append(template.ExtraExtensions, policies)
	certificate, err := certify(template, parent, key.Public(), signer)
	return keyPair{key, certificate}, err
}

// template is what all certificates share: the serial number is the subject key
// identifier with its top bit cleared, so that it is positive and has at most 20
// bytes (RFC 5280 §4.1.2.2).
func (a *Authority) template(b *branch, public crypto.PublicKey, names []attribute, years int) (*x509.Certificate, error) {
	identifier, err := keyIdentifier(public)
	if err != nil {
		return nil, err
	}
	subject, err := encodeName(names)
	if err != nil {
		return nil, err
	}
	serial := append([]byte(nil), identifier...)
	serial[0] &= 0x7f
	now := a.now().UTC().Truncate(time.Second)
	notAfter := now.AddDate(years, 0, 0)
	if b.issuing.certificate != nil && notAfter.After(b.issuing.certificate.NotAfter) {
		notAfter = b.issuing.certificate.NotAfter
	}
	return &x509.Certificate{
		SerialNumber:       new(big.Int).SetBytes(serial),
		RawSubject:         subject,
		NotBefore:          now.Add(-backdate),
		NotAfter:           notAfter,
		SubjectKeyId:       identifier,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}, nil
}

// keyIdentifier is method 1 of RFC 5280 §4.2.1.2: the SHA-1 of the key's bits.
func keyIdentifier(public crypto.PublicKey) ([]byte, error) {
	spki, err := encodePublicKey(public)
	if err != nil {
		return nil, err
	}
	bits, err := subjectPublicKeyBits(spki)
	if err != nil {
		return nil, err
	}
	return hashSHA1(bits), nil
}

func subjectPublicKeyBits(spki []byte) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "read the public key")
	}
	return info.PublicKey.RightAlign(), nil
}

// Root is the root certificate of RSA in DER: a trust anchor.
func (a *Authority) Root() []byte { return a.rsa.root.certificate.Raw }

// Issuing is the issuing CA's certificate of RSA in DER.
func (a *Authority) Issuing() []byte { return a.rsa.issuing.certificate.Raw }

// RootGOST is the root certificate of GOST in DER: the other trust anchor.
func (a *Authority) RootGOST() []byte { return a.gost.root.certificate.Raw }

// IssuingGOST is the issuing CA's certificate of GOST in DER.
func (a *Authority) IssuingGOST() []byte { return a.gost.issuing.certificate.Raw }

// TimeServers are the three SNTP servers; their owner serves a socket each.
func (a *Authority) TimeServers() []*TimeServer { return a.servers[:] }

package nca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// branch is one of NUC RK's two hierarchies: all its keys are of one algorithm.
type branch struct {
	name string // "rsa" or "gost", in addresses and in the register

	root, issuing, responder keyPair
}

// keyPair is a software key and its certificate.
type keyPair struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

// Paths under the base URL. The file names follow NUC RK's.
func (b *branch) pathCRL() string             { return "/crl/nca_" + b.name + ".crl" }
func (b *branch) pathDelta() string           { return "/crl/nca_d_" + b.name + ".crl" }
func (b *branch) pathRootCRL() string         { return "/crl/root_" + b.name + ".crl" }
func (b *branch) pathCertificate() string     { return "/cert/nca_" + b.name + ".cer" }
func (b *branch) pathRootCertificate() string { return "/cert/root_" + b.name + ".cer" }

func (b *branch) commonNames() (root, issuing string) {
	algorithm := map[string]string{"rsa": "RSA", "gost": "GOST"}[b.name]
	return fmt.Sprintf(rootCommonName, algorithm), fmt.Sprintf(issuingCommonName, algorithm)
}

// branches are both, RSA first.
func (a *Authority) branches() []*branch { return []*branch{&a.rsa, &a.gost} }

// branchOf is the hierarchy that certifies a key.
func (a *Authority) branchOf(public crypto.PublicKey) *branch {
	if _, ok := public.(*gost.PublicKey); ok {
		return &a.gost
	}
	return &a.rsa
}

// named finds a branch by what the register calls it; what is older than GOST
// here has no name.
func (a *Authority) named(name string) *branch {
	if name == a.gost.name {
		return &a.gost
	}
	return &a.rsa
}

// generateKey makes a key of the branch's algorithm.
func (a *Authority) generateKey(b *branch, bits int) (crypto.Signer, error) {
	if b == &a.gost {
		return GenerateGOSTKey()
	}
	return a.newKey(bits)
}

// GenerateGOSTKey makes a software key of ST RK GOST R 34.10-2015, 512 bits, on
// the curve that NUC RK certifies.
func GenerateGOSTKey() (*gost.PrivateKey, error) {
	curve, err := gost.CurveByOID(oidGOSTCurve)
	if err != nil {
		return nil, err
	}
	return gost.GenerateKey(rand.Reader, gost.KZ2015x512, curve)
}

// certify makes a certificate. crypto/x509 writes and signs it for RSA; for GOST,
// of which it knows nothing, it writes one for a key of its own, in which
// algorithm, key and signature are then replaced.
func certify(template *x509.Certificate, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	var der []byte
	var err error
	if key, ok := signer.(*gost.PrivateKey); ok {
		der, err = certifyGOST(template, parent, public, key)
	} else {
		der, err = x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "make the certificate")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read our certificate: %w", err)
	}
	return certificate, nil
}

func certifyGOST(template, parent *x509.Certificate, public crypto.PublicKey, key *gost.PrivateKey) ([]byte, error) {
	standIn, err := standInKey()
	if err != nil {
		return nil, err
	}
	t := *template
	t.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	if parent == template {
		parent = &t
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, parent, standIn.Public(), standIn)
	if err != nil {
		return nil, err
	}
	theirs, err := x509.MarshalPKIXPublicKey(standIn.Public())
	if err != nil {
		return nil, err
	}
	ours, err := encodePublicKey(public)
	if err != nil {
		return nil, err
	}
	return signAgain(der, key, theirs, ours)
}

// standInKey is for what crypto/x509 signs and signAgain signs again.
func standInKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// encodePublicKey writes a SubjectPublicKeyInfo.
func encodePublicKey(public crypto.PublicKey) ([]byte, error) {
	if key, ok := public.(*gost.PublicKey); ok {
		return key.Marshal(), nil
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "encode the public key")
	}
	return spki, nil
}

// checkKey refuses keys that are not certified here.
func checkKey(public crypto.PublicKey) error {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < keyBitsMin || public.N.BitLen() > keyBitsMax {
			return fault.New(fault.BadArgument, "/public_key", "an RSA key of %d bits", public.N.BitLen())
		}
	case *ecdsa.PublicKey:
	case *gost.PublicKey:
		if public.Algorithm() != gost.KZ2015x512 {
			return fault.New(fault.BadArgument, "/public_key", "of GOST, 512 bits alone are certified")
		}
	default:
		return fault.New(fault.BadArgument, "/public_key", "neither RSA, ECDSA nor GOST")
	}
	return nil
}

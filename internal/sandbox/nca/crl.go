package nca

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"time"
)

// crl is a CRL that is served until it is due or outdated by a revocation.
type crl struct {
	der []byte
	due time.Time
}

// NUC RK renews its CRL daily and states a nextUpdate of about 27 hours.
const (
	crlValid = 27 * time.Hour
	crlRenew = 24 * time.Hour
)

func (a *Authority) currentCRL(path string, f Fault) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now().UTC().Truncate(time.Second)
	if f == Stale {
		return a.makeCRL(path, now.Add(-staleAge))
	}
	current := a.crls[path]
	if current == nil || !now.Before(current.due) {
		// Saved before it is used: a number is never given out twice.
		a.register.CRLNumber++
		if err := a.save(); err != nil {
			return nil, err
		}
		der, err := a.makeCRL(path, now)
		if err != nil {
			return nil, err
		}
		current = &crl{der, now.Add(crlRenew)}
		a.crls[path] = current
	}
	der := current.der
	if f == BadSignature {
		der = bytes.Clone(der)
		der[len(der)-1] ^= 1
	}
	return der, nil
}

// makeCRL requires a.mu.
func (a *Authority) makeCRL(path string, now time.Time) ([]byte, error) {
	signer := a.root
	template := &x509.RevocationList{
		Number: big.NewInt(a.register.CRLNumber), ThisUpdate: now, NextUpdate: now.Add(crlValid),
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	if path == pathCRL {
		signer = a.issuing
		for serial, row := range a.register.Certificates {
			if row.Status == Good {
				continue
			}
			number, _ := new(big.Int).SetString(serial, 16)
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: number, RevocationTime: row.Since, ReasonCode: row.Reason})
		}
	}
	return x509.CreateRevocationList(rand.Reader, template, signer.certificate, signer.key)
}

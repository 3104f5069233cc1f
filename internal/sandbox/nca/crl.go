package nca

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/senim-kz/senim/pki/gost"
)

// crl is a CRL that is served until it is due or outdated by a revocation.
type crl struct {
	der []byte
	due time.Time
}

// list is one that is published, with how it is made.
type list struct {
	branch *branch
	path   string
	make   func(*branch, time.Time) ([]byte, error)
}

// NUC RK renews its CRL daily and states a nextUpdate of about 27 hours; that of
// its delta is about seven and a half.
const (
	crlValid   = 27 * time.Hour
	crlRenew   = 24 * time.Hour
	deltaValid = 7*time.Hour + 30*time.Minute
	deltaRenew = 6 * time.Hour
)

// base is what a full list said from which deltas go on (RFC 5280 §5.2.4).
// Later full lists are complete without it, and with it too.
type base struct {
	Number int64            `json:"number"`
	Made   time.Time        `json:"made"`
	Listed map[string]*gone `json:"listed"`
}

// gone is an entry of a list.
type gone struct {
	Since  time.Time `json:"since"`
	Reason int       `json:"reason"`
}

var oidDeltaIndicator = oid{2, 5, 29, 27}

// reasonRemove takes a certificate off the list of the base: its hold was lifted.
const reasonRemove = 8

func (a *Authority) currentCRL(l list, f Fault) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now().UTC().Truncate(time.Second)
	if f == Stale {
		return l.make(l.branch, now.Add(-staleAge))
	}
	current := a.crls[l.path]
	if current == nil || !now.Before(current.due) {
		// Saved before it is used: a number is never given out twice.
		a.register.CRLNumber++
		if err := a.save(); err != nil {
			return nil, err
		}
		der, err := l.make(l.branch, now)
		if err != nil {
			return nil, err
		}
		renew := crlRenew
		if l.path == l.branch.pathDelta() {
			renew = deltaRenew
		}
		current = &crl{der, now.Add(renew)}
		a.crls[l.path] = current
	}
	der := current.der
	if f == BadSignature {
		der = bytes.Clone(der)
		der[len(der)-1] ^= 1
	}
	return der, nil
}

// makeRootCRL is of CA certificates, of which none is ever revoked; it requires
// a.mu, as those below.
func (a *Authority) makeRootCRL(b *branch, now time.Time) ([]byte, error) {
	return signCRL(a.emptyCRL(now, crlValid), b.root)
}

// makeCRL is of all that are revoked or on hold. Once a day it is the base of
// the deltas.
func (a *Authority) makeCRL(b *branch, now time.Time) ([]byte, error) {
	listed := a.listed(b)
	if from := a.register.Bases[b.name]; from == nil || !now.Before(from.Made.Add(crlRenew)) {
		if err := a.beginDeltas(b, listed, now); err != nil {
			return nil, err
		}
	}
	t := a.emptyCRL(now, crlValid)
	for _, serial := range slices.Sorted(maps.Keys(listed)) {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, listed[serial].entry(serial))
	}
	return signCRL(t, b.issuing)
}

// makeDelta is of all that changed since the base.
func (a *Authority) makeDelta(b *branch, now time.Time) ([]byte, error) {
	if a.register.Bases[b.name] == nil {
		// The base comes first, and has the lower number.
		der, err := a.makeCRL(b, now)
		if err != nil {
			return nil, err
		}
		a.crls[b.pathCRL()] = &crl{der, now.Add(crlRenew)}
		a.register.CRLNumber++
		if err := a.save(); err != nil {
			return nil, err
		}
	}
	listed, from := a.listed(b), a.register.Bases[b.name]
	t := a.emptyCRL(now, deltaValid)
	number, err := asn1.Marshal(from.Number)
	if err != nil {
		return nil, err
	}
	t.ExtraExtensions = []pkix.Extension{{Id: oidDeltaIndicator, Critical: true, Value: number}}
	for _, serial := range slices.Sorted(maps.Keys(listed)) {
		if !listed[serial].same(from.Listed[serial]) {
			t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, listed[serial].entry(serial))
		}
	}
	for _, serial := range slices.Sorted(maps.Keys(from.Listed)) {
		if listed[serial] == nil {
			lifted := gone{from.Listed[serial].Since, reasonRemove}
			t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, lifted.entry(serial))
		}
	}
	return signCRL(t, b.issuing)
}

// beginDeltas takes what is listed now as the base.
func (a *Authority) beginDeltas(b *branch, listed map[string]*gone, now time.Time) error {
	if a.register.Bases == nil {
		a.register.Bases = make(map[string]*base)
	}
	a.register.Bases[b.name] = &base{Number: a.register.CRLNumber, Made: now, Listed: listed}
	delete(a.crls, b.pathDelta())
	return a.save()
}

// listed are the entries of a branch's list by serial number.
func (a *Authority) listed(b *branch) map[string]*gone {
	out := make(map[string]*gone)
	for serial, row := range a.register.Certificates {
		if row.Status != Good && a.named(row.Branch) == b {
			out[serial] = &gone{row.Since, row.Reason}
		}
	}
	return out
}

func (g *gone) same(other *gone) bool {
	return other != nil && g.Reason == other.Reason && g.Since.Equal(other.Since)
}

func (g *gone) entry(serial string) x509.RevocationListEntry {
	number, _ := new(big.Int).SetString(serial, 16) // the register's own keys
	return x509.RevocationListEntry{SerialNumber: number, RevocationTime: g.Since, ReasonCode: g.Reason}
}

func (a *Authority) emptyCRL(now time.Time, valid time.Duration) *x509.RevocationList {
	return &x509.RevocationList{Number: big.NewInt(a.register.CRLNumber), ThisUpdate: now, NextUpdate: now.Add(valid)}
}

// signCRL has crypto/x509 write the list, and sign it unless the key is of GOST.
func signCRL(t *x509.RevocationList, signer keyPair) ([]byte, error) {
	if _, ok := signer.key.(*gost.PrivateKey); !ok {
		t.SignatureAlgorithm = x509.SHA256WithRSA
		return x509.CreateRevocationList(rand.Reader, t, signer.certificate, signer.key)
	}
	standIn, err := standInKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, signer.certificate, standIn)
	if err != nil {
		return nil, err
	}
	return signAgain(der, signer.key, nil, nil)
}

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
)

// issuers is the small PKI of the decision table. Its CRLs are made by
// crypto/x509 and its OCSP answers by encoding/asn1, not by what is judged.
type issuers struct {
	ca, stranger, responder, expired, leaf, short *holder
}

// holder is a key with its certificate.
type holder struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	parsed      *cert.Certificate
}

const tableHour = time.Hour

func newIssuers() (*issuers, error) {
	w := &issuers{}
	serial := int64(0x1000)
	issue := func(into **holder, issuer *holder, name string, from, to time.Duration, change func(*x509.Certificate)) error {
		serial++
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		t := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: judgedAt.Add(from), NotAfter: judgedAt.Add(to), KeyUsage: x509.KeyUsageDigitalSignature,
		}
		change(t)
		parent, signer := t, key
		if issuer != nil {
			parent, signer = issuer.certificate, issuer.key
		}
		der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
		if err != nil {
			return err
		}
		h := &holder{key: key}
		if h.certificate, err = x509.ParseCertificate(der); err == nil {
			h.parsed, err = cert.Parse(der)
		}
		*into = h
		return err
	}
	ca := func(t *x509.Certificate) {
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	responder := func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }
	const long = 5000 * tableHour
	for _, err := range []error{
		issue(&w.ca, nil, "CA", -long, long, ca),
		issue(&w.stranger, nil, "CA", -long, long, ca),
		issue(&w.responder, w.ca, "responder", -long, long, responder),
		issue(&w.expired, w.ca, "old responder", -long, -2000*tableHour, responder),
		issue(&w.leaf, w.ca, "leaf", -1000*tableHour, 1000*tableHour, func(*x509.Certificate) {}),
		issue(&w.short, w.ca, "leaf", -1000*tableHour, 10*tableHour, func(*x509.Certificate) {}),
	} {
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// item is one piece of evidence to be made.
type item struct {
	kind, status                          string
	since, this, next, produced, retained time.Time
	reason                                int // -1: none
	by                                    string
	base                                  int64
	spoilt, other                         bool
}

// make reads an item of the table and makes it.
func (w *issuers) make(text string, s revocation.Subject) (revocation.Information, error) {
	it, err := readItem(text)
	if err != nil {
		return revocation.Information{}, err
	}
	serial := s.Certificate.Serial
	if it.other {
		serial = new(big.Int).Add(serial, big.NewInt(1000))
	}
	info := revocation.Information{Kind: revocation.CRL, Source: revocation.Given}
	if it.kind == "ocsp" {
		info.Kind = revocation.OCSP
		info.Raw, err = w.answer(it, serial)
	} else {
		info.Raw, err = w.list(it, serial)
	}
	if it.spoilt && err == nil && it.kind != "ocsp" {
		info.Raw[len(info.Raw)-1] ^= 1
	}
	return info, err
}

func readItem(text string) (it item, err error) {
	words := strings.Fields(text)
	it = item{kind: words[0], reason: -1, base: 1, by: "responder"}
	status, since, dated := strings.Cut(words[1], "@")
	it.status = status
	if dated {
		when, reason, given := strings.Cut(since, "/")
		if given {
			if it.reason, err = strconv.Atoi(reason); err != nil {
				return it, err
			}
		}
		if it.since, err = moment(when); err != nil {
			return it, err
		}
	}
	for _, setting := range words[2:] {
		name, value, _ := strings.Cut(setting, "=")
		switch name {
		case "this":
			it.this, err = moment(value)
		case "next":
			it.next, err = moment(value)
		case "produced":
			it.produced, err = moment(value)
		case "cutoff":
			it.retained, err = moment(value)
		case "base":
			it.base, err = strconv.ParseInt(value, 10, 64)
		case "by":
			it.by = value
		case "spoilt":
			it.spoilt = true
		case "other":
			it.other = true
		default:
			err = fmt.Errorf("setting %q", setting)
		}
		if err != nil {
			return it, err
		}
	}
	if it.produced.IsZero() {
		it.produced = it.this
	}
	switch it.status {
	case "hold":
		it.reason = 6
	case "removed":
		it.reason = 8
	case "never":
		it.since, it.reason = time.Unix(0, 0).UTC(), 6
	}
	return it, nil
}

func moment(s string) (time.Time, error) {
	if s == "1970" {
		return time.Unix(0, 0).UTC(), nil
	}
	d, err := offset(s)
	return judgedAt.Add(d), err
}

// list makes a CRL or delta CRL.
func (w *issuers) list(it item, serial *big.Int) ([]byte, error) {
	signer := w.ca
	if it.by == "stranger" {
		signer = w.stranger
	}
	t := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: it.this, NextUpdate: it.next}
	if it.kind == "delta" {
		t.Number = big.NewInt(max(2, it.base+1))
		base, err := asn1.Marshal(it.base)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: base})
	}
	if !it.retained.IsZero() {
		der, err := asn1.MarshalWithParams(it.retained, "generalized")
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 60}, Value: der})
	}
	if it.status != "good" {
		t.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: serial, RevocationTime: it.since, ReasonCode: max(it.reason, 0)}}
	}
	if it.next.IsZero() { // crypto/x509 wants one, RFC 5280 §5.1.2.5 does too; X.509 does not
		return withoutNextUpdate(t, signer)
	}
	return x509.CreateRevocationList(rand.Reader, t, signer.certificate, signer.key)
}

// withoutNextUpdate takes the field out of a list and signs it again.
func withoutNextUpdate(t *x509.RevocationList, signer *holder) ([]byte, error) {
	t.NextUpdate = t.ThisUpdate.Add(time.Second)
	der, err := x509.CreateRevocationList(rand.Reader, t, signer.certificate, signer.key)
	if err != nil {
		return nil, err
	}
	var whole struct {
		TBS struct {
			Version    int
			Algorithm  pkix.AlgorithmIdentifier
			Issuer     asn1.RawValue
			This, Next time.Time
			Entries    []asn1.RawValue  `asn1:"optional"`
			Extensions []pkix.Extension `asn1:"explicit,tag:0"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &whole); err != nil {
		return nil, err
	}
	type tbsList struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		This       time.Time
		Entries    []asn1.RawValue  `asn1:"optional,omitempty"`
		Extensions []pkix.Extension `asn1:"explicit,tag:0"`
	}
	tbs, err := asn1.Marshal(tbsList{whole.TBS.Version, whole.TBS.Algorithm, whole.TBS.Issuer, whole.TBS.This, whole.TBS.Entries, whole.TBS.Extensions})
	if err != nil {
		return nil, err
	}
	signature, err := sign(signer, tbs)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, whole.Algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
}

func sign(signer *holder, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	return signer.key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// answer makes an OCSP response (RFC 6960 §4.2.1).
func (w *issuers) answer(it item, serial *big.Int) ([]byte, error) {
	signer := map[string]*holder{"responder": w.responder, "ca": w.ca, "stranger": w.stranger, "expired": w.expired, "leaf": w.leaf}[it.by]
	if signer == nil {
		return nil, fmt.Errorf("no signer %q", it.by)
	}
	type certID struct {
		Hash              pkix.AlgorithmIdentifier
		NameHash, KeyHash []byte
		Serial            *big.Int
	}
	type single struct {
		ID         certID
		Status     asn1.RawValue
		This       time.Time        `asn1:"generalized"`
		Next       time.Time        `asn1:"generalized,optional,explicit,tag:0"`
		Extensions []pkix.Extension `asn1:"optional,omitempty,explicit,tag:1"`
	}
	status, err := it.certStatus()
	if err != nil {
		return nil, err
	}
	keyHash := sha1.Sum(w.ca.parsed.KeyBits())
	nameHash := sha1.Sum(w.ca.certificate.RawSubject)
	s := single{
		ID:     certID{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}}, nameHash[:], keyHash[:], serial},
		Status: status, This: it.this, Next: it.next,
	}
	if !it.retained.IsZero() {
		der, err := asn1.MarshalWithParams(it.retained, "generalized")
		if err != nil {
			return nil, err
		}
		s.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}, Value: der}}
	}
	responderHash := sha1.Sum(signer.parsed.KeyBits())
	data, err := asn1.Marshal(struct {
		Responder []byte    `asn1:"explicit,tag:2"`
		Produced  time.Time `asn1:"generalized"`
		Responses []single
	}{responderHash[:], it.produced, []single{s}})
	if err != nil {
		return nil, err
	}
	signature, err := sign(signer, data)
	if err != nil {
		return nil, err
	}
	if it.spoilt {
		signature[len(signature)-1] ^= 1
	}
	basic, err := asn1.Marshal(struct {
		Data         asn1.RawValue
		Algorithm    pkix.AlgorithmIdentifier
		Signature    asn1.BitString
		Certificates []asn1.RawValue `asn1:"explicit,tag:0"`
	}{
		asn1.RawValue{FullBytes: data}, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}, []asn1.RawValue{{FullBytes: signer.certificate.Raw}},
	})
	if err != nil {
		return nil, err
	}
	type bytesOf struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	}
	return asn1.Marshal(struct {
		Status asn1.Enumerated
		Bytes  bytesOf `asn1:"explicit,tag:0"`
	}{0, bytesOf{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}, basic}})
}

// certStatus is the CHOICE: [0] good, [1] revoked, [2] unknown.
func (it item) certStatus() (asn1.RawValue, error) {
	implicit := func(tag int, compound bool, content []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: compound, Bytes: content}
	}
	switch it.status {
	case "good":
		return implicit(0, false, nil), nil
	case "unknown":
		return implicit(2, false, nil), nil
	}
	content, err := asn1.MarshalWithParams(it.since, "generalized")
	if err == nil && it.reason >= 0 {
		var reason []byte
		if reason, err = asn1.MarshalWithParams(asn1.Enumerated(it.reason), "explicit,tag:0"); err == nil {
			content = append(content, reason...)
		}
	}
	return implicit(1, true, content), err
}

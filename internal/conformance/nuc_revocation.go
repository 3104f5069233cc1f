package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/pkcs12"
	"github.com/senim-kz/senim/pki/revocation"
)

// nucEntry is what expected.json says about a file, found out independently.
type nucEntry struct {
	Kind, Serial, Password string
	IssuerFile             json.RawMessage // a name, or a list of one
	NotBefore, NotAfter    string
	SignatureValid         bool

	// of a CRL
	ThisUpdate, NextUpdate string
	Entries                int
	// of an OCSP answer
	Status, ProducedAt, RevocationTime string
	Reason                             int
	Responder                          struct{ IssuerFile json.RawMessage }
	// of a key
	RevokedInCRL []struct{ CRL, RevocationDate, Reason string }
}

// nucSet is the folder of NUC RK's data.
type nucSet struct {
	folder  string
	entries map[string]nucEntry
	issuers map[string]*cert.Certificate
	keys    map[string]*cert.Certificate // of p12 files, by serial number
}

// runNUCRevocation judges NUC RK's CRLs, OCSP answers and certificates at fixed
// times: as of each list, the second before a revocation and the second after,
// by the list and by the answer alone and by both together.
func runNUCRevocation(o options) ([]outcome, error) {
	n := &nucSet{folder: filepath.Join(o.data, "nuc-rk"), issuers: map[string]*cert.Certificate{}, keys: map[string]*cert.Certificate{}}
	data, err := index(n.folder, "expected.json")
	if err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	n.entries = make(map[string]nucEntry)
	for name, text := range raw {
		var e nucEntry
		// Entries of other kinds have fields of the same names and other types.
		if json.Unmarshal(text, &e) == nil {
			n.entries[name] = e
		}
	}
	var out []outcome
	for _, judge := range []func(string, nucEntry) ([]outcome, error){n.list, n.keyByLists, n.answer} {
		for _, name := range slices.Sorted(maps.Keys(n.entries)) {
			rows, err := judge(name, n.entries[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out = append(out, rows...)
		}
	}
	return out, nil
}

// list judges that a CRL can be read and is rightly signed.
func (n *nucSet) list(name string, e nucEntry) ([]outcome, error) {
	if e.Kind != "crl" {
		return nil, nil
	}
	issuer := n.issuer(e.IssuerFile, nil)
	if issuer == nil {
		return nil, nil
	}
	der, err := os.ReadFile(filepath.Join(n.folder, name))
	if err != nil {
		return nil, err
	}
	want, got := invalid, invalid
	if e.SignatureValid {
		want = fmt.Sprint(valid, " ", e.Entries)
	}
	l, err := revocation.ParseList(der)
	var x *revocation.Index
	if err == nil {
		x, err = revocation.NewIndex(l)
	}
	if err == nil {
		s := numbered(big.NewInt(1), issuer)
		_, err = revocation.CheckCRL(revocation.Information{Kind: revocation.CRL, Raw: der, Source: revocation.Given}, s, revocation.Rules{At: l.ThisUpdate})
	}
	if err == nil {
		got = fmt.Sprint(valid, " ", x.Len())
	}
	return []outcome{saying(name, want, got, err)}, nil
}

// keyByLists judges the certificate of a key by each list of its issuer.
func (n *nucSet) keyByLists(name string, e nucEntry) ([]outcome, error) {
	if e.Kind != "p12" {
		return nil, nil
	}
	c, err := n.key(name, e)
	if err != nil {
		return []outcome{saying(name, wordGood, wordUnknown, err)}, nil
	}
	issuer := n.issuer(e.IssuerFile, c)
	if issuer == nil {
		return nil, nil
	}
	s := revocation.Subject{Certificate: c, Issuer: issuer}
	var out []outcome
	for _, file := range slices.Sorted(maps.Keys(n.entries)) {
		l := n.entries[file]
		if by := n.issuer(l.IssuerFile, nil); l.Kind != "crl" || by == nil || !bytes.Equal(by.RawSPKI, issuer.RawSPKI) {
			continue
		}
		info, err := n.information(revocation.CRL, file)
		if err != nil {
			return nil, err
		}
		made, next := nucTime(l.ThisUpdate), nucTime(l.NextUpdate)
		at := made
		if c.NotBefore.After(at) {
			at = c.NotBefore
		}
		want := wordGood
		if at.After(next) || made.After(c.NotAfter) {
			want = wordUnknown // the list has run out by then, or need not say any more
		}
		for _, r := range e.RevokedInCRL {
			if r.CRL != file {
				continue
			}
			since := nucTime(r.RevocationDate)
			want = reasonWord(r.Reason == "certificateHold")
			id := name + "/" + filepath.Base(file)
			out = append(out,
				status(id+"/before", wordGood, s, since.Add(-time.Second), made, info),
				status(id+"/after", want, s, since.Add(time.Second), made, info))
		}
		out = append(out, status(name+"/"+filepath.Base(file), want, s, at, at, info))
	}
	return out, nil
}

// answer judges an OCSP answer at the time when it was made: by itself, and
// beside the lists about the same certificate where its key is at hand.
func (n *nucSet) answer(name string, e nucEntry) ([]outcome, error) {
	if e.Kind != "ocsp" {
		return nil, nil
	}
	issuer := n.issuer(e.Responder.IssuerFile, nil)
	if issuer == nil {
		return nil, nil
	}
	serial, ok := new(big.Int).SetString(e.Serial, 16)
	if !ok {
		return nil, fmt.Errorf("serial number %q", e.Serial)
	}
	info, err := n.information(revocation.OCSP, name)
	if err != nil {
		return nil, err
	}
	made, since := nucTime(e.ProducedAt), nucTime(e.RevocationTime)
	want := map[string]string{"good": wordGood, "unknown": wordUnknown, "revoked": reasonWord(e.Reason == 6)}[e.Status]
	if since.Equal(time.Unix(0, 0)) {
		want = wordUnknown
	}
	out := []outcome{status(name, want, numbered(serial, issuer), made, made, info)}
	c := n.keys[e.Serial]
	if c == nil {
		return out, nil
	}
	s := revocation.Subject{Certificate: c, Issuer: issuer}
	both := []revocation.Information{info}
	earliest, listed := since, want == wordRevoked || want == wordHold
	for _, file := range slices.Sorted(maps.Keys(n.entries)) {
		l := n.entries[file]
		if by := n.issuer(l.IssuerFile, nil); l.Kind != "crl" || by == nil || !bytes.Equal(by.RawSPKI, issuer.RawSPKI) {
			continue
		}
		given, err := n.information(revocation.CRL, file)
		if err != nil {
			return nil, err
		}
		both = append(both, given)
	}
	for _, key := range n.entries {
		for _, r := range key.RevokedInCRL {
			if since := nucTime(r.RevocationDate); key.Serial == e.Serial && since.Before(earliest) {
				earliest = since
			}
		}
	}
	if want == wordGood && made.After(c.NotAfter) {
		want = wordUnknown
	}
	out = append(out, status(name+"/with-lists", want, s, made, made, both...))
	if listed {
		out = append(out,
			status(name+"/with-lists/before", wordGood, s, earliest.Add(-time.Second), made, both...),
			status(name+"/with-lists/after", want, s, earliest.Add(time.Second), made, both...))
	}
	return out, nil
}

// status says what a checker finds at a time, at work at another.
func status(id, want string, s revocation.Subject, at, now time.Time, given ...revocation.Information) outcome {
	rules := revocation.Rules{At: at, Now: now}
	result := (&revocation.Checker{Given: given}).Check(context.Background(), s, rules)
	return outcome{id: id, want: want, got: word(result, rules), detail: explain(result), reason: fault.CodeOf(result.Verdict(rules))}
}

func reasonWord(hold bool) string {
	if hold {
		return wordHold
	}
	return wordRevoked
}

// numbered stands for a certificate that is not at hand.
func numbered(serial *big.Int, issuer *cert.Certificate) revocation.Subject {
	return revocation.Subject{Certificate: &cert.Certificate{Serial: serial, RawIssuer: issuer.RawSubject, Issuer: issuer.Subject}, Issuer: issuer}
}

func (n *nucSet) information(kind revocation.Kind, file string) (revocation.Information, error) {
	der, err := os.ReadFile(filepath.Join(n.folder, file))
	return revocation.Information{Kind: kind, Raw: der, Source: revocation.Given}, err
}

// key reads the certificate of a key file.
func (n *nucSet) key(name string, e nucEntry) (*cert.Certificate, error) {
	data, err := os.ReadFile(filepath.Join(n.folder, name))
	if err != nil {
		return nil, err
	}
	contents, err := pkcs12.Decode(data, e.Password)
	if err != nil {
		return nil, err
	}
	for _, c := range contents.Certificates {
		if c.SerialHex() == strings.ToLower(e.Serial) {
			n.keys[e.Serial] = c
			return c, nil
		}
	}
	return nil, fmt.Errorf("no certificate with the serial number %s", e.Serial)
}

// issuer finds a CA's certificate by the name of its file, wherever that is: of
// several the one that signed the certificate, where it is given. It is nil where
// the entry names none that is there.
func (n *nucSet) issuer(text json.RawMessage, of *cert.Certificate) *cert.Certificate {
	var name string
	var names []string
	if json.Unmarshal(text, &name) == nil {
		names = []string{name}
	} else if json.Unmarshal(text, &names) != nil {
		return nil
	}
	for _, name := range names {
		if c := n.authority(name); c != nil && (of == nil || of.VerifySignedBy(c) == nil) {
			return c
		}
	}
	return nil
}

// authority reads a CA's certificate once.
func (n *nucSet) authority(name string) *cert.Certificate {
	if c, known := n.issuers[name]; known {
		return c
	}
	n.issuers[name] = nil
	for _, file := range slices.Sorted(maps.Keys(n.entries)) {
		if filepath.Base(file) != name {
			continue
		}
		if certs, err := readCertificates(filepath.Join(n.folder, file)); err == nil && len(certs) > 0 {
			n.issuers[name] = certs[0]
			break
		}
	}
	return n.issuers[name]
}

// nucTime reads a UTCTime or GeneralizedTime as the list writes it.
func nucTime(s string) time.Time {
	layout := "20060102150405Z"
	if len(s) == len("060102150405Z") {
		layout = "060102150405Z"
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

package main

import (
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/pkcs12"
	"github.com/senim-kz/senim/pki/trust"
)

// nucFacts is what expected.json says about a certificate, or about that of a
// key file.
type nucFacts struct {
	Kind, Password, Serial, SHA256, NotBefore, NotAfter, SigAlg, KeyAlg string
	EKU, Policies                                                       []string
	IssuerFile                                                          json.RawMessage // a name, or a list of one
	SignatureValid                                                      *bool
}

// nucCertificate is such an entry with the certificate read.
type nucCertificate struct {
	name  string
	facts nucFacts
	cert  *cert.Certificate
}

// runNUC judges NUC RK's certificates and those in its key files: that they say
// what is expected, that their issuer signed them, and their paths the second
// before they are valid, in the first and the last second of it, and after.
// Revocation is for the set nuc-revocation.
func runNUC(o options) ([]outcome, error) {
	folder := filepath.Join(o.data, "nuc-rk")
	data, err := index(folder, "expected.json")
	if err != nil {
		return nil, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	byFile := make(map[string]*nucCertificate)
	var list []*nucCertificate
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		n := &nucCertificate{name: name}
		// Entries of other kinds have fields of the same names and other types.
		if json.Unmarshal(raw[name], &n.facts) != nil || n.facts.Kind != "certificate" && n.facts.Kind != "p12" {
			continue
		}
		if n.cert, err = n.read(folder); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, n)
		if n.facts.Kind == "certificate" {
			byFile[filepath.Base(name)] = n
		}
	}
	var out []outcome
	for _, n := range list {
		out = append(out, saying(n.name+" says", n.facts.wanted(), n.said(), nil))
		chain := n.chain(byFile)
		if len(chain) > 1 && n.facts.SignatureValid != nil {
			want := invalid
			if *n.facts.SignatureValid {
				want = valid
			}
			out = append(out, judged(n.name+" is signed", want, n.cert.VerifySignedBy(chain[1].cert)))
		}
		rows, err := judgeNUCPath(chain)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		out = append(out, rows...)
	}
	return out, nil
}

func (n *nucCertificate) read(folder string) (*cert.Certificate, error) {
	data, err := os.ReadFile(filepath.Join(folder, n.name))
	if err != nil {
		return nil, err
	}
	if n.facts.Kind == "certificate" {
		certs, err := cert.ParseBundle(data)
		if err != nil {
			return nil, err
		}
		return certs[0], nil
	}
	contents, err := pkcs12.Decode(data, n.facts.Password)
	if err != nil {
		return nil, err
	}
	for _, c := range contents.Certificates {
		if c.SerialHex() == n.facts.Serial {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no certificate %s in it", n.facts.Serial)
}

// wanted and said write the same facts, in the same order.
func (f nucFacts) wanted() string {
	return fmt.Sprint(valid, " ", f.Serial, " ", f.NotBefore, " ", f.NotAfter, " ", f.KeyAlg, " ", f.SigAlg, " ", f.SHA256, f.EKU, f.Policies)
}

func (n *nucCertificate) said() string {
	const layout = "060102150405Z"
	c := n.cert
	said := nucFacts{
		Serial: c.SerialHex(), NotBefore: c.NotBefore.Format(layout), NotAfter: c.NotAfter.Format(layout), KeyAlg: c.KeyAlgorithm.OID.String(),
		EKU: dottedList(c.ExtKeyUsage),
	}
	if n.facts.Kind == "certificate" { // key files are described by less
		fingerprint := c.Fingerprint()
		said.SHA256, said.SigAlg, said.Policies = hex.EncodeToString(fingerprint[:]), c.SignatureAlgorithm.OID.String(), dottedList(c.Policies)
	}
	return said.wanted()
}

func dottedList(oids []asn1.ObjectIdentifier) []string {
	return strings.Fields(dotted(oids))
}

// chain follows the issuers' files up to one that issued itself, or whose issuer
// is not there.
func (n *nucCertificate) chain(byFile map[string]*nucCertificate) []*nucCertificate {
	chain := []*nucCertificate{n}
	for {
		top := chain[len(chain)-1]
		var name string
		var names []string
		if json.Unmarshal(top.facts.IssuerFile, &name) != nil && json.Unmarshal(top.facts.IssuerFile, &names) == nil && len(names) == 1 {
			name = names[0]
		}
		issuer := byFile[name]
		if issuer == nil || slices.ContainsFunc(chain, func(c *nucCertificate) bool { return c.cert.Equal(issuer.cert) }) {
			return chain
		}
		chain = append(chain, issuer)
	}
}

// judgeNUCPath builds the path at the ends of the leaf's validity. It is valid
// where all below the anchor are.
func judgeNUCPath(chain []*nucCertificate) ([]outcome, error) {
	top := chain[len(chain)-1].cert
	anchors, err := trust.New(top)
	if err != nil {
		return nil, err
	}
	r := path.Request{Leaf: chain[0].cert, Anchors: anchors}
	for _, n := range chain[1:] {
		r.Intermediates = append(r.Intermediates, n.cert)
	}
	var out []outcome
	for _, when := range []struct {
		name string
		at   time.Time
	}{
		{"before", r.Leaf.NotBefore.Add(-time.Second)}, {"at the first second", r.Leaf.NotBefore},
		{"at the last second", r.Leaf.NotAfter}, {"after", r.Leaf.NotAfter.Add(time.Second)},
	} {
		want := valid
		for _, n := range chain[:max(len(chain)-1, 1)] {
			from, until := nucTime(n.facts.NotBefore), nucTime(n.facts.NotAfter)
			if when.at.Before(from) || when.at.After(until) {
				want = invalid
			}
		}
		r.At = when.at
		_, err := path.Build(r)
		out = append(out, judged(chain[0].name+" "+when.name, want, err))
	}
	return out, nil
}

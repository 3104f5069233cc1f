package trust

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// CryptoPolicy says which algorithms and key sizes are good enough, and until
// when. It is apart from path validation: a path is valid by RFC 5280 whatever
// it is signed with. What no rule names is not acceptable.
type CryptoPolicy struct {
	Name    string       `json:"name"`
	Digests []DigestRule `json:"digests"`
	Keys    []KeyRule    `json:"keys"`
}

// DigestRule accepts a digest by its name in pki/algo; "GOST" stands for all of
// that family.
type DigestRule struct {
	Name  string    `json:"name"`
	Until time.Time `json:"until,omitzero"` // zero: without end
}

// KeyRule accepts keys of an algorithm from a length on.
type KeyRule struct {
	Name  string    `json:"name"`
	Bits  int       `json:"bits"`
	Until time.Time `json:"until,omitzero"`
}

// cryptoPolicies are the built-in ones. The dates of "etsi" are those of ETSI TS
// 119 312 as EU validators apply them; GOST's algorithms are Kazakhstan's own
// standard and have no end set.
var cryptoPolicies = map[string]*CryptoPolicy{
	"etsi": {
		Name: "etsi",
		Digests: []DigestRule{
			{Name: "SHA-1", Until: endOf(2012, 8)}, {Name: "SHA-224", Until: endOf(2029, 1)}, {Name: "SHA-256"}, {Name: "SHA-384"}, {Name: "SHA-512"},
			{Name: "SHA3-256"}, {Name: "SHA3-384"}, {Name: "SHA3-512"}, {Name: "GOST"},
		},
		Keys: []KeyRule{
			{Name: "RSA", Bits: 1024, Until: endOf(2019, 10)}, {Name: "RSA", Bits: 1900, Until: endOf(2029, 1)}, {Name: "RSA", Bits: 3000},
			{Name: "DSA", Bits: 1024, Until: endOf(2015, 12)}, {Name: "DSA", Bits: 2048, Until: endOf(2029, 1)},
			{Name: "ECDSA", Bits: 256}, {Name: "Ed25519"}, {Name: "GOST"},
		},
	},
	"sha2": {
		Name:    "sha2",
		Digests: []DigestRule{{Name: "SHA-224"}, {Name: "SHA-256"}, {Name: "SHA-384"}, {Name: "SHA-512"}, {Name: "GOST"}},
		Keys:    []KeyRule{{Name: "RSA", Bits: 2048}, {Name: "ECDSA", Bits: 256}, {Name: "Ed25519"}, {Name: "GOST"}},
	},
}

// endOf is the first moment of a month, when what ends with it has ended.
func endOf(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// CryptoPolicyNames lists the built-in policies.
func CryptoPolicyNames() []string { return slices.Sorted(maps.Keys(cryptoPolicies)) }

// CryptoPolicyByName finds a built-in policy.
func CryptoPolicyByName(name string) (*CryptoPolicy, error) {
	if p, ok := cryptoPolicies[name]; ok {
		return p, nil
	}
	return nil, fault.New(fault.BadArgument, "crypto-policy", "%q is none of %s", name, strings.Join(CryptoPolicyNames(), ", "))
}

// cryptoRulesMax bounds the rules of a file.
const cryptoRulesMax = 1000

// ParseCryptoPolicy reads a policy in JSON; what it does not know, it refuses.
func ParseCryptoPolicy(data []byte) (*CryptoPolicy, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	p := &CryptoPolicy{}
	if err := d.Decode(p); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "crypto-policy", "read the policy")
	}
	if d.More() || p.Name == "" || len(p.Digests)+len(p.Keys) > cryptoRulesMax {
		return nil, fault.New(fault.BadArgument, "crypto-policy", "not one policy with a name and at most %d rules", cryptoRulesMax)
	}
	for _, d := range p.Digests {
		if known, err := algo.DigestByName(d.Name); d.Name != gostFamily && (err != nil || known.Name != d.Name) {
			return nil, fault.New(fault.BadArgument, "crypto-policy", "%q is no digest known here", d.Name)
		}
	}
	for _, k := range p.Keys {
		if !slices.Contains(keyNames, k.Name) && !strings.HasPrefix(k.Name, gostFamily+" ") {
			return nil, fault.New(fault.BadArgument, "crypto-policy", "%q is none of %s", k.Name, strings.Join(keyNames, ", "))
		}
		if k.Bits < 0 {
			return nil, fault.New(fault.BadArgument, "crypto-policy", "a key of %d bits", k.Bits)
		}
	}
	return p, nil
}

// gostFamily is the name of a rule for all algorithms of GOST.
const gostFamily = "GOST"

// keyNames are the names of rules for keys, beside those of single standards of
// GOST.
var keyNames = []string{"RSA", "DSA", "ECDSA", "Ed25519", gostFamily}

// names reports whether a rule for the name is about the algorithm.
func names(rule, algorithm string) bool {
	return rule == algorithm || rule == gostFamily && strings.HasPrefix(algorithm, gostFamily+" ")
}

func current(until, at time.Time) bool { return until.IsZero() || at.Before(until) }

// AllowsDigest reports whether the digest is good enough at the time.
func (p *CryptoPolicy) AllowsDigest(d *algo.Digest, at time.Time) bool {
	until, ever := p.DigestUntil(d)
	return ever && current(until, at)
}

// AllowsKey reports whether the key is good enough at the time.
func (p *CryptoPolicy) AllowsKey(k algo.Key, at time.Time) bool {
	until, ever := p.KeyUntil(k)
	return ever && current(until, at)
}

// DigestUntil says since when the digest is no longer good enough: zero if there
// is no such time. ever is false if it never was.
func (p *CryptoPolicy) DigestUntil(d *algo.Digest) (until time.Time, ever bool) {
	for _, r := range p.Digests {
		if names(r.Name, d.Name) {
			until, ever = later(until, r.Until, ever), true
		}
	}
	return until, ever
}

// KeyUntil is DigestUntil for a key.
func (p *CryptoPolicy) KeyUntil(k algo.Key) (until time.Time, ever bool) {
	for _, r := range p.Keys {
		if names(r.Name, k.Name) && k.Bits >= r.Bits {
			until, ever = later(until, r.Until, ever), true
		}
	}
	return until, ever
}

// later is the later of two ends, zero being none; without a first it is the
// second.
func later(a, b time.Time, first bool) time.Time {
	if first && (a.IsZero() || !b.IsZero() && a.After(b)) {
		return a
	}
	return b
}

// CheckKey refuses a key that is not good enough at the time (algorithm_forbidden),
// saying since when. A nil policy allows everything.
func (p *CryptoPolicy) CheckKey(key crypto.PublicKey, at time.Time) error {
	if p == nil {
		return nil
	}
	k, ok := algo.KeyOf(key)
	if !ok {
		return fault.New(fault.AlgorithmForbidden, "", "policy %s: a key of an algorithm without a name", p.Name)
	}
	if until, ever := p.KeyUntil(k); !ever || !current(until, at) {
		return fault.New(fault.AlgorithmForbidden, "", "policy %s: a key of %s with %d bits%s", p.Name, k.Name, k.Bits, since(until, ever))
	}
	return nil
}

// CheckSignature is CheckKey for a signature: its key and its digest.
func (p *CryptoPolicy) CheckSignature(s *algo.Signature, key crypto.PublicKey, at time.Time) error {
	if err := p.CheckKey(key, at); err != nil || p == nil || s.Digest == nil {
		return err
	}
	if until, ever := p.DigestUntil(s.Digest); !ever || !current(until, at) {
		return fault.New(fault.AlgorithmForbidden, "", "policy %s: signed with %s%s", p.Name, s.Name, since(until, ever))
	}
	return nil
}

func since(until time.Time, ever bool) string {
	if !ever {
		return ""
	}
	return ", not good enough since " + until.Format(time.DateOnly)
}

// CheckPath holds the certificates of a path, leaf first, against the policy at
// a time: every key, and the digest in every signature but the anchor's. A nil
// policy allows everything.
func (p *CryptoPolicy) CheckPath(path []*cert.Certificate, at time.Time) error {
	if p == nil {
		return nil
	}
	for i, c := range path {
		where := fmt.Sprintf("path/%d", i)
		if i == len(path)-1 {
			if err := p.CheckKey(c.PublicKey, at); err != nil {
				return fault.Wrap(err, fault.AlgorithmForbidden, where, "hold the anchor's key against the policy")
			}
			break
		}
		s, err := algo.SignatureByIdentifier(c.SignatureAlgorithm, nil)
		if err != nil {
			return fault.Wrap(err, fault.CodeOf(err), where, "find the certificate's signature algorithm")
		}
		if err := p.CheckKey(c.PublicKey, at); err != nil {
			return fault.Wrap(err, fault.AlgorithmForbidden, where, "hold the key against the policy")
		}
		if err := p.CheckSignature(s, path[i+1].PublicKey, at); err != nil {
			return fault.Wrap(err, fault.AlgorithmForbidden, where, "hold the signature against the policy")
		}
	}
	return nil
}

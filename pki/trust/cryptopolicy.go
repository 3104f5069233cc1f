package trust

import (
	"bytes"
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
	for _, k := range p.Keys {
		if k.Bits < 0 {
			return nil, fault.New(fault.BadArgument, "crypto-policy", "a key of %d bits", k.Bits)
		}
	}
	return p, nil
}

// names reports whether a rule for the name is about the algorithm.
func names(rule, algorithm string) bool {
	return rule == algorithm || rule == "GOST" && strings.HasPrefix(algorithm, "GOST ")
}

func current(until, at time.Time) bool { return until.IsZero() || at.Before(until) }

// AllowsDigest reports whether the digest is good enough at the time.
func (p *CryptoPolicy) AllowsDigest(d *algo.Digest, at time.Time) bool {
	return slices.ContainsFunc(p.Digests, func(r DigestRule) bool { return names(r.Name, d.Name) && current(r.Until, at) })
}

// AllowsKey reports whether the key is good enough at the time.
func (p *CryptoPolicy) AllowsKey(k algo.Key, at time.Time) bool {
	return slices.ContainsFunc(p.Keys, func(r KeyRule) bool { return names(r.Name, k.Name) && k.Bits >= r.Bits && current(r.Until, at) })
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
		if k, ok := algo.KeyOf(c.PublicKey); !ok || !p.AllowsKey(k, at) {
			return fault.New(fault.AlgorithmForbidden, where, "policy %s: a key of %s with %d bits", p.Name, k.Name, k.Bits)
		}
		if i == len(path)-1 {
			break
		}
		s, err := algo.SignatureByIdentifier(c.SignatureAlgorithm, nil)
		if err != nil {
			return fault.Wrap(err, fault.CodeOf(err), where, "find the certificate's signature algorithm")
		}
		if s.Digest != nil && !p.AllowsDigest(s.Digest, at) {
			return fault.New(fault.AlgorithmForbidden, where, "policy %s: signed with %s", p.Name, s.Name)
		}
	}
	return nil
}

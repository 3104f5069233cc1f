package verifier

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/pki/trust"
)

// DefaultPolicy is the one used when none is named.
const DefaultPolicy = "kz-qualified"

// basePolicy is what a policy file extends if it names nothing.
const basePolicy = "etsi-basic"

const (
	policyBytesMax  = 1 << 20
	policyValuesMax = 100_000 // in one list: who may sign may be a whole ministry
	cryptoRulesMax  = 1000    // in one suite
)

//go:embed policies/*.yaml
var policyFiles embed.FS

// builtIn lists the built-in policies, the default first.
var builtIn = []string{DefaultPolicy, basePolicy, "strict"}

// PolicyNames lists the built-in policies, the default first.
func PolicyNames() []string { return slices.Clone(builtIn) }

// PolicyByName gives a built-in policy; "" is the default one. A name that looks
// like a file is read as one.
func PolicyByName(name string) (Policy, error) {
	if name == "" {
		name = DefaultPolicy
	}
	if slices.Contains(builtIn, name) {
		return builtInPolicy(name)
	}
	if strings.ContainsAny(name, `/\.`) {
		return policyFromFile(name)
	}
	return Policy{}, fault.New(fault.PolicyUnknown, "--policy", "%q; built in: %s", name, strings.Join(builtIn, ", "))
}

func builtInPolicy(name string) (Policy, error) {
	raw, err := policyFiles.ReadFile("policies/" + name + ".yaml")
	if err != nil {
		return Policy{}, fault.Wrap(err, fault.Internal, "", "read the policy %s", name)
	}
	return ParsePolicy(raw)
}

func policyFromFile(path string) (Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return Policy{}, fault.Wrap(err, fault.Unreadable, path, "open the policy")
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, policyBytesMax+1))
	if err != nil {
		return Policy{}, fault.Wrap(err, fault.Unreadable, path, "read the policy")
	}
	return ParsePolicy(raw)
}

// ParsePolicy reads a validation policy in YAML. What it does not know, it
// refuses: a constraint that is misspelt would not be looked at.
func ParsePolicy(raw []byte) (Policy, error) {
	if len(raw) > policyBytesMax {
		return Policy{}, fault.New(fault.InputTooBig, "policy", "more than %d bytes", policyBytesMax)
	}
	var head struct {
		Name    string `yaml:"name"`
		Extends string `yaml:"extends"`
	}
	if err := yaml.Unmarshal(raw, &head); err != nil {
		return Policy{}, fault.Wrap(err, fault.PolicyInvalid, "policy", "read the policy")
	}
	p, err := extended(head.Name, head.Extends)
	if err != nil {
		return Policy{}, err
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		return Policy{}, fault.Wrap(err, fault.PolicyInvalid, "policy", "read the policy")
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Policy{}, fault.New(fault.PolicyInvalid, "policy", "more than one document")
	}
	return p, p.complete()
}

// extended gives the policy that one of a name starts from. etsi-basic starts
// from nothing.
func extended(name, from string) (Policy, error) {
	switch {
	case name == basePolicy && from == "":
		return Policy{}, nil
	case from == "":
		from = basePolicy
	case from == name || !slices.Contains(builtIn, from):
		return Policy{}, fault.New(fault.PolicyInvalid, "policy/extends", "%q; built in: %s", from, strings.Join(builtIn, ", "))
	}
	p, err := builtInPolicy(from)
	p.Name, p.Description = "", ""
	return p, err
}

// values lists, for each constraint with values, which it can have; nil is
// judged by check.
type values struct {
	key    string
	choice *Choice
	known  []string
	check  func(string) bool
}

// complete checks the values and resolves the suites.
func (p *Policy) complete() error {
	if p.Name == "" {
		return fault.New(fault.PolicyInvalid, "policy/name", "a policy needs a name: reports say it")
	}
	for _, v := range []values{
		{"signature/levels", &p.Signature.Levels, levelOrder, nil},
		{"signer/key_usage", &p.Signer.KeyUsage, cert.KeyUsage(1<<9 - 1).Names(), nil},
		{"signer/extended_key_usage", &p.Signer.ExtendedKeyUsage, nil, isOID},
		{"signer/policies", &p.Signer.Policies, nil, isOID},
		{"signer/roles", &p.Signer.Roles, nil, isOID},
		{"signer/key_store", &p.Signer.KeyStore, []string{string(cert.StoreFile), string(cert.StoreHardware), string(cert.StoreCloud)}, nil},
		{"signer/kind", &p.Signer.Kind, []string{kindIndividual, kindLegal}, nil},
		{"signer/iin", &p.Signer.IIN, nil, isIIN},
		{"signer/bin", &p.Signer.BIN, nil, isBIN},
		{"timestamps/policies", &p.Timestamps.Policies, nil, isOID},
	} {
		if err := v.ok(); err != nil {
			return err
		}
	}
	if p.Revocation.Freshness.MaxAge < 0 || p.Timestamps.Delay.Max < 0 {
		return fault.New(fault.PolicyInvalid, "policy", "a negative span of time")
	}
	for key, s := range map[string]*Suite{
		"default": &p.Cryptography.Default, "signer": &p.Cryptography.Signer, "ca": &p.Cryptography.CA,
		"timestamp": &p.Cryptography.Timestamp, "revocation": &p.Cryptography.Revocation,
	} {
		if err := s.resolve("policy/cryptography/"+key, p.Name); err != nil {
			return err
		}
	}
	if p.Cryptography.Default.isZero() {
		return fault.New(fault.PolicyInvalid, "policy/cryptography/default", "no algorithm would be good enough")
	}
	return nil
}

func (v values) ok() error {
	if len(v.choice.AnyOf)+len(v.choice.AllOf) > policyValuesMax {
		return fault.New(fault.PolicyInvalid, "policy/"+v.key, "more than %d values", policyValuesMax)
	}
	if v.choice.Level != Ignore && len(v.choice.AnyOf)+len(v.choice.AllOf) == 0 {
		return fault.New(fault.PolicyInvalid, "policy/"+v.key, "a constraint without values")
	}
	for _, value := range slices.Concat(v.choice.AnyOf, v.choice.AllOf) {
		if v.check != nil && !v.check(value) || v.check == nil && !slices.Contains(v.known, value) {
			return fault.New(fault.PolicyInvalid, "policy/"+v.key, "%d. value cannot be one", slices.Index(slices.Concat(v.choice.AnyOf, v.choice.AllOf), value)+1)
		}
	}
	return nil
}

func isOID(s string) bool {
	arcs := strings.Split(s, ".")
	for _, arc := range arcs {
		if _, err := strconv.ParseUint(arc, 10, 64); err != nil {
			return false
		}
	}
	return len(arcs) > 1
}

func isIIN(s string) bool { _, err := kz.ParseIIN(s, kz.FormatOnly); return err == nil }
func isBIN(s string) bool { _, err := kz.ParseBIN(s, kz.FormatOnly); return err == nil }

// keyNames are the kinds of keys that a suite can name.
var keyNames = []string{
	"RSA", "DSA", "ECDSA", "Ed25519", gost.KZ2015x256.Name, gost.KZ2015x512.Name, gost.KZ2004.Name,
	gost.RU2012x256.Name, gost.RU2012x512.Name, gost.RU2001.Name,
}

// resolve finds or makes the suite's rules.
func (s *Suite) resolve(at, policy string) error {
	switch {
	case s.isZero():
		s.resolved = nil
		return nil
	case s.Policy != "":
		if len(s.Digests)+len(s.Keys) > 0 {
			return fault.New(fault.PolicyInvalid, at, "a name and rules beside it")
		}
		found, err := trust.CryptoPolicyByName(s.Policy)
		s.resolved = found
		if err != nil {
			return fault.Wrap(err, fault.PolicyInvalid, at, "find the suite")
		}
		return nil
	}
	if len(s.Digests) == 0 || len(s.Keys) == 0 || len(s.Digests)+len(s.Keys) > cryptoRulesMax {
		return fault.New(fault.PolicyInvalid, at, "a suite needs digests and keys, at most %d in all", cryptoRulesMax)
	}
	for _, d := range s.Digests {
		if _, err := algo.DigestByName(d.Name); err != nil {
			return fault.Wrap(err, fault.PolicyInvalid, at, "find the digest %q", d.Name)
		}
	}
	for _, k := range s.Keys {
		if !slices.Contains(keyNames, k.Name) || k.Bits < 0 {
			return fault.New(fault.PolicyInvalid, at, "a key %q of %d bits; known: %s", k.Name, k.Bits, strings.Join(keyNames, ", "))
		}
	}
	s.resolved = &trust.CryptoPolicy{Name: policy, Digests: s.Digests, Keys: s.Keys}
	return nil
}

// UnmarshalYAML reads a suite whole: what an extended policy said of it does not
// mix with what this one says.
func (s *Suite) UnmarshalYAML(node *yaml.Node) error {
	var in struct {
		Policy  string `yaml:"policy"`
		Digests []struct {
			Name  string `yaml:"name"`
			Until string `yaml:"until"`
		} `yaml:"digests"`
		Keys []struct {
			Name  string `yaml:"name"`
			Bits  int    `yaml:"bits"`
			Until string `yaml:"until"`
		} `yaml:"keys"`
	}
	if err := strictly(node, &in); err != nil {
		return err
	}
	*s = Suite{Policy: in.Policy}
	for _, d := range in.Digests {
		until, err := untilDay(d.Until)
		if err != nil {
			return err
		}
		s.Digests = append(s.Digests, trust.DigestRule{Name: d.Name, Until: until})
	}
	for _, k := range in.Keys {
		until, err := untilDay(k.Until)
		if err != nil {
			return err
		}
		s.Keys = append(s.Keys, trust.KeyRule{Name: k.Name, Bits: k.Bits, Until: until})
	}
	return nil
}

// strictly decodes a node and refuses keys that are not known, which
// yaml.Node.Decode alone would pass over.
func strictly(node *yaml.Node, into any) error {
	raw, err := yaml.Marshal(node)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	return d.Decode(into)
}

// untilDay reads the day on which something is no longer good enough, in UTC.
func untilDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no day", s)
	}
	return t, nil
}

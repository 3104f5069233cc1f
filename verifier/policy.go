package verifier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/gost"
)

// Level says what a policy makes of a constraint that does not hold.
type Level uint8

// The levels.
const (
	Warn Level = iota // said in the report, decides nothing
	Fail              // gives the standard's sub-indication
)

// Policy is the set of constraints that a validation runs under (EN 319 102-1
// §5.1.4). Trust anchors come beside it.
type Policy struct {
	Name string

	// SigningCertificateReference is for a signature without the
	// signing-certificate attribute (EN 319 122-1 §5.2.2). One that is present
	// must always match.
	SigningCertificateReference Level

	// SigningKeyUsage demands a certificate with a key usage extension that has
	// digitalSignature and nonRepudiation: what Kazakhstan's order №1187 calls a
	// certificate for signing.
	SigningKeyUsage Level

	// RevocationAge is how old revocation information may be at the time that it
	// is used for. Zero leaves it to nextUpdate, and where there is none, as in
	// NUC RK's answers, to a day.
	RevocationAge time.Duration

	Cryptography Cryptography
}

// Cryptography is the part of a policy about algorithms and key sizes. What is
// not allowed here never was: dates at which algorithms fade come with policy
// files.
type Cryptography struct {
	Digests  []string // names of the algorithm table
	RSABits  int      // the least length of a modulus
	ECDSBits int      // the least length of a curve's field
	Keys     []string // other kinds of keys, by the table's names, of whatever length they come in
}

// international is what ETSI TS 119 312 recommends, as far as the table has it.
var international = Cryptography{
	Digests: []string{"SHA-224", "SHA-256", "SHA-384", "SHA-512", "SHA-512/256", "SHA3-256", "SHA3-384", "SHA3-512"},
	RSABits: 2048, ECDSBits: 256, Keys: []string{"Ed25519"},
}

// kazakhstan adds the state's own standards. GOST 34.310-2004 with GOST
// 34.311-95 is among them for the archive: its authorities expired in 2025, so
// that nothing signed with it passes but what was time-stamped before. Russia's
// algorithms are not: no accredited authority of Kazakhstan certifies their keys.
var kazakhstan = international.with(
	[]string{"Streebog-256", "Streebog-512", "GOST 34.311-95"},
	[]string{gost.KZ2015x256.Name, gost.KZ2015x512.Name, gost.KZ2004.Name},
)

// modern is the same without what is no longer issued.
var modern = international.with([]string{"Streebog-256", "Streebog-512"}, []string{gost.KZ2015x256.Name, gost.KZ2015x512.Name})

func (c Cryptography) with(digests, keys []string) Cryptography {
	c.Digests, c.Keys = slices.Concat(c.Digests, digests), slices.Concat(c.Keys, keys)
	return c
}

// DefaultPolicy is the one used when none is named.
const DefaultPolicy = "kz-qualified"

// policies are the built-in ones.
var policies = []Policy{
	// Kazakhstan's qualified signatures. Much of its archive was made by tools
	// that write no signing-certificate attribute.
	{Name: DefaultPolicy, SigningCertificateReference: Warn, SigningKeyUsage: Fail, Cryptography: kazakhstan},
	// EN 319 102-1 and the baseline levels of EN 319 122-1.
	{Name: "etsi-basic", SigningCertificateReference: Fail, SigningKeyUsage: Warn, Cryptography: international},
	// Both, and revocation information of the hour.
	{Name: "strict", SigningCertificateReference: Fail, SigningKeyUsage: Fail, RevocationAge: time.Hour, Cryptography: modern},
}

// PolicyByName gives a built-in policy; "" is the default one. A name that looks
// like a file is a policy file, which is refused until policies can be read
// from files.
func PolicyByName(name string) (Policy, error) {
	if name == "" {
		name = DefaultPolicy
	}
	for _, p := range policies {
		if p.Name == name {
			return p, nil
		}
	}
	if strings.ContainsAny(name, `/\.`) {
		return Policy{}, fault.New(fault.NotAvailable, "--policy", "a policy from a file")
	}
	return Policy{}, fault.New(fault.PolicyUnknown, "--policy", "%q; built in: %s", name, strings.Join(PolicyNames(), ", "))
}

// PolicyNames lists the built-in policies, the default first.
func PolicyNames() []string {
	names := make([]string, len(policies))
	for i, p := range policies {
		names[i] = p.Name
	}
	return names
}

// allowsDigest takes a digest by the table's name.
func (c Cryptography) allowsDigest(name string) bool { return slices.Contains(c.Digests, name) }

// checkKey holds a certificate's key against the least lengths. A key of an
// algorithm that the table lacks cannot be held against anything, and no
// signature can be checked with it: that is said elsewhere.
func (c Cryptography) checkKey(b *block, holder *cert.Certificate) {
	if key, ok := algo.KeyOf(holder.PublicKey); ok && !c.allowsKey(key) {
		b.doubt("key_size", CryptoConstraintsNoPOE, finding(fault.AlgorithmForbidden, fmt.Sprintf("%s of %d bits", key.Name, key.Bits)))
	}
}

// allowsKey takes a public key by kind and length.
func (c Cryptography) allowsKey(k algo.Key) bool {
	switch k.Name {
	case "RSA":
		return k.Bits >= c.RSABits
	case "ECDSA":
		return k.Bits >= c.ECDSBits
	}
	return slices.Contains(c.Keys, k.Name)
}

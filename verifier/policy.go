package verifier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
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
}

var sha2Only = Cryptography{Digests: []string{"SHA-224", "SHA-256", "SHA-384", "SHA-512"}, RSABits: 2048, ECDSBits: 256}

// DefaultPolicy is the one used when none is named.
const DefaultPolicy = "kz-qualified"

// policies are the built-in ones.
var policies = []Policy{
	// Kazakhstan's qualified signatures. Much of its archive was made by tools
	// that write no signing-certificate attribute.
	{Name: DefaultPolicy, SigningCertificateReference: Warn, SigningKeyUsage: Fail, Cryptography: sha2Only},
	// EN 319 102-1 and the baseline levels of EN 319 122-1.
	{Name: "etsi-basic", SigningCertificateReference: Fail, SigningKeyUsage: Warn, Cryptography: sha2Only},
	// Both, and revocation information of the hour.
	{Name: "strict", SigningCertificateReference: Fail, SigningKeyUsage: Fail, RevocationAge: time.Hour, Cryptography: sha2Only},
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
	return false
}

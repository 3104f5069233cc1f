package verifier

import (
	"fmt"
	"time"

	"github.com/senim-kz/senim/pki/trust"
)

// Level says what becomes of a constraint that does not hold (ETSI TS 119
// 172-4 calls it the status of the constraint).
type Level uint8

// The levels. In a policy file they are written fail, warn, inform and ignore.
const (
	Ignore Level = iota // the constraint is not looked at
	Inform              // said in the tree
	Warn                // said in the report, decides nothing
	Fail                // gives the standard's sub-indication
)

var levelNames = [...]string{Ignore: "ignore", Inform: "inform", Warn: "warn", Fail: "fail"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level %d", uint8(l))
}

// UnmarshalText reads a level by its name.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if string(text) == name {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no level: fail, warn, inform or ignore", text)
}

// MarshalText writes the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Policy is the set of constraints that a validation runs under (EN 319 102-1
// §5.1.4; ETSI TS 119 172-4). Trust anchors come beside it. docs/policies.md
// says what each key means; the zero Policy accepts no algorithm.
type Policy struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Extends names the built-in policy whose values hold where this one says
	// nothing; "" is etsi-basic.
	Extends string `yaml:"extends"`

	Signature    SignatureRules    `yaml:"signature"`
	Signer       SignerRules       `yaml:"signer"`
	Revocation   RevocationRules   `yaml:"revocation"`
	Timestamps   TimestampRules    `yaml:"timestamps"`
	Cryptography CryptographyRules `yaml:"cryptography"`
}

// Choice is a constraint with the values that satisfy it.
type Choice struct {
	Level Level    `yaml:"level"`
	AnyOf []string `yaml:"any_of"`
	AllOf []string `yaml:"all_of"`
}

// SignatureRules are constraints on a signature itself (§5.2.8).
type SignatureRules struct {
	// Levels are the signature levels that are accepted: CMS, B, T, LT, LTA.
	Levels Choice `yaml:"levels"`
	// SigningCertificateReference is for a signature without the
	// signing-certificate attribute (EN 319 122-1 §5.2.2). One that is present
	// must always match.
	SigningCertificateReference Level `yaml:"signing_certificate_reference"`
	// IssuerSerial is for a reference whose digest matches and whose issuer and
	// serial number do not.
	IssuerSerial Level `yaml:"issuer_serial"`
	// SigningTime demands a claimed time, SigningTimeInValidity that it lies
	// within the validity of the signing certificate.
	SigningTime           Level `yaml:"signing_time"`
	SigningTimeInValidity Level `yaml:"signing_time_in_validity"`
	// AttributesInDER is for signed attributes whose value holds only over their
	// DER form.
	AttributesInDER Level `yaml:"attributes_in_der"`
	// CounterSignatures demands that every counter-signature is valid as well.
	CounterSignatures Level `yaml:"counter_signatures"`
	// SignaturePolicy is for a signature that names a signature policy: none is
	// processed here.
	SignaturePolicy Level `yaml:"signature_policy"`
}

// SignerRules are constraints on the signing certificate (§5.2.6, step 5).
type SignerRules struct {
	KeyUsage         Choice `yaml:"key_usage"`          // by RFC 5280's names
	ExtendedKeyUsage Choice `yaml:"extended_key_usage"` // OIDs
	Policies         Choice `yaml:"policies"`           // OIDs of certificate policies
	Roles            Choice `yaml:"roles"`              // OIDs of NUC RK's roles
	KeyStore         Choice `yaml:"key_store"`          // file, hardware, cloud
	Kind             Choice `yaml:"kind"`               // individual, legal
	IIN              Choice `yaml:"iin"`
	BIN              Choice `yaml:"bin"`
}

// RevocationRules are constraints on revocation information.
type RevocationRules struct {
	// Freshness is the revocation freshness constraint (§5.2.5).
	Freshness Freshness `yaml:"freshness"`
	// Signer, CA, Timestamp and TimestampCA demand that the status of such a
	// certificate is known.
	Signer      Level `yaml:"signer"`
	CA          Level `yaml:"ca"`
	Timestamp   Level `yaml:"timestamp"`
	TimestampCA Level `yaml:"timestamp_ca"`
	// ResponderNotExpired is for information whose signer's certificate has
	// expired, where nothing proves that the information is older.
	ResponderNotExpired Level `yaml:"responder_not_expired"`
}

// Freshness is how old revocation information may be at the time that it is
// used for. Without a MaxAge it is as old as its own dates allow, and without
// nextUpdate, as in NUC RK's answers, a day.
type Freshness struct {
	Level  Level         `yaml:"level"`
	MaxAge time.Duration `yaml:"max_age"`
}

// TimestampRules are constraints on time-stamps (§5.4, §5.5).
type TimestampRules struct {
	// Required demands a valid signature time-stamp.
	Required Level `yaml:"required"`
	// ContentRequired demands a valid time-stamp over the content.
	ContentRequired Level `yaml:"content_required"`
	// Delay is the longest time between the claimed signing time and the best
	// signature time.
	Delay Delay `yaml:"delay"`
	// Order demands that content, signature and archive time-stamps follow one
	// another.
	Order Level `yaml:"order"`
	// AuthorityName is for a token that names another authority than its signer.
	AuthorityName Level `yaml:"authority_name"`
	// Policies are the OIDs of time-stamp policies that are accepted.
	Policies Choice `yaml:"policies"`
	// CriticalUsage is for an authority whose extended key usage is not critical
	// or not alone (RFC 3161 §2.3).
	CriticalUsage Level `yaml:"critical_usage"`
	// SigningCertificateReference is for a token without the attribute
	// (RFC 3161 §2.4.2).
	SigningCertificateReference Level `yaml:"signing_certificate_reference"`
}

// Delay is a constraint on a span of time.
type Delay struct {
	Level Level         `yaml:"level"`
	Max   time.Duration `yaml:"max"`
}

// CryptographyRules say which algorithms and key sizes are good enough, and
// until when. Default holds for whatever has no suite of its own.
type CryptographyRules struct {
	Level      Level `yaml:"level"`
	Default    Suite `yaml:"default"`
	Signer     Suite `yaml:"signer"`     // the signature, and the signing certificate's key
	CA         Suite `yaml:"ca"`         // signatures on certificates, and the keys that made them
	Timestamp  Suite `yaml:"timestamp"`  // tokens: signature, key, imprint
	Revocation Suite `yaml:"revocation"` // signatures on CRLs and OCSP answers
}

// Suite is a cryptographic policy, by its name in pki/trust or by its rules.
// The zero Suite says nothing.
type Suite struct {
	Policy  string             `yaml:"policy"`
	Digests []trust.DigestRule `yaml:"digests"`
	Keys    []trust.KeyRule    `yaml:"keys"`

	resolved *trust.CryptoPolicy
}

func (s Suite) isZero() bool { return s.Policy == "" && len(s.Digests) == 0 && len(s.Keys) == 0 }

// purpose is what an algorithm is used for.
type purpose uint8

const (
	forSignature purpose = iota
	forCertificate
	forToken
	forRevocation
)

// suite gives the rules for a purpose; nil accepts nothing.
func (c *CryptographyRules) suite(p purpose) *trust.CryptoPolicy {
	own := [...]*Suite{forSignature: &c.Signer, forCertificate: &c.CA, forToken: &c.Timestamp, forRevocation: &c.Revocation}[p]
	if own.resolved != nil {
		return own.resolved
	}
	return c.Default.resolved
}

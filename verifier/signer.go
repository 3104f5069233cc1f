package verifier

import (
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/verifier/facts"
)

// Kinds of signers that a policy can ask for.
const (
	kindIndividual = "individual"
	kindLegal      = "legal"
)

// usageBits finds a key usage by RFC 5280's name.
var usageBits = func() map[string]cert.KeyUsage {
	bits := map[string]cert.KeyUsage{}
	for bit := cert.KeyUsageDigitalSignature; bit <= cert.KeyUsageDecipherOnly; bit <<= 1 {
		bits[bit.Names()[0]] = bit
	}
	return bits
}()

// satisfied reports whether the values that are there are those that the
// constraint wants.
func (c *Choice) satisfied(has func(string) bool) bool {
	for _, wanted := range c.AllOf {
		if !has(wanted) {
			return false
		}
	}
	return len(c.AnyOf) == 0 || slices.ContainsFunc(c.AnyOf, has)
}

// judge notes whether the constraint holds.
func (c *Choice) judge(b *block, name string, sub SubIndication, f facts.Finding, has func(string) bool) {
	switch {
	case c.Level == Ignore:
	case c.satisfied(has):
		b.pass(name, "")
	default:
		b.apply(c.Level, name, sub, f)
	}
}

// checkSigner holds the leaf against what it was used for and against the
// policy's constraints on who may sign (§5.2.6.4, step 5).
func (j *judgement) checkSigner(b *block, leaf *cert.Certificate, use usage) {
	if use == forTimestamping {
		j.checkAuthority(b, leaf)
		return
	}
	r := &j.policy.Signer
	r.KeyUsage.judge(b, "key_usage", ChainConstraintsFailure, finding(fault.KeyUsageNotSigning, strings.Join(r.KeyUsage.AllOf, ", ")+" are not all set"),
		func(name string) bool { return leaf.KeyUsage&usageBits[name] != 0 })
	r.ExtendedKeyUsage.judge(b, "extended_key_usage", ChainConstraintsFailure, finding(fault.UsageMissing, ""),
		func(oid string) bool { return lists(leaf, oid) })
	r.Policies.judge(b, "certificate_policies", ChainConstraintsFailure, finding(fault.CertificatePolicyRefused, ""), func(oid string) bool {
		for _, p := range leaf.Policies {
			if p.String() == oid {
				return true
			}
		}
		return false
	})
	r.Roles.judge(b, "roles", ChainConstraintsFailure, finding(fault.RoleMissing, ""), func(oid string) bool { return lists(leaf, oid) })
	r.KeyStore.judge(b, "key_store", ChainConstraintsFailure, finding(fault.KeyStoreRefused, leaf.KeyStore.Name), func(kind string) bool { return string(leaf.KeyStore.Kind) == kind })
	j.checkHolder(b, leaf)
}

// checkHolder holds the signer's own numbers against those who may sign. The
// details do not say the numbers: reports are read by others.
func (j *judgement) checkHolder(b *block, leaf *cert.Certificate) {
	r := &j.policy.Signer
	if r.Kind.Level == Ignore && r.IIN.Level == Ignore && r.BIN.Level == Ignore {
		return
	}
	holder := leaf.Holder()
	r.Kind.judge(b, "signer_kind", ChainConstraintsFailure, finding(fault.SignerRefused, ""), func(kind string) bool { return (holder.BIN != "") == (kind == kindLegal) })
	r.IIN.judge(b, "signer_iin", ChainConstraintsFailure, finding(fault.SignerRefused, ""), func(iin string) bool { return holder.IIN.Digits() == iin })
	r.BIN.judge(b, "signer_bin", ChainConstraintsFailure, finding(fault.SignerRefused, ""), func(bin string) bool { return string(holder.BIN) == bin })
}

// lists reports whether the extended key usage lists an OID: NUC RK puts roles
// there as well.
func lists(c *cert.Certificate, oid string) bool {
	for _, usage := range c.ExtKeyUsage {
		if usage.String() == oid {
			return true
		}
	}
	return false
}

// checkAuthority holds the certificate of a time-stamping authority against
// RFC 3161 §2.3: the usage must be there; that it is critical and alone is for
// the policy to insist on.
func (j *judgement) checkAuthority(b *block, leaf *cert.Certificate) {
	const name = "extended_key_usage"
	err := tsp.CheckAuthority(leaf)
	switch {
	case err == nil:
		b.pass(name, "timeStamping")
	case !leaf.HasExtKeyUsage(cert.OIDUsageTimeStamping):
		b.doubt(name, ChainConstraintsFailure, facts.FindingOf(err))
	default:
		b.apply(j.policy.Timestamps.CriticalUsage, name, ChainConstraintsFailure, facts.FindingOf(err))
	}
}

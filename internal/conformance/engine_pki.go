package main

import (
	"crypto/sha1"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier/facts"
)

// enginePKI makes certificates and revocation information of which all is true
// that DSS recorded about those it saw: dates, keys by kind and length, usages,
// who issued what, what of it verifies, what is trusted.
type enginePKI struct {
	data    *diagnosticData
	at      time.Time
	certs   map[string]*diagCert
	keys    map[string]*engineKey
	numbers map[string]int    // of certificates, in their order
	raw     map[string][]byte // certificates
	ids     map[string]string // DSS's ID → ours, of certificates
	signers map[string]bool   // who signs OCSP answers
	issues  map[string]bool   // who issues certificates
}

func newEnginePKI(data *diagnosticData, at time.Time) (*enginePKI, error) {
	p := &enginePKI{
		data: data, at: at, certs: map[string]*diagCert{}, keys: map[string]*engineKey{}, numbers: map[string]int{},
		raw: map[string][]byte{}, ids: map[string]string{}, signers: map[string]bool{}, issues: map[string]bool{},
	}
	used := p.keysUsed()
	for i := range data.Certificates {
		c := &data.Certificates[i]
		p.certs[c.ID], p.numbers[c.ID] = c, i
		p.issues[c.Issuer.Certificate] = true
		kind := engineKind{c.KeyAlgo, c.KeySize}
		if recorded, ok := used[c.ID]; ok {
			kind = recorded
		}
		key, err := engineKeyOf(kind.algorithm, kind.bits, i)
		if err != nil {
			return nil, err
		}
		p.keys[c.ID] = key
	}
	for _, r := range data.Revocations {
		if r.Type == "OCSP" {
			p.signers[r.Signer.Certificate] = true
		}
	}
	for id, c := range p.certs {
		raw, err := p.certificate(c)
		if err != nil {
			return nil, err
		}
		p.raw[id], p.ids[id] = raw, facts.Digest(raw)
	}
	return p, nil
}

type engineKind struct {
	algorithm string
	bits      int
}

// keysUsed are the kinds of keys as they were recorded with what they signed,
// the shortest where they differ: tests of DSS change these alone.
func (p *enginePKI) keysUsed() map[string]engineKind {
	out := map[string]engineKind{}
	note := func(signer string, s diagSigned) {
		if n, err := strconv.Atoi(s.KeyLength); err == nil && signer != "" && (out[signer].bits == 0 || n < out[signer].bits) {
			out[signer] = engineKind{s.Encryption, n}
		}
	}
	for _, c := range p.data.Certificates {
		note(c.Issuer.Certificate, c.Signed)
	}
	for _, r := range p.data.Revocations {
		note(r.Signer.Certificate, r.Signed)
	}
	for _, s := range p.data.Signatures {
		note(s.Signer.Certificate, s.Signed)
	}
	for _, t := range p.data.Timestamps {
		note(t.Signer.Certificate, t.Signed)
	}
	return out
}

// isTrusted reports whether the certificate is an anchor at the validation time.
func (p *enginePKI) isTrusted(c *diagCert) bool {
	if !c.Trusted.Value {
		return false
	}
	sunset, err := engineTime(c.Trusted.Sunset)
	return err != nil || p.at.Before(sunset)
}

func engineName(b *cryptobyte.Builder, name string) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 4, 3})
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
			})
		})
	})
}

// nameOf is a certificate's subject: certificates of one key and name share it.
func (p *enginePKI) nameOf(id string) string {
	if c := p.certs[id]; c != nil && c.EntityKey != "" && strings.HasPrefix(c.EntityKey, "EK-") {
		return c.EntityKey
	}
	return id
}

func engineKeyID(id string) []byte { sum := sha1.Sum([]byte(id)); return sum[:] }

// certificate writes one. What is trusted signs itself: an anchor is a name and a
// key.
func (p *enginePKI) certificate(c *diagCert) ([]byte, error) {
	issuer := c.Issuer.Certificate
	if p.isTrusted(c) || c.SelfSigned {
		issuer = c.ID
	}
	return p.certificateFrom(c, issuer)
}

// certificateFrom writes one as issued by another.
func (p *enginePKI) certificateFrom(c *diagCert, issuer string) ([]byte, error) {
	key, signed := p.keys[issuer], c.Signed
	if issuer == c.ID {
		signed = diagSigned{Encryption: c.KeyAlgo, Digest: "SHA256", Intact: true, Valid: true}
	}
	id := engineAlgorithm(key, signed)
	from, err := engineTime(c.NotBefore)
	if err != nil {
		return nil, fmt.Errorf("notBefore of %s: %w", c.ID, err)
	}
	until, err := engineTime(c.NotAfter)
	if err != nil {
		return nil, fmt.Errorf("notAfter of %s: %w", c.ID, err)
	}
	issuerName := p.nameOf(issuer)
	if issuer == "" {
		issuerName = "issuer of " + c.ID
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
		b.AddASN1BigInt(p.serial(c))
		b.AddBytes(id.der)
		engineName(b, issuerName)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(from); b.AddASN1GeneralizedTime(until) })
		engineName(b, p.nameOf(c.ID))
		b.AddBytes(p.keys[c.ID].spki)
		b.AddASN1(explicitTag(3), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { p.extensions(b, c, issuer) })
		})
	})
	return seal(b.BytesOrPanic(), id, key, signed)
}

func explicitTag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func (p *enginePKI) serial(c *diagCert) *big.Int {
	n, ok := new(big.Int).SetString(strings.TrimSpace(c.Serial), 10)
	if !ok || n.Sign() <= 0 || n.BitLen() > 159 {
		n = big.NewInt(int64(p.numbers[c.ID]) + 1000)
	}
	return n
}

// leadsToAnchor reports whether a certificate's issuers end in one that is
// trusted.
func (p *enginePKI) leadsToAnchor(id string) bool {
	for range len(p.certs) {
		c := p.certs[id]
		if c == nil {
			return false
		}
		if p.isTrusted(c) {
			return true
		}
		id = c.Issuer.Certificate
	}
	return false
}

// extensions are those that the process looks at. Policies and name constraints
// are not among them: DSS's default policy only warns of them.
func (p *enginePKI) extensions(b *cryptobyte.Builder, c *diagCert, issuer string) {
	add := func(oid asn1.ObjectIdentifier, critical bool, value func(*cryptobyte.Builder)) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			if critical {
				b.AddASN1Boolean(true)
			}
			b.AddASN1(cbasn1.OCTET_STRING, value)
		})
	}
	anchor := p.isTrusted(c) && p.issues[c.ID]
	if basic := c.Extensions.Basic; basic != nil && basic.CA || anchor {
		add(cert.OIDBasicConstraints, true, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Boolean(true)
				if basic != nil && basic.PathLen != nil && *basic.PathLen >= 0 && !anchor {
					b.AddASN1Int64(int64(*basic.PathLen))
				}
			})
		})
	}
	if usage := c.Extensions.KeyUsage; usage != nil && !anchor {
		add(cert.OIDKeyUsage, true, func(b *cryptobyte.Builder) { engineUsage(b, usage.Bits) })
	}
	p.extendedUsages(add, c)
	add(cert.OIDSubjectKeyID, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(engineKeyID(c.ID)) })
	if issuer != "" {
		add(cert.OIDAuthorityKeyID, false, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(engineKeyID(issuer)) })
			})
		})
	}
	empty := func(b *cryptobyte.Builder) { b.AddASN1NULL() }
	for _, e := range []struct {
		oid     asn1.ObjectIdentifier
		present *diagPresent
	}{
		{cert.OIDOCSPNoCheck, c.Extensions.NoCheck}, {asn1.ObjectIdentifier{0, 4, 0, 194121, 2, 1}, c.Extensions.ShortTerm},
		{asn1.ObjectIdentifier{2, 5, 29, 56}, c.Extensions.NoRevAvail},
	} {
		if e.present.is() {
			add(e.oid, false, empty)
		}
	}
}

// extendedUsages writes the usages recorded, and that of a responder for who
// signed answers, which DSS does not ask for.
func (p *enginePKI) extendedUsages(add func(asn1.ObjectIdentifier, bool, func(*cryptobyte.Builder)), c *diagCert) {
	var oids []asn1.ObjectIdentifier
	critical := false
	if usages := c.Extensions.Usages; usages != nil {
		critical = usages.Critical
		for _, text := range usages.OIDs {
			if oid, err := engineOID(text); err == nil {
				oids = append(oids, oid)
			}
		}
	}
	isCA := c.Extensions.Basic != nil && c.Extensions.Basic.CA
	if p.signers[c.ID] && !isCA && !slices.ContainsFunc(oids, cert.OIDUsageOCSPSigning.Equal) {
		oids = append(oids, cert.OIDUsageOCSPSigning)
	}
	if len(oids) == 0 || isCA {
		return
	}
	add(cert.OIDExtKeyUsage, critical, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, oid := range oids {
				b.AddASN1ObjectIdentifier(oid)
			}
		})
	})
}

func engineOID(text string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(strings.TrimSpace(text), ".") {
		n, err := strconv.Atoi(arc)
		if err != nil {
			return nil, err
		}
		oid = append(oid, n)
	}
	return oid, nil
}

func engineUsage(b *cryptobyte.Builder, names []string) {
	order := []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "crlSign", "encipherOnly", "decipherOnly"}
	var bits asn1.BitString
	bits.Bytes = make([]byte, 2)
	for i, name := range order {
		if slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, name) }) {
			bits.Bytes[i/8] |= 0x80 >> (i % 8)
			bits.BitLength = i + 1
		}
	}
	bits.Bytes = bits.Bytes[:(bits.BitLength+7)/8]
	der, err := asn1.Marshal(bits)
	if err != nil {
		b.SetError(err)
		return
	}
	b.AddBytes(der)
}

// engineIdentifier is a signature algorithm; digest is nil if none of the table
// has the name.
type engineIdentifier struct {
	der    []byte
	digest *algo.Digest
}

// engineDigest finds a digest by DSS's name.
func engineDigest(name string) *algo.Digest {
	names := map[string]string{"SHA1": "SHA-1", "SHA224": "SHA-224", "SHA256": "SHA-256", "SHA384": "SHA-384", "SHA512": "SHA-512"}
	if own, ok := names[name]; ok {
		name = own
	}
	d, err := algo.DigestByName(name)
	if err != nil {
		return nil
	}
	return d
}

func engineAlgorithm(key *engineKey, signed diagSigned) engineIdentifier {
	var b cryptobyte.Builder
	digest := engineDigest(signed.Digest)
	if key != nil && key.pub != nil && digest != nil {
		if row, err := algo.SignatureFor(key.pub, digest); err == nil {
			row.Identifier().AddTo(&b)
			return engineIdentifier{b.BytesOrPanic(), digest}
		}
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // md5WithRSAEncryption stands for all that is not computed
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4})
		b.AddASN1NULL()
	})
	return engineIdentifier{b.BytesOrPanic(), nil}
}

// seal signs what is to be signed, wrongly if DSS found it so.
func seal(tbs []byte, id engineIdentifier, key *engineKey, signed diagSigned) ([]byte, error) {
	value := make([]byte, 64)
	if key != nil && id.digest != nil {
		content := tbs
		if !signed.Intact || !signed.Valid {
			content = append([]byte("not "), tbs...)
		}
		var err error
		if value, err = key.sign(id.digest.Sum(content), id.digest); err != nil {
			return nil, err
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(id.der)
		b.AddASN1BitString(value)
	})
	return b.Bytes()
}

func engineTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(s))
	return t.UTC().Truncate(time.Second), err
}

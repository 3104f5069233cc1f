package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/verifier/facts"
)

// engineStatus is what a piece of revocation information says about a
// certificate.
type engineStatus struct {
	about        *diagCert
	status       string
	reason, date string
}

// engineReasons are CRLReasons by DSS's names.
var engineReasons = map[string]int64{
	"unspecified": 0, "keyCompromise": 1, "cACompromise": 2, "affiliationChanged": 3, "superseded": 4,
	"cessationOfOperation": 5, "certificateHold": 6, "privilegeWithdrawn": 9, "aACompromise": 10,
}

// revocations makes the revocation information, by DSS's IDs.
func (p *enginePKI) revocations() (map[string]facts.Revocation, error) {
	about := map[string][]engineStatus{}
	for i := range p.data.Certificates {
		c := &p.data.Certificates[i]
		for _, r := range c.Revocations {
			about[r.ID] = append(about[r.ID], engineStatus{c, r.Status, r.Reason, r.Date})
		}
	}
	out := map[string]facts.Revocation{}
	for i := range p.data.Revocations {
		r := &p.data.Revocations[i]
		made, err := p.revocation(r, about[r.ID])
		if err != nil {
			return nil, err
		}
		if made.Raw != nil {
			made.ID = facts.Digest(made.Raw)
			made.Origins = []string{engineOrigin(r.Origin)}
			out[r.ID] = made
		}
	}
	return out, nil
}

func engineOrigin(origin string) string {
	switch origin {
	case "EXTERNAL", "CACHED", "ONLINE":
		return facts.FromFetched
	}
	return facts.FromAttribute
}

// revocation writes one OCSP answer or list, if the certificates it is about are
// of one issuer.
func (p *enginePKI) revocation(r *diagRevocation, about []engineStatus) (facts.Revocation, error) {
	if len(about) == 0 {
		return facts.Revocation{}, nil
	}
	issuer := about[0].about.Issuer.Certificate
	if issuer == "" {
		return facts.Revocation{}, nil
	}
	signer := r.Signer.Certificate
	if signer == "" { // not known to DSS, and so not to be believed
		signer = issuer
		r.Signed.Valid = false
	}
	if kept := p.keptSince(issuer); kept != "" && r.ExpiredCerts == "" && r.Cutoff == "" {
		r.ExpiredCerts, r.Cutoff = kept, kept
	}
	key := p.keys[signer]
	id := engineAlgorithm(key, r.Signed)
	thisUpdate, err := engineTime(r.ThisUpdate)
	if err != nil {
		if thisUpdate, err = engineTime(r.Produced); err != nil {
			return facts.Revocation{}, nil
		}
	}
	produced, err := engineTime(r.Produced)
	if err != nil {
		produced = thisUpdate
	}
	nextUpdate, err := engineTime(r.NextUpdate)
	if err != nil {
		nextUpdate = time.Time{}
	}
	if r.Type == "CRL" {
		if signer != issuer && p.leadsToAnchor(signer) { // as a responder
			signer, id = issuer, engineAlgorithm(p.keys[issuer], r.Signed)
		}
		raw, err := p.crl(r, about, signer, issuer, id, thisUpdate, nextUpdate)
		return facts.Revocation{Kind: facts.CRL, Raw: raw}, err
	}
	raw, err := p.ocsp(r, about, signer, issuer, id, produced, thisUpdate, nextUpdate)
	return facts.Revocation{Kind: facts.OCSP, Raw: raw}, err
}

// keptSince is since when a CA keeps what has expired in its revocation
// information, as a trusted list says of it.
func (p *enginePKI) keptSince(issuer string) string {
	for i := range p.data.Certificates {
		for _, s := range p.data.Certificates[i].Services {
			if s.ID == issuer && s.ExpiredCerts != "" {
				return s.ExpiredCerts
			}
		}
	}
	return ""
}

func (p *enginePKI) crl(r *diagRevocation, about []engineStatus, signer, issuer string, id engineIdentifier, thisUpdate, nextUpdate time.Time) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddBytes(id.der)
		engineName(b, p.nameOf(issuer))
		b.AddASN1GeneralizedTime(thisUpdate)
		if !nextUpdate.IsZero() {
			b.AddASN1GeneralizedTime(nextUpdate)
		}
		if slices.ContainsFunc(about, func(s engineStatus) bool { return s.status == "REVOKED" }) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, s := range about {
					if s.status == "REVOKED" {
						p.entry(b, s)
					}
				}
			})
		}
		b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				engineExtension(b, cert.OIDAuthorityKeyID, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(engineKeyID(issuer)) })
					})
				})
				engineExtension(b, asn1.ObjectIdentifier{2, 5, 29, 20}, func(b *cryptobyte.Builder) { b.AddASN1Int64(thisUpdate.Unix()) })
				if kept, err := engineTime(r.ExpiredCerts); err == nil {
					engineExtension(b, asn1.ObjectIdentifier{2, 5, 29, 60}, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(kept) })
				}
			})
		})
	})
	return seal(b.BytesOrPanic(), id, p.keys[signer], r.Signed)
}

func engineExtension(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

func (p *enginePKI) entry(b *cryptobyte.Builder, s engineStatus) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(p.serial(s.about))
		at, err := engineTime(s.date)
		if err != nil {
			b.SetError(err)
			return
		}
		b.AddASN1GeneralizedTime(at)
		if code := engineReasons[s.reason]; code != 0 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				engineExtension(b, asn1.ObjectIdentifier{2, 5, 29, 21}, func(b *cryptobyte.Builder) { b.AddASN1Enum(code) })
			})
		}
	})
}

// ocsp writes a BasicOCSPResponse with the responder's certificate in it.
func (p *enginePKI) ocsp(r *diagRevocation, about []engineStatus, signer, issuer string, id engineIdentifier, produced, thisUpdate, nextUpdate time.Time) ([]byte, error) {
	issuerCert, err := cert.Parse(p.raw[issuer])
	if err != nil {
		return nil, err
	}
	nameHash, keyHash := sha1.Sum(issuerCert.RawSubject), sha1.Sum(issuerCert.KeyBits())
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicitTag(1), func(b *cryptobyte.Builder) { engineName(b, p.nameOf(signer)) })
		b.AddASN1GeneralizedTime(produced)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, s := range about {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					p.certID(b, s.about, nameHash[:], keyHash[:])
					engineCertStatus(b, s)
					b.AddASN1GeneralizedTime(thisUpdate)
					if !nextUpdate.IsZero() {
						b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(nextUpdate) })
					}
					if cutoff, err := engineTime(r.Cutoff); err == nil {
						b.AddASN1(explicitTag(1), func(b *cryptobyte.Builder) {
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
								engineExtension(b, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(cutoff) })
							})
						})
					}
				})
			}
		})
	})
	basic, err := seal(b.BytesOrPanic(), id, p.keys[signer], r.Signed)
	if err != nil || p.raw[signer] == nil || signer == issuer {
		return basic, err
	}
	responder, err := p.responder(signer, issuer)
	if err != nil {
		return nil, err
	}
	// The certificates follow the signature.
	var out cryptobyte.Builder
	s := cryptobyte.String(basic)
	var body cryptobyte.String
	s.ReadASN1(&body, cbasn1.SEQUENCE)
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(bytes.Clone(body))
		b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(responder) })
		})
	})
	return out.Bytes()
}

// responder is the certificate of who signed an answer. DSS takes any that leads
// to an anchor; by RFC 6960 §4.2.2.2 it must be the CA's own unless local
// configuration names it, so here it stands as the CA's own.
func (p *enginePKI) responder(signer, issuer string) ([]byte, error) {
	if c := p.certs[signer]; c.Issuer.Certificate != issuer && p.leadsToAnchor(signer) {
		copied := *c
		copied.Signed = diagSigned{Encryption: "RSA", Digest: c.Signed.Digest, Intact: true, Valid: true}
		return p.certificateFrom(&copied, issuer)
	}
	return p.raw[signer], nil
}

func (p *enginePKI) certID(b *cryptobyte.Builder, about *diagCert, nameHash, keyHash []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26})
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(nameHash)
		b.AddASN1OctetString(keyHash)
		b.AddASN1BigInt(p.serial(about))
	})
}

func engineCertStatus(b *cryptobyte.Builder, s engineStatus) {
	switch strings.ToUpper(s.status) {
	case "GOOD":
		b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
	case "REVOKED":
		at, err := engineTime(s.date)
		if err != nil {
			b.SetError(err)
			return
		}
		b.AddASN1(explicitTag(1), func(b *cryptobyte.Builder) {
			b.AddASN1GeneralizedTime(at)
			if code := engineReasons[s.reason]; code != 0 {
				b.AddASN1(explicitTag(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(code) })
			}
		})
	default:
		b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
	}
}

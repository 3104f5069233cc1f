package revocation

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Limits of a CRL. NUC RK's production list has 21 MiB and 422 000 entries.
const (
	crlSizeMax    = 128 << 20
	crlEntriesMax = 4 << 20
)

var (
	oidCRLNumber         = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode        = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidInvalidityDate    = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidDeltaIndicator    = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}
)

// List is a parsed CRL (RFC 5280 §5.1). Its entries are read where they lie.
type List struct {
	Raw, RawTBS, RawIssuer []byte
	Issuer                 cert.Name
	ThisUpdate, NextUpdate time.Time // the latter zero if absent
	SignatureAlgorithm     algo.Identifier
	Signature              []byte
	Extensions             []cert.Extension

	version int
	entries cryptobyte.String
}

func crlUnreadable(format string, args ...any) error {
	return fault.New(fault.CRLUnreadable, "", format, args...)
}

// ParseList reads a CRL that is all of der. The list keeps der, which must not
// change: copying 21 MiB for every certificate would be felt.
func ParseList(der []byte) (*List, error) {
	if len(der) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "no CRL")
	}
	if len(der) > crlSizeMax {
		return nil, fault.New(fault.InputTooBig, "", "a CRL of %d bytes, at most %d", len(der), crlSizeMax)
	}
	input := cryptobyte.String(der)
	var body, tbs cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() || !body.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, crlUnreadable("not a CertificateList")
	}
	l := &List{Raw: der, RawTBS: tbs}
	var ok bool
	if l.SignatureAlgorithm, ok = algo.ReadIdentifier(&body); !ok || !body.ReadASN1BitStringAsBytes(&l.Signature) || !body.Empty() {
		return nil, crlUnreadable("the signature is malformed")
	}
	if err := l.parseTBS(tbs); err != nil {
		return nil, err
	}
	return l, nil
}

// parseTBS reads TBSCertList.
func (l *List) parseTBS(element cryptobyte.String) error {
	var tbs, issuer cryptobyte.String
	element.ReadASN1(&tbs, cbasn1.SEQUENCE) // read once by the caller
	if tbs.PeekASN1Tag(cbasn1.INTEGER) && (!tbs.ReadASN1Integer(&l.version) || l.version != 1) {
		return crlUnreadable("a version other than 1 and 2")
	}
	inner, ok := algo.ReadIdentifier(&tbs)
	if !ok || !inner.Same(l.SignatureAlgorithm) {
		return crlUnreadable("the signed algorithm is not the one beside the signature")
	}
	if !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return crlUnreadable("the issuer is malformed")
	}
	var err error
	if l.Issuer, err = cert.ParseName(issuer); err != nil {
		return crlUnreadable("the issuer is malformed")
	}
	l.RawIssuer = issuer
	if l.ThisUpdate, ok = cert.ReadTime(&tbs); !ok {
		return crlUnreadable("thisUpdate is malformed")
	}
	if tbs.PeekASN1Tag(cbasn1.UTCTime) || tbs.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if l.NextUpdate, ok = cert.ReadTime(&tbs); !ok {
			return crlUnreadable("nextUpdate is malformed")
		}
	}
	if tbs.PeekASN1Tag(cbasn1.SEQUENCE) && !tbs.ReadASN1(&l.entries, cbasn1.SEQUENCE) {
		return crlUnreadable("revokedCertificates are malformed")
	}
	return l.parseExtensions(&tbs)
}

func (l *List) parseExtensions(tbs *cryptobyte.String) error {
	var wrapped, list cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, explicit(0)) || !tbs.Empty() {
		return crlUnreadable("malformed end")
	}
	if !present {
		return nil
	}
	if l.version != 1 || !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return crlUnreadable("extensions are malformed, or in a list of version 1")
	}
	var err error
	if l.Extensions, err = cert.ReadExtensions(list); err != nil {
		return fault.Wrap(err, fault.CRLUnreadable, "", "read extensions")
	}
	return nil
}

// Entry is one revoked certificate of a list.
type Entry struct {
	RevokedAt time.Time
	Reason    Reason
}

// Find looks a serial number up. It reads all entries: a critical extension
// that it cannot process, in any of them, forbids to use the list at all (RFC
// 5280 §5.3).
func (l *List) Find(serial *big.Int) (Entry, bool, error) {
	var found *Entry
	var wanted cryptobyte.Builder
	wanted.AddASN1BigInt(serial)
	der := wanted.BytesOrPanic() // an INTEGER can always be written
	entries := l.entries
	for count := 0; !entries.Empty(); count++ {
		var body, number cryptobyte.String
		if count == crlEntriesMax || !entries.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Element(&number, cbasn1.INTEGER) {
			return Entry{}, false, crlUnreadable("entry %d is malformed", count)
		}
		e, err := readEntry(&body)
		if err != nil {
			return Entry{}, false, err
		}
		// Of two entries the earlier revocation holds.
		if bytes.Equal(number, der) && (found == nil || e.RevokedAt.Before(found.RevokedAt)) {
			found = &e
		}
	}
	if found == nil {
		return Entry{}, false, nil
	}
	if found.Reason == RemoveFromCRL {
		return Entry{}, false, fault.New(fault.CRLNotSupported, "", "removeFromCRL in a full list")
	}
	return *found, true, nil
}

func readEntry(body *cryptobyte.String) (Entry, error) {
	var e Entry
	var ok bool
	if e.RevokedAt, ok = cert.ReadTime(body); !ok {
		return e, crlUnreadable("revocationDate is malformed")
	}
	if body.Empty() {
		return e, nil
	}
	var list cryptobyte.String
	if !body.ReadASN1(&list, cbasn1.SEQUENCE) || !body.Empty() {
		return e, crlUnreadable("an entry's extensions are malformed")
	}
	extensions, err := cert.ReadExtensions(list)
	if err != nil {
		return e, fault.Wrap(err, fault.CRLUnreadable, "", "read an entry's extensions")
	}
	for _, x := range extensions {
		switch {
		case x.OID.Equal(oidReasonCode):
			value := cryptobyte.String(x.Value)
			var reason int
			if !value.ReadASN1Enum(&reason) || !value.Empty() {
				return e, crlUnreadable("a reason code is malformed")
			}
			e.Reason = Reason(reason)
		case x.OID.Equal(oidCertificateIssuer):
			return e, fault.New(fault.CRLNotSupported, "", "an indirect list")
		}
	}
	return e, refuseCritical(extensions, []asn1.ObjectIdentifier{oidReasonCode, oidInvalidityDate})
}

// CheckCRL verifies a CRL and looks the subject up in it.
func CheckCRL(info Information, s Subject, rules Rules) (*Evidence, error) {
	l, err := ParseList(info.Raw)
	if err != nil {
		return nil, err
	}
	if err := l.checkScope(s); err != nil {
		return nil, err
	}
	if !s.Issuer.Allows(cert.KeyUsageCRLSign) {
		return nil, fault.New(fault.KeyUsageForbidden, "", "the issuer's key may not sign CRLs")
	}
	if err := s.Issuer.Verify(l.SignatureAlgorithm, l.RawTBS, l.Signature); err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), "", "check the CRL's signature")
	}
	entry, revoked, err := l.Find(s.Certificate.Serial)
	if err != nil {
		return nil, err
	}
	e := &Evidence{
		Information: info, Status: Good,
		ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate,
		Signer: s.Issuer,
	}
	if revoked {
		e.Status, e.RevokedAt, e.Reason = Revoked, entry.RevokedAt, entry.Reason
	}
	if err := rules.check(e); err != nil {
		return nil, err
	}
	return e, nil
}

// checkScope refuses a list that is not a full one by the subject's issuer.
func (l *List) checkScope(s Subject) error {
	if !bytes.Equal(l.RawIssuer, s.Certificate.RawIssuer) || !bytes.Equal(l.RawIssuer, s.Issuer.RawSubject) {
		return fault.New(fault.CRLOtherIssuer, "", "the list's issuer did not issue the certificate")
	}
	for _, e := range l.Extensions {
		switch {
		case e.OID.Equal(oidDeltaIndicator):
			return fault.New(fault.CRLNotSupported, "", "a delta list")
		case e.OID.Equal(oidDistributionPoint):
			return fault.New(fault.CRLNotSupported, "", "a list of part of the certificates")
		}
	}
	return refuseCritical(l.Extensions, []asn1.ObjectIdentifier{cert.OIDAuthorityKeyID, oidCRLNumber})
}

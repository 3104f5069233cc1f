package revocation

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"sync/atomic"
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
	oidExpiredOnCRL      = asn1.ObjectIdentifier{2, 5, 29, 60}
)

// List is a parsed CRL (RFC 5280 §5.1). Its entries are read where they lie; in
// one that a Store holds they are in an index, and Raw and RawTBS are nil.
type List struct {
	Raw, RawTBS, RawIssuer []byte
	Issuer                 cert.Name
	ThisUpdate, NextUpdate time.Time // the latter zero if absent
	SignatureAlgorithm     algo.Identifier
	Signature              []byte
	Extensions             []cert.Extension

	Number *big.Int // nil if it has none
	Base   *big.Int // of a delta list: the number of the list that it completes

	// ExpiredFrom is since when the list keeps certificates that have expired
	// (expiredCertsOnCRL, X.509 §9.5.2.8); zero if it says nothing of it.
	ExpiredFrom time.Time

	point    *issuingPoint
	rawPoint []byte
	keyID    []byte // the authority key identifier's extension, undecoded
	version  int
	entries  cryptobyte.String

	head, tail []byte // of TBSCertList's content: what is before and after the entries

	index      *Index                           // of the entries, where a Store made one
	stored     *document                        // Raw, where a Store put it away
	verifiedBy atomic.Pointer[cert.Certificate] // whose key made the signature, once known
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
	whole := tbs
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
	l.head = whole[:len(whole)-len(tbs)]
	if tbs.PeekASN1Tag(cbasn1.SEQUENCE) && (!tbs.ReadASN1(&l.entries, cbasn1.SEQUENCE) || l.entries.Empty()) {
		return crlUnreadable("revokedCertificates are malformed, or empty (RFC 5280 §5.1.2.6)")
	}
	l.tail = tbs
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
	for _, e := range l.Extensions {
		var ok bool
		switch {
		case e.OID.Equal(oidCRLNumber):
			l.Number, ok = readNumber(e.Value)
		case e.OID.Equal(oidDeltaIndicator):
			l.Base, ok = readNumber(e.Value)
		case e.OID.Equal(oidDistributionPoint):
			l.rawPoint = e.Value
			l.point, ok = readIssuingPoint(e.Value)
		case e.OID.Equal(oidExpiredOnCRL):
			value := cryptobyte.String(e.Value)
			l.ExpiredFrom, ok = cert.ReadTime(&value)
			ok = ok && value.Empty()
		case e.OID.Equal(cert.OIDAuthorityKeyID):
			l.keyID, ok = e.Value, true
		default:
			continue
		}
		if !ok {
			return crlUnreadable("extension %s is malformed", e.OID)
		}
	}
	return nil
}

// readNumber reads a CRLNumber (RFC 5280 §5.2.3).
func readNumber(value []byte) (*big.Int, bool) {
	s := cryptobyte.String(value)
	n := new(big.Int)
	return n, s.ReadASN1Integer(n) && s.Empty() && n.Sign() >= 0
}

// Entry is one revoked certificate of a list.
type Entry struct {
	RevokedAt time.Time
	Reason    Reason
}

// Find looks a certificate of the list's own issuer up by its serial number.
func (l *List) Find(serial *big.Int) (Entry, bool, error) { return l.find(l.Issuer, serial) }

// find looks a certificate up by its issuer, which in an indirect list need not
// be the list's, and its serial number. It reads all entries: a critical
// extension that it cannot process, in any of them, forbids to use the list at
// all (RFC 5280 §5.3).
func (l *List) find(issuer cert.Name, serial *big.Int) (Entry, bool, error) {
	if l.index != nil && l.Issuer.Equal(issuer) { // made of direct lists only
		e, found := l.index.Find(serial)
		return e, found, nil
	}
	var found *Entry
	var wanted cryptobyte.Builder
	wanted.AddASN1BigInt(serial)
	number := cryptobyte.String(wanted.BytesOrPanic()) // an INTEGER can always be written
	var content cryptobyte.String
	number.ReadASN1(&content, cbasn1.INTEGER)
	current := l.Issuer.Equal(issuer)
	entries := l.entries
	for count := 0; !entries.Empty(); count++ {
		if count == crlEntriesMax {
			return Entry{}, false, crlUnreadable("more than %d entries", crlEntriesMax)
		}
		own, e, named, err := l.next(&entries, count)
		if err != nil {
			return Entry{}, false, err
		}
		if named != nil {
			current = named.Equal(issuer) // for the entries that follow, too (§5.3.3)
		}
		// Of two entries the earlier revocation holds.
		if current && bytes.Equal(own, content) && (found == nil || e.RevokedAt.Before(found.RevokedAt)) {
			found = &e
		}
	}
	if found == nil {
		return Entry{}, false, nil
	}
	return *found, true, nil
}

// next reads an entry: the content of its serial number, what it says, and the
// issuer of the certificate if it names one.
func (l *List) next(entries *cryptobyte.String, count int) (serial []byte, e Entry, named *cert.Name, err error) {
	if l.version == 1 { // entries of version 1 have no extensions, which readEntry sees to
		if serial, e, ok := quickEntry(entries); ok {
			return serial, e, nil, nil
		}
	}
	var body, number cryptobyte.String
	if !entries.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&number, cbasn1.INTEGER) || !isMinimal(number) {
		return nil, e, nil, crlUnreadable("entry %d is malformed", count)
	}
	if e, named, err = readEntry(&body, l.version == 1); err != nil {
		return nil, e, nil, err
	}
	if named != nil && (l.point == nil || !l.point.indirect) {
		return nil, e, nil, crlUnreadable("entry %d is of another issuer in a list that is not indirect", count)
	}
	return number, e, named, nil
}

// readEntry reads what follows the serial number; issuer is set if the entry
// names the certificate's issuer.
func readEntry(body *cryptobyte.String, extensible bool) (e Entry, issuer *cert.Name, err error) {
	var ok bool
	if e.RevokedAt, ok = cert.ReadTime(body); !ok {
		return e, nil, crlUnreadable("revocationDate is malformed")
	}
	if body.Empty() {
		return e, nil, nil
	}
	var list cryptobyte.String
	if !extensible || !body.ReadASN1(&list, cbasn1.SEQUENCE) || !body.Empty() {
		return e, nil, crlUnreadable("an entry's extensions are malformed, or in a list of version 1")
	}
	extensions, err := cert.ReadExtensions(list)
	if err != nil {
		return e, nil, fault.Wrap(err, fault.CRLUnreadable, "", "read an entry's extensions")
	}
	for _, x := range extensions {
		value := cryptobyte.String(x.Value)
		switch {
		case x.OID.Equal(oidReasonCode):
			var reason int
			if !value.ReadASN1Enum(&reason) || !value.Empty() {
				return e, nil, crlUnreadable("a reason code is malformed")
			}
			e.Reason = Reason(reason)
		case x.OID.Equal(oidCertificateIssuer):
			if issuer = readCertificateIssuer(value); issuer == nil {
				return e, nil, crlUnreadable("an entry's certificate issuer is malformed")
			}
		}
	}
	return e, issuer, refuseCritical(extensions, []asn1.ObjectIdentifier{oidReasonCode, oidInvalidityDate, oidCertificateIssuer})
}

// readCertificateIssuer finds the directory name (RFC 5280 §5.3.3).
func readCertificateIssuer(value cryptobyte.String) *cert.Name {
	var list cryptobyte.String
	if !value.ReadASN1(&list, cbasn1.SEQUENCE) || !value.Empty() {
		return nil
	}
	names, ok := cert.ReadGeneralNames(list)
	if !ok {
		return nil
	}
	for _, n := range names {
		if n.Kind == cert.DirectoryName {
			return &n.Name
		}
	}
	return nil
}

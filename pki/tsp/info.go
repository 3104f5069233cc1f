package tsp

import (
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Info is TSTInfo (RFC 3161 §2.4.2): what the authority states.
type Info struct {
	Policy           asn1.ObjectIdentifier
	ImprintAlgorithm algo.Identifier
	Imprint          []byte
	Serial           *big.Int
	Time             time.Time      // genTime
	Accuracy         *time.Duration // nil if not stated
	Ordering         bool
	Nonce            *big.Int // nil if absent
	Extensions       []cert.Extension

	// Authority is the directoryName of the tsa field in DER; nil if the
	// field is absent or holds another kind of name.
	Authority []byte
}

// Limits of the numbers in a token, in bytes. RFC 3161 asks for serial numbers
// of up to 160 bits; nonces are the client's own.
const (
	serialMax = 64
	nonceMax  = 64
)

func unreadable(format string, args ...any) error {
	return fault.New(fault.TimestampUnreadable, "", format, args...)
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// parse reads a TSTInfo that is all of der.
func (i *Info) parse(der []byte) error {
	input := cryptobyte.String(der)
	var body, imprint cryptobyte.String
	var version int
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() || !body.ReadASN1Integer(&version) || version != 1 {
		return unreadable("not a TSTInfo of version 1")
	}
	if !body.ReadASN1ObjectIdentifier(&i.Policy) {
		return unreadable("the policy is malformed")
	}
	var ok bool
	if !body.ReadASN1(&imprint, cbasn1.SEQUENCE) {
		return unreadable("the imprint is malformed")
	}
	if i.ImprintAlgorithm, ok = algo.ReadIdentifier(&imprint); !ok || !imprint.ReadASN1Bytes(&i.Imprint, cbasn1.OCTET_STRING) || !imprint.Empty() {
		return unreadable("the imprint is malformed")
	}
	if i.Serial = new(big.Int); !body.ReadASN1Integer(i.Serial) || i.Serial.BitLen() > 8*serialMax {
		return unreadable("the serial number is malformed, or longer than %d bytes", serialMax)
	}
	if !body.PeekASN1Tag(cbasn1.GeneralizedTime) {
		return unreadable("genTime is no GeneralizedTime")
	}
	if i.Time, ok = cert.ReadTime(&body); !ok {
		return unreadable("genTime is malformed")
	}
	return i.parseOptions(&body)
}

// parseOptions reads the optional fields in their order.
func (i *Info) parseOptions(body *cryptobyte.String) error {
	if body.PeekASN1Tag(cbasn1.SEQUENCE) {
		accuracy, ok := readAccuracy(body)
		if !ok {
			return unreadable("the accuracy is malformed")
		}
		i.Accuracy = &accuracy
	}
	if body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&i.Ordering) {
		return unreadable("ordering is malformed")
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) {
		i.Nonce = new(big.Int)
		if !body.ReadASN1Integer(i.Nonce) || i.Nonce.BitLen() > 8*nonceMax {
			return unreadable("the nonce is malformed, or longer than %d bytes", nonceMax)
		}
	}
	var name, list cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&name, &present, explicit(0)) {
		return unreadable("the authority's name is malformed")
	}
	if present {
		var content cryptobyte.String
		var tag cbasn1.Tag
		if !name.ReadAnyASN1(&content, &tag) || !name.Empty() {
			return unreadable("the authority's name is malformed")
		}
		if tag == explicit(4) { // directoryName
			i.Authority = content
		}
	}
	if !body.ReadOptionalASN1(&list, &present, explicit(1)) || !body.Empty() {
		return unreadable("malformed end")
	}
	return i.parseExtensions(list)
}

// parseExtensions refuses critical extensions: no standard one exists.
func (i *Info) parseExtensions(list []byte) error {
	var err error
	if i.Extensions, err = cert.ReadExtensions(list); err != nil {
		return fault.Wrap(err, fault.TimestampUnreadable, "", "read extensions")
	}
	for _, e := range i.Extensions {
		if e.Critical {
			return fault.New(fault.TimestampExtensionUnknown, "", "extension %s", e.OID)
		}
	}
	return nil
}

// accuracySecondsMax keeps the sum within a time.Duration; a clock that may be
// a year off is none.
const accuracySecondsMax = 366 * 24 * 60 * 60

// readAccuracy reads seconds, milliseconds [0] and microseconds [1], each
// optional, the latter two from 1 to 999.
func readAccuracy(s *cryptobyte.String) (time.Duration, bool) {
	var body cryptobyte.String
	var seconds int64
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) {
		return 0, false
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) && (!body.ReadASN1Integer(&seconds) || seconds < 0 || seconds > accuracySecondsMax) {
		return 0, false
	}
	total := time.Duration(seconds) * time.Second
	for n, unit := range []time.Duration{time.Millisecond, time.Microsecond} {
		tag := cbasn1.Tag(n).ContextSpecific()
		if !body.PeekASN1Tag(tag) {
			continue
		}
		var value int64
		if !body.ReadASN1Int64WithTag(&value, tag) || value < 1 || value > 999 {
			return 0, false
		}
		total += time.Duration(value) * unit
	}
	return total, body.Empty()
}

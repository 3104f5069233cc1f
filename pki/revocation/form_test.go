package revocation

import (
	"encoding/asn1"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// listOf writes a CRL without a signature that anybody checks.
func listOf(t *testing.T, version int, entries []byte, extensions []byte) []byte {
	t.Helper()
	element := func(tag byte, parts ...[]byte) []byte {
		var content []byte
		for _, p := range parts {
			content = append(content, p...)
		}
		der, err := asn1.Marshal(asn1.RawValue{FullBytes: nil, Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: tag&0x20 != 0, Bytes: content})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	algorithm := []byte{0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}
	var number []byte
	if version > 1 {
		number = []byte{2, 1, byte(version - 1)}
	}
	var tail []byte
	if extensions != nil {
		tail = element(0xa0, element(0x30, extensions))
	}
	tbs := element(0x30, number, algorithm, []byte{0x30, 0}, element(0x17, []byte("260101000000Z")), entries, tail)
	return element(0x30, tbs, algorithm, []byte{3, 2, 0, 0})
}

// What RFC 5280 §5 forbids about the form of a list makes it unreadable.
func TestFormOfLists(t *testing.T) {
	plain := []byte{0x30, 18, 2, 1, 5, 0x17, 13, '2', '6', '0', '1', '0', '1', '0', '0', '0', '0', '0', '0', 'Z'}
	reasoned := append([]byte{0x30, 32}, append(plain[2:len(plain):len(plain)], 0x30, 12, 0x30, 10, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 10, 1, 1)...)
	sequence := func(entries ...byte) []byte { return append([]byte{0x30, byte(len(entries))}, entries...) }
	point := func(value ...byte) []byte {
		body := append([]byte{6, 3, 0x55, 0x1d, 0x1c, 1, 1, 0xff, 4, byte(len(value))}, value...)
		return append([]byte{0x30, byte(len(body))}, body...)
	}
	for _, tt := range []struct {
		name string
		der  []byte
		ok   bool
	}{
		{"no entries", listOf(t, 2, nil, nil), true},
		{"an entry", listOf(t, 2, sequence(plain...), nil), true},
		{"an entry with a reason", listOf(t, 2, sequence(reasoned...), nil), true},
		{"version 1", listOf(t, 1, sequence(plain...), nil), true},
		{"version 1 with a reason", listOf(t, 1, sequence(reasoned...), nil), false},
		{"entries, and none in them", listOf(t, 2, sequence(), nil), false},
		{"a point", listOf(t, 2, nil, point(0x30, 3, 0x81, 1, 0xff)), true},
		{"an empty point", listOf(t, 2, nil, point(0x30, 0)), false},
	} {
		l, err := ParseList(tt.der)
		if err == nil {
			_, err = NewIndex(l)
		}
		if (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.CRLUnreadable) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A certificate of version 1 cannot say that it is no CA's: a list of users'
// certificates says nothing about it.
func TestListOfUsersAndVersion1(t *testing.T) {
	users := &List{point: &issuingPoint{onlyUsers: true}}
	for version, code := range map[int]fault.Code{1: fault.CRLOutOfScope, 3: ""} {
		c := &cert.Certificate{Version: version, NotAfter: time.Now()}
		if _, err := users.covers(cert.DistributionPoint{}, c); fault.CodeOf(err) != code {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

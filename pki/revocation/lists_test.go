package revocation

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

func number(n byte) pkix.Extension { return pkix.Extension{Id: oidCRLNumber, Value: []byte{2, 1, n}} }

func deltaOf(n byte) pkix.Extension {
	return pkix.Extension{Id: oidDeltaIndicator, Critical: true, Value: []byte{2, 1, n}}
}

func point(value ...byte) pkix.Extension {
	return pkix.Extension{Id: oidDistributionPoint, Critical: true, Value: append([]byte{0x30, byte(len(value))}, value...)}
}

// tlv writes a short element.
func tlv(tag byte, parts ...[]byte) []byte {
	var content []byte
	for _, p := range parts {
		content = append(content, p...)
	}
	if len(content) > 127 {
		panic("too long")
	}
	return append([]byte{tag, byte(len(content))}, content...)
}

// rdn is the content of a relative name with one common name.
func rdn(value string) []byte {
	return tlv(0x30, []byte{6, 3, 0x55, 4, 3}, tlv(0x0c, []byte(value)))
}

// TestLists gives several lists at once about one certificate.
func TestLists(t *testing.T) {
	w := testWorld()
	var (
		keyCompromise = []byte{0x83, 2, 6, 0x40}
		otherReasons  = []byte{0x83, 3, 7, 0x3f, 0x80}
		indirect      = []byte{0x84, 1, 0xff}
		pointA        = tlv(0xa0, tlv(0xa0, tlv(0x86, []byte("http://a"))))
		pointB        = tlv(0xa0, tlv(0xa0, tlv(0x86, []byte("http://b"))))
		relativeA     = tlv(0xa0, tlv(0xa1, rdn("a")))
		fullA         = func() []byte { // the same name in full
			name := append(append([]byte{}, w.ca.RawSubject[2:]...), tlv(0x31, rdn("A "))...)
			return tlv(0xa0, tlv(0xa0, tlv(0xa4, tlv(0x30, name))))
		}()
	)
	// leaf issues a certificate whose distribution points are as given.
	leaf := func(points ...[]byte) *cert.Certificate {
		t.Helper()
		template := &x509.Certificate{SerialNumber: big.NewInt(0x777), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
		if len(points) > 0 {
			var list []byte
			for _, p := range points {
				list = append(list, tlv(0x30, p)...)
			}
			template.ExtraExtensions = []pkix.Extension{{Id: cert.OIDCRLPoints, Value: tlv(0x30, list)}}
		}
		der, err := x509.CreateCertificate(nil, template, w.ca.x509, w.leaf.key.Public(), w.ca.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := cert.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	crlIssuer := func(e *entity) []byte { return tlv(0xa2, tlv(0xa4, e.RawSubject)) }
	by := func(issuer *entity, extensions ...pkix.Extension) *list {
		l := goodList()
		l.issuer, l.extensions = issuer, extensions
		return l
	}
	ca := func(extensions ...pkix.Extension) *list { return by(w.ca, extensions...) }
	listing := func(l *list, extensions ...pkix.Extension) *list {
		l.entries = []listEntry{{big.NewInt(0x777), now.Add(-2 * time.Hour), extensions}}
		return l
	}
	stale := func(l *list) *list { l.this, l.next = now.Add(-3*time.Hour), now.Add(-2*time.Hour); return l }
	older := func(l *list) *list { l.this = now.Add(-90 * time.Minute); return l }
	of := func(e *entity) pkix.Extension {
		return pkix.Extension{Id: oidCertificateIssuer, Critical: true, Value: tlv(0x30, tlv(0xa4, e.RawSubject))}
	}
	plain := leaf()
	tests := []struct {
		name   string
		leaf   *cert.Certificate
		lists  []*list
		status Status
		code   fault.Code // of the first attempt, where there is no evidence
	}{
		{"delta says nothing new", plain, []*list{ca(number(5)), ca(number(7), deltaOf(5))}, Good, ""},
		{"delta revokes", plain, []*list{ca(number(5)), listing(ca(number(7), deltaOf(5)))}, Revoked, ""},
		{"delta lifts a hold", plain, []*list{listing(ca(number(5)), reason(6)...), listing(ca(number(7), deltaOf(5)), reason(8)...)}, Good, ""},
		{"delta changes the reason", plain, []*list{listing(ca(number(5)), reason(6)...), listing(ca(number(7), deltaOf(5)), reason(1)...)}, Revoked, ""},
		{"the newest delta counts", plain, []*list{ca(number(5)), listing(ca(number(7), deltaOf(5))), listing(ca(number(8), deltaOf(4)), reason(8)...)}, Good, ""},
		{"delta of a later base", plain, []*list{ca(number(5)), listing(ca(number(7), deltaOf(6)))}, Good, ""},
		{"delta older than the base", plain, []*list{ca(number(8)), listing(ca(number(7), deltaOf(6)))}, Good, ""},
		{"delta freshens a stale base", plain, []*list{stale(ca(number(5))), ca(number(7), deltaOf(5))}, Good, ""},
		{"stale delta", plain, []*list{ca(number(5)), stale(listing(ca(number(7), deltaOf(5)), reason(6)...))}, Good, ""},
		{"delta of another scope", plain, []*list{ca(number(5)), listing(ca(number(7), deltaOf(5), point(0x81, 1, 0xff)))}, Good, ""},
		{"delta by another key", plain, []*list{ca(number(5)), listing(by(w.other, number(7), deltaOf(5)))}, Good, ""},
		{"delta alone", plain, []*list{ca(number(7), deltaOf(5))}, "", fault.CRLIncomplete},

		{"all reasons in two", plain, []*list{ca(point(keyCompromise...)), ca(point(otherReasons...))}, Good, ""},
		{"revoked in the second", plain, []*list{ca(point(keyCompromise...)), listing(ca(point(otherReasons...)))}, Revoked, ""},
		{"some reasons", plain, []*list{ca(point(otherReasons...))}, "", fault.CRLIncomplete},
		{"revoked, some reasons", plain, []*list{listing(ca(point(keyCompromise...)))}, Revoked, ""},

		{"revoked for good in an older list", plain, []*list{older(listing(ca())), ca()}, Revoked, ""},
		{"on hold in an older list", plain, []*list{older(listing(ca(), reason(6)...)), ca()}, Good, ""},
		{"on hold in the newer list", plain, []*list{older(ca()), listing(ca(), reason(6)...)}, Revoked, ""},
		{"on hold, and for good in an older list", plain, []*list{older(listing(ca(), reason(1)...)), listing(ca(), reason(6)...)}, Revoked, ""},
		{"its distribution point", leaf(pointA), []*list{ca(point(pointA...))}, Good, ""},
		{"another distribution point", leaf(pointA), []*list{ca(point(pointB...))}, "", fault.CRLOutOfScope},
		{"one of two points", leaf(pointA, pointB), []*list{ca(point(pointB...))}, Good, ""},
		{"no point of its own, a list for one", plain, []*list{ca(point(pointA...))}, "", fault.CRLOutOfScope},
		{"the full list serves any point", leaf(pointA), []*list{ca()}, Good, ""},
		{"relative names", leaf(relativeA), []*list{ca(point(relativeA...))}, Good, ""},
		{"relative in the certificate, full in the list", leaf(relativeA), []*list{ca(point(fullA...))}, Good, ""},
		{"full in the certificate, relative in the list", leaf(fullA), []*list{ca(point(relativeA...))}, Good, ""},
		{"point for a reason, list for all", leaf(append(append([]byte{}, pointA...), 0x81, 2, 6, 0x40)), []*list{ca(point(pointA...))}, "", fault.CRLIncomplete},

		{"another issuer, not named", plain, []*list{by(w.other, point(indirect...))}, "", fault.CRLOtherIssuer},
		{"named, indirect, clean", leaf(crlIssuer(w.other)), []*list{by(w.other, point(indirect...))}, Good, ""},
		{"named, indirect, listed", leaf(crlIssuer(w.other)), []*list{listing(by(w.other, point(indirect...)), of(w.ca))}, Revoked, ""},
		{"named, indirect, a namesake serial", leaf(crlIssuer(w.other)), []*list{listing(by(w.other, point(indirect...)))}, Good, ""},
		{"named, not indirect", leaf(crlIssuer(w.other)), []*list{by(w.other)}, "", fault.CRLOutOfScope},
		{"named, untrusted", leaf(crlIssuer(w.mute)), []*list{by(w.mute, point(indirect...))}, "", fault.KeyUsageForbidden},
		{"issuer named once for several", leaf(crlIssuer(w.other)), []*list{func() *list {
			l := listing(by(w.other, point(indirect...)))
			l.entries = append([]listEntry{{big.NewInt(1), now, []pkix.Extension{of(w.ca)}}}, l.entries...)
			return l
		}()}, Revoked, ""},
	}
	signers := Signers{
		Candidates: []*cert.Certificate{w.other.Certificate, w.mute.Certificate},
		Trust: func(_ context.Context, c *cert.Certificate, _ Subject) error {
			if c.Equal(w.mute.Certificate) {
				return errors.New("not reached")
			}
			return nil
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var infos []Information
			for _, l := range tt.lists {
				infos = append(infos, Information{Kind: CRL, Raw: l.der(t), Source: Given})
			}
			e, failed := CheckCRLs(t.Context(), infos, Subject{Certificate: tt.leaf, Issuer: w.ca.Certificate}, signers, Rules{At: now})
			switch {
			case tt.status == "" && (e != nil || len(failed) == 0 || !fault.Is(failed[0].Err, tt.code)):
				t.Errorf("%+v, %+v", e, failed)
			case tt.status != "" && (e == nil || e.Status != tt.status):
				t.Errorf("%+v, %+v", e, failed)
			}
		})
	}
	untrusting := Signers{Candidates: signers.Candidates, Trust: func(context.Context, *cert.Certificate, Subject) error {
		return fault.New(fault.ChainNotFound, "", "no")
	}}
	raw := by(w.other, point(indirect...)).der(t)
	e, failed := CheckCRLs(t.Context(), []Information{{Kind: CRL, Raw: raw}}, Subject{leaf(crlIssuer(w.other)), w.ca.Certificate}, untrusting, Rules{At: now})
	if e != nil || !fault.Is(failed[0].Err, fault.CRLSignerNotTrusted) {
		t.Errorf("%+v, %+v", e, failed)
	}
}

// A list that claims more than it holds.
func TestListThatIsShorterThanItSays(t *testing.T) {
	der := goodList().der(t)
	for _, size := range [][]byte{{0x84, 0x7f, 0xff, 0xff, 0xff}, {0x83, 0xff, 0xff, 0xff}} {
		claim := append(append([]byte{0x30}, size...), der[4:]...)
		if _, err := ParseList(claim); !fault.Is(err, fault.CRLUnreadable) {
			t.Error(err)
		}
	}
}

func FuzzIssuingPoint(f *testing.F) {
	f.Add([]byte{0x30, 3, 0x81, 1, 0xff})
	f.Add([]byte{0x30, 7, 0xa0, 5, 0xa0, 3, 0x86, 1, 'u'})
	f.Fuzz(func(t *testing.T, value []byte) {
		if p, ok := readIssuingPoint(value); ok && p == nil {
			t.Error("nothing read")
		}
	})
}

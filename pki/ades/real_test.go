package ades_test

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/senim-kz/senim/pki/ades"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cms"
)

const dss = "../../../shared/data/validation/dss/files/dss-cades/validation"

// tstInfo is as much of a TSTInfo as an imprint needs.
type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint struct {
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Digest []byte
	}
	Serial *big.Int
	Time   time.Time `asn1:"generalized"`
}

func token(t testing.TB, raw []byte) (*cms.Message, tstInfo, *algo.Digest) {
	t.Helper()
	m, err := cms.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	var info tstInfo
	if _, err := asn1.Unmarshal(m.Content, &info); err != nil && !strings.Contains(err.Error(), "structure error") {
		t.Fatal(err)
	}
	d, err := algo.DigestByOID(info.Imprint.Algorithm.OID)
	if err != nil {
		t.Skip(err)
	}
	return m, info, d
}

// outcome is what is found of one time-stamp in a file of DSS.
type outcome struct {
	Kind                   string
	Intact, Complete, None bool // None: there is no hash index to go by
}

// TestRealTimestamps holds the imprints of every archive and references time-stamp
// of the open DSS files. The three that are not complete are so by DSS's own
// word: a certificate or a CRL was exchanged, or the index is not one.
func TestRealTimestamps(t *testing.T) {
	good := outcome{Kind: "v3", Intact: true, Complete: true}
	v2 := outcome{Kind: "v2", Intact: true, Complete: true}
	for name, want := range map[string][]outcome{
		"cades-lta-copied-atst.p7m":               {{Kind: "v3", None: true}}, // a signature time-stamp under the name of the other
		"cades-ats-v3-wrong-cert.p7m":             {{Kind: "v3", Intact: true}},
		"cades-lta-duplicated-atst.p7m":           {good, good},
		"cades_signeddata_extended_after_lta.p7m": {good, good},
		"cades-dss1956.p7m":                       {{Kind: "v3", None: true}}, // the index's fields stand in the SET itself
		"cades-extended-a.pkcs7":                  {good},
		"counterSignedLTA.p7s":                    {good},
		"cades-ats-v3-wrong-crl.p7s":              {{Kind: "v3", Intact: true}, v2},
		"Signature-C-HU_POL-3.p7m":                {good},
		"Signature-C-X-1.p7m":                     {{Kind: "cades-c", Intact: true, Complete: true}},
		"dss-1469/cadesLTAwithATv2.sig":           {v2},
		"dss-1670/signatureExtendedTwoLTA.p7s":    {v2, v2},
	} {
		t.Run(name, func(t *testing.T) {
			m, content := document(t, name)
			var got []outcome
			for _, s := range m.Signers {
				for i, a := range s.UnsignedAttributes {
					for v, value := range a.Values {
						if o, ok := check(t, m, s, content, a, value, ades.AttributeValue{Attribute: i, Value: v}); ok {
							got = append(got, o)
						}
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// besides are the contents of the detached ones.
var besides = map[string]string{
	"cades-ats-v3-wrong-crl.p7s":           "dss-1469/screenshot2.png",
	"dss-1469/cadesLTAwithATv2.sig":        "dss-1469/screenshot2.png",
	"dss-1670/signatureExtendedTwoLTA.p7s": "dss-1670/screenshot.png",
}

func document(t *testing.T, name string) (*cms.Message, []byte) {
	t.Helper()
	m, err := cms.Parse(real(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if m.Detached {
		return m, real(t, besides[name])
	}
	return m, m.Content
}

func real(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dss, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func check(t *testing.T, m *cms.Message, s *cms.Signer, content []byte, a cms.Attribute, value []byte, at ades.AttributeValue) (outcome, bool) {
	switch {
	case a.Type.Equal(cms.OIDArchiveTimestampV3):
		stamp, info, digest := token(t, value)
		index, err := ades.ReadHashIndex(stamp.Signers[0])
		if err != nil {
			return outcome{Kind: "v3", None: true}, true
		}
		input := ades.ArchiveInputV3(m, s, digest.Sum(content), index)
		return outcome{Kind: "v3", Intact: bytes.Equal(digest.Sum(input), info.Imprint.Digest), Complete: index.Match(m, s, at).Complete()}, true
	case a.Type.Equal(cms.OIDArchiveTimestampV2):
		_, info, digest := token(t, value)
		before, after := ades.ArchiveInputV2(m, s, func(other cms.Attribute) bool {
			if !other.Type.Equal(cms.OIDArchiveTimestampV2) && !other.Type.Equal(cms.OIDArchiveTimestampV3) {
				return false
			}
			_, theirs, _ := token(t, other.Values[0])
			return !theirs.Time.Before(info.Time)
		})
		if m.Detached {
			before = slices.Concat(before, content)
		}
		return outcome{Kind: "v2", Intact: bytes.Equal(digest.Sum(slices.Concat(before, after)), info.Imprint.Digest), Complete: true}, true
	case a.Type.Equal(cms.OIDCAdESCTimestamp):
		_, info, digest := token(t, value)
		intact := slices.ContainsFunc(ades.CAdESCInputs(s), func(input []byte) bool { return bytes.Equal(digest.Sum(input), info.Imprint.Digest) })
		return outcome{Kind: "cades-c", Intact: intact, Complete: true}, true
	}
	return outcome{}, false
}

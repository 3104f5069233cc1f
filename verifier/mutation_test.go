package verifier_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

// span is a range of bytes of a message.
type span struct{ from, to int }

// unprotected finds the parts of a level B message that no signature protects
// and no rule fixes: the two version numbers and digestAlgorithms, which only
// announces what the signers say themselves (RFC 5652 §5.1, §5.3). Everything
// else is covered: the content and its type by signed attributes, the signer's
// certificate by its reference, the path by signatures up to the anchor, the
// attributes and algorithms by the signature value.
func unprotected(t testing.TB, message []byte) []span {
	t.Helper()
	offset := func(rest cryptobyte.String) int { return len(message) - len(rest) }
	s := cryptobyte.String(message)
	var info, body cryptobyte.String
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.OBJECT_IDENTIFIER) ||
		!info.ReadASN1(&body, cbasn1.Tag(0).ContextSpecific().Constructed()) || !body.ReadASN1(&body, cbasn1.SEQUENCE) {
		t.Fatal("not a SignedData")
	}
	version := offset(body)
	if !body.SkipASN1(cbasn1.INTEGER) {
		t.Fatal("no version")
	}
	algorithms := offset(body)
	if !body.SkipASN1(cbasn1.SET) {
		t.Fatal("no digestAlgorithms")
	}
	signer := parsed(t, message).Signers[0].Raw
	signerAt := bytes.Index(message, signer)
	return []span{{version + 2, version + 3}, {algorithms, offset(body)}, {signerAt, signerAt + 8}}
}

func parsed(t testing.TB, message []byte) *cms.Message {
	t.Helper()
	m, err := cms.Parse(message)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every byte of a small signed file, changed: what still passes must lie in the
// parts that nothing protects.
func TestNoChangedByteOfWhatIsProtectedPasses(t *testing.T) {
	w := theWorld()
	leaf := issue(w.ca, "Small", ecKey(), nil)
	message := leaf.sign(t, "doc", nil)
	ocsps := [][]byte{leaf.status(now, nil)}
	crls := [][]byte{w.root.crl(now)}
	policy, err := verifier.PolicyByName("etsi-basic")
	must(err)
	anchors := store(t, w.root.cert)
	judge := func(data []byte) verifier.Indication {
		found, err := verifier.Collect(context.Background(), verifier.Input{Name: "x", Data: data, OCSPs: ocsps, CRLs: crls, Anchors: anchors})
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Errorf("unclassified: %v", err)
			}
			return ""
		}
		return verifier.Judge(found, policy, anchors, now).Indication
	}
	if judge(message) != verifier.TotalPassed {
		t.Fatal("the message itself does not pass")
	}
	free := unprotected(t, message)
	accepted := 0
	for i := range message {
		for _, mask := range []byte{0x01, 0x02, 0x80} {
			changed := bytes.Clone(message)
			changed[i] ^= mask
			if judge(changed) != verifier.TotalPassed {
				continue
			}
			accepted++
			if !within(free, i) {
				t.Errorf("byte %d ^ %#x of %d passes", i, mask, len(message))
			}
		}
	}
	t.Log(fmt.Sprintf("%d changes of %d pass, all in version numbers and digestAlgorithms", accepted, 3*len(message)))
}

func within(spans []span, i int) bool {
	for _, s := range spans {
		if i >= s.from && i < s.to {
			return true
		}
	}
	return false
}

// bothSigners joins the signers and certificates of two messages over one
// content.
func bothSigners(t testing.TB, a, b []byte) []byte {
	t.Helper()
	first, second := parsed(t, a), parsed(t, b)
	var out cryptobyte.Builder
	explicit := cbasn1.Tag(0).ContextSpecific().Constructed()
	out.AddASN1(cbasn1.SEQUENCE, func(out *cryptobyte.Builder) {
		out.AddASN1ObjectIdentifier(cms.OIDSignedData)
		out.AddASN1(explicit, func(out *cryptobyte.Builder) {
			out.AddASN1(cbasn1.SEQUENCE, func(out *cryptobyte.Builder) {
				out.AddASN1Int64(1)
				out.AddASN1(cbasn1.SET, func(out *cryptobyte.Builder) { first.DigestAlgorithms[0].AddTo(out) })
				out.AddASN1(cbasn1.SEQUENCE, func(out *cryptobyte.Builder) {
					out.AddASN1ObjectIdentifier(first.ContentType)
					out.AddASN1(explicit, func(out *cryptobyte.Builder) { out.AddASN1OctetString(first.Content) })
				})
				out.AddASN1(explicit, func(out *cryptobyte.Builder) {
					for _, c := range append(first.Certificates, second.Certificates...) {
						out.AddBytes(c)
					}
				})
				out.AddASN1(cbasn1.SET, func(out *cryptobyte.Builder) {
					out.AddBytes(first.Signers[0].Raw)
					out.AddBytes(second.Signers[0].Raw)
				})
			})
		})
	})
	der, err := out.Bytes()
	must(err)
	return der
}

package xmldsig

import (
	"crypto/subtle"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Policy says which signature is taken and what it must cover. The caller has
// found both places by walking from the root, not by searching the tree.
type Policy struct {
	// Parent has the one ds:Signature as its direct child.
	Parent *Element
	// Target is what the caller is going to parse, found by Id (an unprefixed Id
	// or wsu:Id). Nil means the whole document: URI="", enveloped.
	Target *Element
	// KeyInfo is the form the certificate must come in.
	KeyInfo KeyForm
}

// Verified is what a signature was found to cover.
type Verified struct {
	// Element is the covered element (for the whole document its root), read
	// again from Octets. Parse this and nothing else of the message: comments are
	// gone, an enveloped signature is gone, and what is left was signed. With an
	// exclusive method a prefix that is used only inside a value (xsi:type) is no
	// longer declared, because its declaration was not signed.
	Element *Element
	// Octets is the canonical form that the Reference digests.
	Octets []byte
	// SignedInfo is the canonical form that the key signed.
	SignedInfo []byte
	Value      []byte
	// Certificate is the candidate from KeyInfo whose key verified the signature.
	// Its trust is the caller's to judge. Others came along with it.
	Certificate *cert.Certificate
	Others      []*cert.Certificate
	Algorithm   *algo.Signature
}

// Verify checks the signature that the policy points at.
func Verify(d *Document, p Policy) (*Verified, error) {
	element, err := onlySignature(p.Parent)
	if err != nil {
		return nil, err
	}
	s, err := readSignature(element, p.KeyInfo)
	if err != nil {
		return nil, err
	}
	if err := s.pointsAt(d, p.Target); err != nil {
		return nil, err
	}
	v := &Verified{Value: s.value, Algorithm: s.algorithm}
	if v.SignedInfo, err = s.method.CanonicalElement(s.signedInfo); err != nil {
		return nil, err
	}
	if err := v.findSigner(s.certificates); err != nil {
		return nil, err
	}
	if v.Octets, err = s.covered(d, p.Target); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(s.reference.digest.Sum(v.Octets), s.reference.value) != 1 {
		return nil, fault.New(fault.XMLDigestMismatch, "Reference", "%s", s.reference.digest.Name)
	}
	v.Element, err = reread(v.Octets)
	return v, err
}

func onlySignature(parent *Element) (*Element, error) {
	if parent == nil {
		return nil, fault.New(fault.XMLSignatureMissing, "", "the element that must hold the Signature is missing")
	}
	switch all := parent.All(Space, "Signature"); len(all) {
	case 1:
		return all[0], nil
	case 0:
		return nil, fault.New(fault.XMLSignatureMissing, parent.Local, "no Signature is its direct child")
	default:
		return nil, fault.New(fault.XMLSignatureAmbiguous, parent.Local, "%d Signatures", len(all))
	}
}

// pointsAt holds the Reference against what the caller will parse.
func (s *signature) pointsAt(d *Document, target *Element) error {
	if err := uniqueIDs(d.Root); err != nil {
		return err
	}
	whole := target == nil
	if whole {
		target = d.Root
	}
	id, byID := strings.CutPrefix(s.reference.uri, "#")
	switch {
	case whole && s.reference.uri != "":
		return fault.New(fault.XMLSignatureReference, "Reference", "not the whole document")
	case !whole && (!byID || id == "" || idOf(target) != id):
		return fault.New(fault.XMLSignatureReference, "Reference", "not the element that is parsed")
	case s.reference.enveloped != target.contains(s.element):
		return fault.New(fault.XMLTransform, "Transforms", "enveloped-signature must stand exactly where the signature is inside what it covers")
	}
	return nil
}

// idOf returns the identifier by which a Reference may name the element.
func idOf(e *Element) string {
	if id, ok := e.Attr(WSUSpace, "Id"); ok {
		return id
	}
	id, _ := e.Attr("", "Id")
	return id
}

// uniqueIDs refuses a document in which an identifier occurs twice, or an
// element has two: which one a reader takes would be its own business.
func uniqueIDs(root *Element) error {
	seen := make(map[string]bool)
	var err error
	root.walk(func(e *Element) {
		own := 0
		for _, a := range e.Attrs {
			if a.Local != "Id" || (a.Space != "" && a.Space != WSUSpace) {
				continue
			}
			if own++; seen[a.Value] || own > 1 {
				err = fault.New(fault.XMLDuplicateID, e.Local, "an Id occurs twice")
			}
			seen[a.Value] = true
		}
	})
	return err
}

// covered computes what the Reference digests. A same-document reference
// leaves comments out before any transform sees them (XML Signature §4.4.3.3),
// whatever the canonicalisation is called.
func (s *signature) covered(d *Document, target *Element) ([]byte, error) {
	m := s.reference.method
	m.Comments = false
	var omit *Element
	if s.reference.enveloped {
		omit = s.element
	}
	if target == nil {
		return m.document(d, omit)
	}
	return m.subtree(target, omit)
}

// findSigner looks for the certificate whose key made the signature.
func (v *Verified) findSigner(candidates [][]byte) error {
	var refused error
	for _, der := range candidates {
		c, err := cert.Parse(der)
		if err != nil {
			return fault.Wrap(err, fault.XMLKeyMissing, "KeyInfo", "read the certificate")
		}
		if v.Certificate == nil {
			if err = v.Algorithm.VerifyRawMessage(c.PublicKey, v.SignedInfo, v.Value); err == nil {
				v.Certificate = c
				continue
			}
			if refused == nil {
				refused = err
			}
		}
		v.Others = append(v.Others, c)
	}
	if v.Certificate == nil {
		return refused
	}
	return nil
}

// reread builds the element anew from canonical octets. They were bounded when
// they were written, so only what could have changed since is bounded here.
func reread(octets []byte) (*Element, error) {
	d, err := Parse(octets, Limits{Bytes: len(octets), Attributes: 2 * MaxAttributes * MaxDepth})
	if err != nil {
		return nil, err
	}
	return d.Root, nil
}

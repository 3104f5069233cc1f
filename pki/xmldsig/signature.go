package xmldsig

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// The namespaces and identifiers of XML signatures and of WS-Security 1.0.
const (
	Space     = "http://www.w3.org/2000/09/xmldsig#"
	WSSESpace = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	WSUSpace  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

	envelopedURI     = Space + "enveloped-signature"
	x509v3URI        = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	base64BinaryURI  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
	certificatesMax  = 8   // in one KeyInfo: a chain is never longer
	prefixListMax    = 32  // of an InclusiveNamespaces element
	prefixListLength = 512 // in bytes
)

// KeyForm is how KeyInfo carries the certificate.
type KeyForm uint8

// The forms in use.
const (
	X509Data      KeyForm = iota // KeyInfo/X509Data/X509Certificate
	SecurityToken                // KeyInfo/wsse:SecurityTokenReference/wsse:KeyIdentifier (X.509 Token Profile 1.0 §3.2)
)

// signature is a ds:Signature taken apart: nothing in it is verified yet.
type signature struct {
	element      *Element
	signedInfo   *Element
	method       Method // canonicalisation of SignedInfo
	algorithm    *algo.Signature
	reference    reference
	value        []byte
	certificates [][]byte // DER, candidates only
}

type reference struct {
	uri       string
	enveloped bool
	method    Method
	digest    *algo.Digest
	value     []byte
}

func structure(at, format string, args ...any) error {
	return fault.New(fault.XMLSignatureStructure, at, format, args...)
}

// readSignature takes the Signature apart; anything it does not know is refused.
func readSignature(e *Element, form KeyForm) (*signature, error) {
	parts, err := sequence(e, "SignedInfo", "SignatureValue", "KeyInfo")
	if err != nil {
		return nil, err
	}
	s := &signature{element: e, signedInfo: parts[0]}
	if err := s.readSignedInfo(); err != nil {
		return nil, err
	}
	if s.value, err = binary(parts[1]); err != nil {
		return nil, err
	}
	s.certificates, err = readKeyInfo(parts[2], form)
	return s, err
}

func (s *signature) readSignedInfo() error {
	if extra := len(s.signedInfo.All(Space, "Reference")); extra > 1 {
		return fault.New(fault.XMLSignatureAmbiguous, "SignedInfo", "%d References", extra)
	}
	parts, err := sequence(s.signedInfo, "CanonicalizationMethod", "SignatureMethod", "Reference")
	if err != nil {
		return err
	}
	if s.method, err = readMethod(parts[0]); err != nil {
		return err
	}
	uri, err := algorithmOf(parts[1])
	if err != nil {
		return err
	}
	if _, err := sequence(parts[1]); err != nil {
		return err
	}
	if s.algorithm, err = algo.SignatureByURI(uri); err != nil {
		return err
	}
	if err := s.readReference(parts[2]); err != nil {
		return err
	}
	return s.agree()
}

// agree refuses SHA-1, and a digest weaker or other than the signature's own:
// the state's profiles pair them and nothing we must read differs.
func (s *signature) agree() error {
	switch {
	case s.algorithm.Digest == algo.SHA1 || s.reference.digest == algo.SHA1:
		return fault.New(fault.XMLAlgorithmWeak, "SignedInfo", "SHA-1")
	case s.algorithm.Digest != s.reference.digest:
		return fault.New(fault.AlgorithmMismatch, "Reference/DigestMethod", "%s beside %s", s.reference.digest.Name, s.algorithm.Name)
	}
	return nil
}

func (s *signature) readReference(e *Element) error {
	parts, err := sequence(e, "Transforms", "DigestMethod", "DigestValue")
	if err != nil {
		return err
	}
	for _, a := range e.Attrs {
		if a.Space != "" || (a.Local != "URI" && a.Local != "Id") {
			return structure("Reference", "an attribute that is not known")
		}
	}
	uri, present := e.Attr("", "URI")
	if !present {
		return fault.New(fault.XMLSignatureReference, "Reference", "no URI")
	}
	s.reference.uri = uri
	if err := s.reference.readTransforms(parts[0]); err != nil {
		return err
	}
	if uri, err = algorithmOf(parts[1]); err != nil {
		return err
	}
	if _, err := sequence(parts[1]); err != nil {
		return err
	}
	if s.reference.digest, err = algo.DigestByURI(uri); err != nil {
		return err
	}
	s.reference.value, err = binary(parts[2])
	return err
}

// readTransforms takes enveloped-signature, if it is there, and then exactly
// one canonicalisation: no other order, none twice, nothing else.
func (r *reference) readTransforms(e *Element) error {
	list := e.Elements()
	for _, transform := range list {
		if !transform.Is(Space, "Transform") {
			return structure("Transforms", "an element that is not a Transform")
		}
	}
	if len(list) > 0 {
		if uri, _ := list[0].Attr("", "Algorithm"); uri == envelopedURI {
			if _, err := sequence(list[0]); err != nil {
				return err
			}
			r.enveloped, list = true, list[1:]
		}
	}
	if len(list) != 1 {
		return fault.New(fault.XMLTransform, "Transforms", "%d transforms beside enveloped-signature, want one canonicalisation", len(list))
	}
	var err error
	r.method, err = readMethod(list[0])
	return err
}

// readMethod reads a canonicalisation with the one parameter it may have
// (Exclusive C14N §3: InclusiveNamespaces).
func readMethod(e *Element) (Method, error) {
	uri, err := algorithmOf(e)
	if err != nil {
		return Method{}, err
	}
	m, known := methods[uri]
	if !known {
		return Method{}, fault.New(fault.XMLTransform, e.Local, "%.120q", uri)
	}
	parameters := e.Elements()
	if len(parameters) == 0 {
		return m, nil
	}
	list, _ := parameters[0].Attr("", "PrefixList")
	if !m.Exclusive || len(parameters) > 1 || !parameters[0].Is(ExclusiveURI, "InclusiveNamespaces") || len(list) > prefixListLength {
		return Method{}, structure(e.Local, "a parameter that is not known")
	}
	if m.Prefixes = strings.Fields(list); len(m.Prefixes) > prefixListMax {
		return Method{}, structure(e.Local, "more than %d prefixes", prefixListMax)
	}
	return m, nil
}

func algorithmOf(e *Element) (string, error) {
	uri, present := e.Attr("", "Algorithm")
	if !present || len(e.Attrs) != 1 {
		return "", structure(e.Local, "Algorithm is not its one attribute")
	}
	return uri, nil
}

// readKeyInfo collects the certificates. They are candidates: KeyInfo is not
// signed and proves nothing.
func readKeyInfo(e *Element, form KeyForm) ([][]byte, error) {
	var holders []*Element
	if form == SecurityToken {
		token := e.Child(WSSESpace, "SecurityTokenReference")
		if token == nil || token.Child(WSSESpace, "KeyIdentifier") == nil {
			return nil, fault.New(fault.XMLKeyMissing, "KeyInfo", "no wsse:KeyIdentifier")
		}
		id := token.Child(WSSESpace, "KeyIdentifier")
		valueType, _ := id.Attr("", "ValueType")
		encoding, given := id.Attr("", "EncodingType")
		// Base64Binary is the default (SOAP Message Security 1.0 §7.3).
		if valueType != x509v3URI || (given && encoding != base64BinaryURI) {
			return nil, fault.New(fault.XMLKeyMissing, "KeyInfo", "a KeyIdentifier that is not an X.509 certificate in base64")
		}
		holders = []*Element{id}
	} else if data := e.Child(Space, "X509Data"); data != nil {
		holders = data.All(Space, "X509Certificate")
	}
	if len(holders) == 0 || len(holders) > certificatesMax {
		return nil, fault.New(fault.XMLKeyMissing, "KeyInfo", "%d certificates", len(holders))
	}
	var out [][]byte
	for _, holder := range holders {
		der, err := binary(holder)
		if err != nil {
			return nil, err
		}
		out = append(out, der)
	}
	return out, nil
}

// sequence returns the child elements, which must be exactly these ds elements
// in this order, with nothing but white space (and comments) between them.
func sequence(e *Element, names ...string) ([]*Element, error) {
	children := e.Elements()
	same := func(child *Element, name string) bool { return child.Is(Space, name) }
	if !slices.EqualFunc(children, names, same) || strings.Trim(e.Text(), " \t\r\n") != "" {
		return nil, structure(e.Local, "want exactly %v", names)
	}
	return children, nil
}

// lineEnds are what base64 in XML may be broken with; Kalkan writes &#13;.
var lineEnds = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "")

// binary reads the base64 text of an element without children.
func binary(e *Element) ([]byte, error) {
	if len(e.Elements()) > 0 {
		return nil, structure(e.Local, "an element inside base64")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(lineEnds.Replace(e.Text()))
	if err != nil || len(raw) == 0 {
		return nil, structure(e.Local, "not base64")
	}
	return raw, nil
}

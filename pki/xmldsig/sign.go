package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// Form is how a signature is written.
type Form struct {
	SignedInfo Method // canonicalisation of SignedInfo
	Content    Method // last transform of the Reference
	KeyInfo    KeyForm
	// Algorithm is what the key signs with. Nil: a key of GOST or Ed25519 its
	// own, RSA and ECDSA with SHA-256.
	Algorithm *algo.Signature
}

// WSSecurity is the form of ШЭП's transport signature: exclusive
// canonicalisation throughout, the certificate in a KeyIdentifier.
func WSSecurity() Form {
	return Form{SignedInfo: Method{Exclusive: true}, Content: Method{Exclusive: true}, KeyInfo: SecurityToken}
}

// Enveloped is the form of the signature inside a payload, as Kalkan writes it.
func Enveloped() Form { return Form{Content: Method{Comments: true}} }

// Key signs; Certificate names its holder. The key may live in an HSM.
type Key struct {
	Signer      crypto.Signer
	Certificate *cert.Certificate
}

// Sign puts a signature at the end of parent over target, which must have an
// Id, or over the whole document when target is nil. The Reference is digested
// as the algorithm digests. Errors: algorithm_key_mismatch for the certificate,
// or the algorithm, of another key; algorithm_unsupported for an algorithm that
// XML-DSig has no name for; xml_algorithm_weak for SHA-1; signature_invalid for
// a key that answers rubbish.
func Sign(d *Document, f Form, k Key, parent, target *Element) error {
	algorithm, err := k.algorithm(f.Algorithm)
	if err != nil {
		return err
	}
	uri := ""
	if target != nil {
		if uri = "#" + idOf(target); uri == "#" {
			return fault.New(fault.BadArgument, "", "the element to sign has no Id")
		}
	}
	s := &signature{reference: reference{uri: uri, method: f.Content, digest: algorithm.Digest}}
	content, err := s.covered(d, target)
	if err != nil {
		return err
	}
	enveloped := target == nil || target.contains(parent)
	element, err := f.write(uri, enveloped, algorithm, content, k.Certificate)
	if err != nil {
		return err
	}
	parent.Append(element)
	signedInfo, err := f.SignedInfo.CanonicalElement(element.Child(Space, "SignedInfo"))
	if err != nil {
		return err
	}
	value, err := k.sign(algorithm, signedInfo)
	if err != nil {
		return err
	}
	holder := element.Child(Space, "SignatureValue")
	holder.Children = []Node{Text(base64.StdEncoding.EncodeToString(value))}
	return nil
}

// algorithm chooses what the key signs with, if the form does not say, and checks
// that the certificate is this key's: a mix-up would only show at the peer.
func (k Key) algorithm(wanted *algo.Signature) (*algo.Signature, error) {
	public, comparable := k.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !comparable || !public.Equal(k.Certificate.PublicKey) {
		return nil, fault.New(fault.AlgorithmKeyMismatch, "", "the certificate is not this key's")
	}
	if wanted == nil {
		var err error
		if wanted, err = algo.SignatureFor(public, algo.DigestFor(public)); err != nil {
			return nil, err
		}
	}
	switch {
	case wanted.Digest == algo.SHA1:
		return nil, fault.New(fault.XMLAlgorithmWeak, "", "%s", wanted.Name)
	case wanted.URI == "" || wanted.Digest.URI == "":
		return nil, fault.New(fault.AlgorithmUnsupported, "", "%s has no identifier in XML-DSig", wanted.Name)
	}
	return wanted, nil
}

// sign gives the SignatureValue. What the key answered is verified: a token that
// answers rubbish, or has another kind of key than the algorithm's, makes no
// signature.
func (k Key) sign(algorithm *algo.Signature, message []byte) ([]byte, error) {
	value, err := k.Signer.Sign(rand.Reader, algorithm.Input(message), algorithm.SignerOpts())
	if err != nil {
		return nil, fmt.Errorf("sign XML: %w", err)
	}
	if public, ok := k.Signer.Public().(*ecdsa.PublicKey); ok {
		if value, err = algo.RawECDSA(public, value); err != nil {
			return nil, err
		}
	}
	if err := algorithm.VerifyRawMessage(k.Signer.Public(), message, value); err != nil {
		return nil, fmt.Errorf("check the key's answer: %w", err)
	}
	return value, nil
}

const signatureTemplate = `<ds:Signature xmlns:ds="` + Space + `"><ds:SignedInfo>` +
	`<ds:CanonicalizationMethod Algorithm="%s"/><ds:SignatureMethod Algorithm="%s"/>` +
	`<ds:Reference URI="%s"><ds:Transforms>%s<ds:Transform Algorithm="%s"/></ds:Transforms>` +
	`<ds:DigestMethod Algorithm="%s"/><ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>` +
	`<ds:SignatureValue/><ds:KeyInfo>%s</ds:KeyInfo></ds:Signature>`

var keyInfoTemplates = map[KeyForm]string{
	X509Data: `<ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data>`,
	SecurityToken: `<wsse:SecurityTokenReference xmlns:wsse="` + WSSESpace + `"><wsse:KeyIdentifier EncodingType="` +
		base64BinaryURI + `" ValueType="` + x509v3URI + `">%s</wsse:KeyIdentifier></wsse:SecurityTokenReference>`,
}

// write builds the Signature with its SignatureValue still empty.
func (f Form) write(uri string, enveloped bool, a *algo.Signature, content []byte, c *cert.Certificate) (*Element, error) {
	first := ""
	if enveloped {
		first = `<ds:Transform Algorithm="` + envelopedURI + `"/>`
	}
	text := fmt.Sprintf(signatureTemplate, f.SignedInfo.URI(), a.URI, escapeAttr.Replace(uri), first, f.Content.URI(),
		a.Digest.URI, base64.StdEncoding.EncodeToString(a.Digest.Sum(content)),
		fmt.Sprintf(keyInfoTemplates[f.KeyInfo], base64.StdEncoding.EncodeToString(c.Raw)))
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		return nil, fmt.Errorf("build the signature: %w", err)
	}
	return d.Root, nil
}

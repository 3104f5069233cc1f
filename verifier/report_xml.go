package verifier

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/senim-kz/senim/pki/algo"
)

// WriteXML writes the report as an unsigned validation report of ETSI TS 119
// 102-2 v1.4.1: the verdicts and constraints of each signature and, as
// validation objects, what they rest on, named by digest.
//
// The standard gives no identifiers to building blocks, policies and the roles
// of details: they are URNs of this project.
func (r *Report) WriteXML(w io.Writer) error {
	out := xmlReport{VR: "http://uri.etsi.org/19102/v1.4.1#", DS: "http://www.w3.org/2000/09/xmldsig#", XAdES: "http://uri.etsi.org/01903/v1.3.2#"}
	x := &xmlWriter{report: r, known: map[string]bool{}}
	for _, o := range r.Objects {
		x.known[o.ID] = true
	}
	x.signatures(r.Signatures, &out)
	for _, o := range r.Objects {
		if o.Kind == "timestamp" {
			continue // with its own verdict among the signatures' tokens
		}
		x.objects = append(x.objects, xmlObject{ID: objectID(o.Kind, o.ID), Type: objectTypes[o.Kind], Representation: sha256Of(o.ID)})
	}
	if len(x.objects) > 0 {
		out.Objects = &xmlObjects{x.objects}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("write the validation report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

const (
	urnETSI  = "urn:etsi:019102:"
	urnSenim = "urn:senim:"
)

// xmlWriter collects validation objects while it turns signatures into XML.
type xmlWriter struct {
	report  *Report
	known   map[string]bool // IDs of the report's objects
	tokens  map[string]bool // tokens that stand among the objects
	objects []xmlObject
}

// signatures adds signatures and those over them: the standard knows one list.
func (x *xmlWriter) signatures(list []SignatureReport, out *xmlReport) {
	for i := range list {
		out.Signatures = append(out.Signatures, x.signature(&list[i]))
		x.signatures(list[i].CounterSignatures, out)
	}
}

func (x *xmlWriter) signature(s *SignatureReport) xmlSignature {
	out := xmlSignature{
		Identifier: &xmlIdentifier{ID: s.ID, Digest: digestOf(s.ToBeSigned), Value: s.Value},
		Evaluation: &xmlEvaluation{constraintsOf("", s.Constraints, nil)},
		Time:       &xmlTimes{x.report.ValidationTime, xmlProof{Time: s.BestSignatureTime, Type: urnETSI + "poetype:validation"}},
		Attributes: x.attributes(s),
		Signer:     x.signer(s.Signer),
		Process:    &xmlProcess{ID: urnETSI + "validationprocess:LTA", Policy: urnSenim + "policy:" + urnPart(x.report.Policy)},
		Status:     xmlStatus{Main: mainIndication(s.Indication), Sub: subIndication(s.SubIndication), Data: x.data(s)},
	}
	for i := range s.Timestamps {
		x.timestamp(&s.Timestamps[i])
	}
	if proof := s.proof(); proof != nil && x.known[proof.Token] {
		out.Time.Best.Object = reference(proof.ID)
	}
	for _, c := range s.Covers {
		if c.Name == "content" && len(c.Digest.Value) > 0 {
			out.Document = &xmlDocument{digestOf(c.Digest)}
		}
	}
	return out
}

// attributes are those that the report says something about (annex A).
func (x *xmlWriter) attributes(s *SignatureReport) *xmlAttributes {
	var out xmlAttributes
	if s.ClaimedTime != "" {
		out.SigningTime = &xmlTime{Signed: "true", Time: s.ClaimedTime}
	}
	for _, t := range s.Timestamps {
		list := map[string]*[]xmlStamp{
			"content": &out.Content, "signature": &out.Signature, "cades_c": &out.SigAndRefs, "references": &out.RefsOnly,
		}[t.Kind]
		if list == nil {
			list = &out.Archive
		}
		if t.Time == "" {
			continue
		}
		stamp := xmlStamp{Time: t.Time}
		if x.known[t.Token] {
			stamp.Object = reference(t.ID)
		}
		*list = append(*list, stamp)
	}
	if out.SigningTime == nil && len(out.Content)+len(out.Signature)+len(out.SigAndRefs)+len(out.RefsOnly)+len(out.Archive) == 0 {
		return nil
	}
	return &out
}

func (x *xmlWriter) signer(s SignerReport) *xmlSigner {
	if !x.known[s.Certificate] {
		return nil
	}
	return &xmlSigner{Certificate: *reference(objectID("certificate", s.Certificate)), Name: s.CommonName}
}

// data is the path and what else the verdict rests on.
func (x *xmlWriter) data(s *SignatureReport) *xmlData {
	out := &xmlData{}
	for i, id := range s.Chain {
		if !x.known[id] {
			return nil
		}
		ref := reference(objectID("certificate", id))
		switch {
		case i == 0:
			out.Chain = &xmlChain{Signing: ref}
		case i == len(s.Chain)-1:
			out.Anchor, out.Chain.Anchor = ref, ref
		default:
			out.Chain.Intermediate = append(out.Chain.Intermediate, ref)
		}
	}
	for _, o := range x.report.Objects {
		if o.Kind != "certificate" && o.Kind != "timestamp" && slices.Contains(s.Evidence, o.ID) {
			out.Related = append(out.Related, reference(objectID(o.Kind, o.ID)))
		}
	}
	if out.Chain == nil && out.Related == nil {
		return nil
	}
	return out
}

// timestamp puts a token among the objects, once, with its own verdict.
func (x *xmlWriter) timestamp(t *TimestampReport) {
	if !x.known[t.Token] || x.tokens[t.ID] {
		return
	}
	if x.tokens == nil {
		x.tokens = map[string]bool{}
	}
	x.tokens[t.ID] = true
	object := xmlObject{
		ID: t.ID, Type: objectTypes["timestamp"], Representation: sha256Of(t.Token),
		Report: &xmlSignature{
			Evaluation: &xmlEvaluation{constraintsOf("", t.Constraints, nil)},
			Status:     xmlStatus{Main: mainIndication(t.Indication), Sub: subIndication(t.SubIndication)},
		},
	}
	if t.Time != "" && t.Indication == Passed {
		object.Provides = &xmlProvision{t.Time}
	}
	x.objects = append(x.objects, object)
}

// constraintsOf lists a tree of constraints, each under its own name and those
// that it is part of.
func constraintsOf(prefix string, tree []Constraint, out []xmlConstraint) []xmlConstraint {
	for _, c := range tree {
		name := prefix + urnPart(c.Name)
		entry := xmlConstraint{ID: urnSenim + "constraint:" + name, Status: urnETSI + "constraintStatus:applied"}
		if c.Detail != "" {
			entry.Parameters = append(entry.Parameters, xmlTyped{urnSenim + "detail", printable(c.Detail)})
		}
		switch c.Status {
		case StatusNotRun:
			entry.Status = urnETSI + "constraintStatus:disabled"
		case StatusWarning, StatusInformation: // decides nothing, so it has no indication
			entry.Parameters = append(entry.Parameters, xmlTyped{urnSenim + "level", string(c.Status)})
		default:
			entry.Validation = &xmlStatus{Main: mainIndication(Indication(c.Status)), Sub: subIndication(c.SubIndication)}
		}
		out = constraintsOf(name+":", c.Constraints, append(out, entry))
	}
	return out
}

// printable drops what XML cannot carry.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' && r != '\n' || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, s)
}

// urnPart keeps of a name what may stand in a URN.
func urnPart(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
}

func mainIndication(i Indication) string {
	return urnETSI + "mainindication:" + strings.ToLower(string(i))
}

func subIndication(s SubIndication) string {
	if s == "" {
		return ""
	}
	return urnETSI + "subindication:" + string(s)
}

var objectTypes = map[string]string{
	"certificate": urnETSI + "validationObject:certificate", "crl": urnETSI + "validationObject:CRL",
	"ocsp": urnETSI + "validationObject:OCSPResponse", "timestamp": urnETSI + "validationObject:timestamp",
}

// objectID is an xs:ID, which must not begin with a digit.
func objectID(kind, id string) string {
	if kind == "certificate" {
		return "C-" + id
	}
	return "R-" + id
}

func reference(id string) *xmlReference { return &xmlReference{id} }

func sha256Of(id string) xmlRepresentation {
	value, _ := hex.DecodeString(id) // an ID of facts is one
	return xmlRepresentation{*digestOf(Digested{algo.SHA256.Name, value})}
}

// digestOf names the algorithm by its URI, or by its OID if it has none.
func digestOf(d Digested) *xmlDigest {
	if len(d.Value) == 0 {
		return nil
	}
	uri := urnSenim + "digest:" + urnPart(d.Algorithm)
	if digest, err := algo.DigestByName(d.Algorithm); err == nil {
		if uri = digest.URI; uri == "" {
			uri = "urn:oid:" + digest.OID.String()
		}
	}
	return &xmlDigest{xmlMethod{uri}, d.Value}
}

package verifier

import (
	"encoding/base64"
	"encoding/xml"
)

// The elements of ETSI TS 119 102-2 that a report uses, in the order of its
// schema.
type (
	xmlReport struct {
		XMLName    xml.Name       `xml:"vr:ValidationReport"`
		VR         string         `xml:"xmlns:vr,attr"`
		DS         string         `xml:"xmlns:ds,attr"`
		XAdES      string         `xml:"xmlns:XAdES,attr"`
		Signatures []xmlSignature `xml:"vr:SignatureValidationReport"`
		Objects    *xmlObjects    `xml:"vr:SignatureValidationObjects"`
	}

	xmlSignature struct {
		Identifier *xmlIdentifier `xml:"vr:SignatureIdentifier"`
		Evaluation *xmlEvaluation `xml:"vr:ValidationConstraintsEvaluationReport"`
		Time       *xmlTimes      `xml:"vr:ValidationTimeInfo"`
		Document   *xmlDocument   `xml:"vr:SignersDocument"`
		Attributes *xmlAttributes `xml:"vr:SignatureAttributes"`
		Signer     *xmlSigner     `xml:"vr:SignerInformation"`
		Process    *xmlProcess    `xml:"vr:SignatureValidationProcess"`
		Status     xmlStatus      `xml:"vr:SignatureValidationStatus"`
	}

	// xmlIdentifier: the digest is of the data to be signed (§4.2.3).
	xmlIdentifier struct {
		ID          string     `xml:"id,attr"`
		Digest      *xmlDigest `xml:"vr:DigestAlgAndValue"`
		Value       xmlBase64  `xml:"ds:SignatureValue,omitempty"`
		HashOnly    bool       `xml:"vr:HashOnly"`
		DocHashOnly bool       `xml:"vr:DocHashOnly"`
	}

	xmlEvaluation struct {
		Constraints []xmlConstraint `xml:"vr:ValidationConstraint"`
	}
	xmlConstraint struct {
		ID         string     `xml:"vr:ValidationConstraintIdentifier"`
		Parameters []xmlTyped `xml:"vr:ValidationConstraintParameter"`
		Status     string     `xml:"vr:ConstraintStatus>vr:Status"`
		Validation *xmlStatus `xml:"vr:ValidationStatus"`
	}
	xmlTyped struct {
		Type  string `xml:"vr:Type"`
		Value string `xml:"vr:Value"`
	}

	xmlTimes struct {
		Validation string   `xml:"vr:ValidationTime"`
		Best       xmlProof `xml:"vr:BestSignatureTime"`
	}
	xmlProof struct {
		Time   string        `xml:"vr:POETime"`
		Type   string        `xml:"vr:TypeOfProof"`
		Object *xmlReference `xml:"vr:POEObject"`
	}

	xmlDocument struct {
		Digest *xmlDigest `xml:"vr:DigestAlgAndValue"`
	}

	// xmlAttributes are a choice in any order.
	xmlAttributes struct {
		SigningTime *xmlTime   `xml:"vr:SigningTime"`
		Content     []xmlStamp `xml:"vr:AllDataObjectsTimeStamp"`
		Signature   []xmlStamp `xml:"vr:SignatureTimeStamp"`
		SigAndRefs  []xmlStamp `xml:"vr:SigAndRefsTimeStamp"`
		RefsOnly    []xmlStamp `xml:"vr:RefsOnlyTimeStamp"`
		Archive     []xmlStamp `xml:"vr:ArchiveTimeStamp"`
	}
	xmlTime struct {
		Signed string `xml:"Signed,attr,omitempty"`
		Time   string `xml:"vr:Time"`
	}
	xmlStamp struct {
		Object *xmlReference `xml:"vr:AttributeObject"`
		Time   string        `xml:"vr:TimeStampValue"`
	}

	xmlSigner struct {
		Certificate xmlReference `xml:"vr:SignerCertificate"`
		Name        string       `xml:"vr:Signer,omitempty"`
	}

	xmlProcess struct {
		ID     string `xml:"vr:SignatureValidationProcessID"`
		Policy string `xml:"vr:SignatureValidationServicePolicy"`
	}

	xmlStatus struct {
		Main string   `xml:"vr:MainIndication"`
		Sub  string   `xml:"vr:SubIndication,omitempty"`
		Data *xmlData `xml:"vr:AssociatedValidationReportData"`
	}
	xmlData struct {
		Anchor  *xmlReference   `xml:"vr:TrustAnchor"`
		Chain   *xmlChain       `xml:"vr:CertificateChain"`
		Related []*xmlReference `xml:"vr:RelatedValidationObject"`
	}
	xmlChain struct {
		Signing      *xmlReference   `xml:"vr:SigningCertificate"`
		Intermediate []*xmlReference `xml:"vr:IntermediateCertificate"`
		Anchor       *xmlReference   `xml:"vr:TrustAnchor"`
	}

	xmlObjects struct {
		List []xmlObject `xml:"vr:ValidationObject"`
	}
	xmlObject struct {
		ID             string            `xml:"id,attr"`
		Type           string            `xml:"vr:ObjectType"`
		Representation xmlRepresentation `xml:"vr:ValidationObjectRepresentation"`
		Provides       *xmlProvision     `xml:"vr:POEProvisioning"`
		Report         *xmlSignature     `xml:"vr:ValidationReport"`
	}
	xmlRepresentation struct {
		Digest xmlDigest `xml:"vr:DigestAlgAndValue"`
	}
	xmlProvision struct {
		Time string `xml:"vr:POETime"`
	}

	xmlReference struct {
		ID string `xml:"VOReference,attr"`
	}
	xmlDigest struct {
		Method xmlMethod `xml:"ds:DigestMethod"`
		Value  xmlBase64 `xml:"ds:DigestValue"`
	}
	xmlMethod struct {
		Algorithm string `xml:"Algorithm,attr"`
	}
)

// xmlBase64 is xs:base64Binary.
type xmlBase64 []byte

// MarshalText implements encoding.TextMarshaler.
func (b xmlBase64) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

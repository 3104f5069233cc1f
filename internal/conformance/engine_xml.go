package main

import "encoding/xml"

// Diagnostic data of the EU's DSS, as far as its facts have a counterpart here.

type diagnosticData struct {
	XMLName      xml.Name         `xml:"DiagnosticData"`
	Validation   string           `xml:"ValidationDate"`
	Container    diagContainer    `xml:"ContainerInfo"`
	Signatures   []diagSignature  `xml:"Signatures>Signature"`
	Certificates []diagCert       `xml:"UsedCertificates>Certificate"`
	Revocations  []diagRevocation `xml:"UsedRevocations>Revocation"`
	Timestamps   []diagTimestamp  `xml:"UsedTimestamps>Timestamp"`
	Records      []diagRecord     `xml:"EvidenceRecords>EvidenceRecord"`

	fullScope bool // the row's policy demands that signatures cover all
}

type diagRecord struct {
	ID         string        `xml:"Id,attr"`
	Matchers   []diagMatcher `xml:"DigestMatchers>DigestMatcher"`
	Timestamps []diagRef     `xml:"EvidenceRecordTimestamps>FoundTimestamp"`
}

type diagContainer struct {
	Type      string     `xml:"ContainerType"`
	Manifests []struct{} `xml:"ManifestFiles>ManifestFile"`
}

type diagSigned struct {
	Encryption string `xml:"EncryptionAlgoUsedToSignThisToken"`
	KeyLength  string `xml:"KeyLengthUsedToSignThisToken"`
	Digest     string `xml:"DigestAlgoUsedToSignThisToken"`
	Intact     bool   `xml:"SignatureIntact"`
	Valid      bool   `xml:"SignatureValid"`
}

type diagRef struct {
	Certificate string `xml:"Certificate,attr"`
	Timestamp   string `xml:"Timestamp,attr"`
	Token       string `xml:"Token,attr"`
	Category    string `xml:"Category,attr"`
}

type diagMatcher struct {
	Type       string `xml:"type,attr"`
	Name       string `xml:"documentName,attr"`
	Duplicated bool   `xml:"duplicated,attr"`
	Digest     string `xml:"DigestMethod"`
	Found      bool   `xml:"DataFound"`
	Intact     bool   `xml:"DataIntact"`
}

type diagFound struct {
	Certificate string `xml:"Certificate,attr"`
	References  []struct {
		Origin string `xml:"Origin"`
		Digest struct {
			Match bool `xml:"match,attr"`
		} `xml:"DigestAlgoAndValue"`
	} `xml:"CertificateRef"`
}

type diagRevision struct {
	Dictionary struct {
		Consistent *bool `xml:"consistent,attr"`
		ByteRange  struct {
			Valid *bool `xml:"valid,attr"`
		} `xml:"SignatureByteRange"`
	} `xml:"PDFSignatureDictionary"`
	PageDifferences []struct{} `xml:"ModificationDetection>PageDifference"`
}

type diagToken struct {
	ID          string       `xml:"Id,attr"`
	Signed      diagSigned   `xml:"BasicSignature"`
	Signer      diagRef      `xml:"SigningCertificate"`
	Found       []diagFound  `xml:"FoundCertificates>RelatedCertificate"`
	SignerInfos []struct{}   `xml:"SignerInformationStore>SignerInfo"`
	Revision    diagRevision `xml:"PDFRevision"`
}

type diagSignature struct {
	diagToken
	Counter    bool          `xml:"CounterSignature,attr"`
	Duplicated bool          `xml:"Duplicated,attr"`
	Claimed    string        `xml:"ClaimedSigningTime"`
	Format     string        `xml:"SignatureFormat"`
	Matchers   []diagMatcher `xml:"DigestMatchers>DigestMatcher"`
	Timestamps []diagRef     `xml:"FoundTimestamps>FoundTimestamp"`
	Scopes     []diagScope   `xml:"SignatureScopes>SignatureScope"`
	Records    []struct {
		ID string `xml:"EvidenceRecord,attr"`
	} `xml:"FoundEvidenceRecords>FoundEvidenceRecord"`
}

type diagScope struct {
	Scope string `xml:"Scope"`
}

type diagTimestamp struct {
	diagToken
	Type     string        `xml:"Type,attr"`
	Time     string        `xml:"ProductionTime"`
	Matchers []diagMatcher `xml:"DigestMatcher"`
	Covers   []diagRef     `xml:"TimestampedObjects>TimestampedObject"`
}

type diagCert struct {
	ID         string     `xml:"Id,attr"`
	Serial     string     `xml:"SerialNumber"`
	NotBefore  string     `xml:"NotBefore"`
	NotAfter   string     `xml:"NotAfter"`
	KeySize    int        `xml:"PublicKeySize"`
	KeyAlgo    string     `xml:"PublicKeyEncryptionAlgo"`
	EntityKey  string     `xml:"EntityKey"`
	Signed     diagSigned `xml:"BasicSignature"`
	Issuer     diagRef    `xml:"SigningCertificate"`
	SelfSigned bool       `xml:"SelfSigned"`
	Trusted    struct {
		Value  bool   `xml:",chardata"`
		Sunset string `xml:"sunsetDate,attr"`
	} `xml:"Trusted"`
	Extensions struct {
		Basic *struct {
			CA      bool `xml:"CA,attr"`
			PathLen *int `xml:"pathLenConstraint,attr"`
		} `xml:"BasicConstraints"`
		KeyUsage *struct {
			Bits []string `xml:"keyUsageBit"`
		} `xml:"KeyUsages"`
		Usages *struct {
			Critical bool     `xml:"critical,attr"`
			OIDs     []string `xml:"extendedKeyUsageOid"`
		} `xml:"ExtendedKeyUsages"`
		NoCheck    *diagPresent `xml:"IdPkixOcspNoCheck"`
		ShortTerm  *diagPresent `xml:"ValAssuredShortTermCertificate"`
		NoRevAvail *diagPresent `xml:"NoRevAvail"`
	} `xml:"CertificateExtensions"`
	Services []struct {
		ID           string `xml:"ServiceDigitalIdentifier,attr"`
		ExpiredCerts string `xml:"ExpiredCertsRevocationInfo"`
	} `xml:"TrustServiceProviders>TrustServiceProvider>TrustServices>TrustService"`
	Revocations []struct {
		ID     string `xml:"Revocation,attr"`
		Status string `xml:"Status"`
		Reason string `xml:"Reason"`
		Date   string `xml:"RevocationDate"`
	} `xml:"Revocations>CertificateRevocation"`
}

type diagPresent struct {
	Present *bool `xml:"present,attr"`
}

func (p *diagPresent) is() bool { return p != nil && (p.Present == nil || *p.Present) }

type diagRevocation struct {
	ID           string     `xml:"Id,attr"`
	Origin       string     `xml:"Origin"`
	Type         string     `xml:"Type"`
	Produced     string     `xml:"ProductionDate"`
	ThisUpdate   string     `xml:"ThisUpdate"`
	NextUpdate   string     `xml:"NextUpdate"`
	Cutoff       string     `xml:"ArchiveCutOff"`
	ExpiredCerts string     `xml:"ExpiredCertsOnCRL"`
	Signed       diagSigned `xml:"BasicSignature"`
	Signer       diagRef    `xml:"SigningCertificate"`
}

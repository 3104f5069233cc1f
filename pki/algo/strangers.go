package algo

import (
	"encoding/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// strangers are algorithms that peers use and this table cannot compute: they
// are refused by name, so that a report says more than an OID.
var strangers = []struct{ name, oid, uri string }{
	{"GOST 34.311-95 (param 1)", "1.2.398.3.10.1.3.1.1.1", ""},
	{"GOST 34.310-2004 (param 1)", "1.2.398.3.10.1.1.1.2.1", ""},
	{"GOST 34.310-2004 (param 2)", "1.2.398.3.10.1.1.1.2.2", ""},
	{"GOST 34.310 (before 2016)", "1.3.6.1.4.1.6801.1.2.2", ""},
	{"MD5", "1.2.840.113549.2.5", "http://www.w3.org/2001/04/xmldsig-more#md5"},
	{"MD5 with RSA", "1.2.840.113549.1.1.4", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"},
	{"Ed448", "1.3.101.113", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448"},
}

func unsupportedOID(oid asn1.ObjectIdentifier) error {
	return fault.New(fault.AlgorithmUnsupported, "", "%s", Name(oid))
}

// uriLength bounds what an error repeats of a URI that came with the input.
const uriLength = 120

func unsupportedURI(uri string) error {
	for _, a := range strangers {
		if a.uri == uri {
			return fault.New(fault.AlgorithmUnsupported, "", "%s", a.name)
		}
	}
	return fault.New(fault.AlgorithmUnsupported, "", "%.*q", uriLength, uri)
}

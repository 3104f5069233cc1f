package authority

import (
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/tsp"
)

// QueryBytesMax bounds a TimeStampReq: the longest imprint, nonce and policy
// that are taken fill some 300 bytes.
const QueryBytesMax = 4 << 10

// Query is a request that was read, and so has the parts that go into the token as
// they came.
type Query struct{ *tsp.Request }

// ParseQuery reads a TimeStampReq. Besides pki/tsp's refusals there is
// tsa_request_version_unknown.
func ParseQuery(request []byte) (*Query, error) {
	if len(request) > QueryBytesMax {
		return nil, fault.New(fault.InputTooBig, "", "a request of %d bytes, at most %d", len(request), QueryBytesMax)
	}
	parsed, err := tsp.ParseRequest(request)
	if err != nil {
		if version, framed := versionOf(request); framed && (!version.IsInt64() || version.Int64() != 1) {
			return nil, fault.New(fault.TSAVersionUnknown, "", "not version 1")
		}
		return nil, err
	}
	return &Query{parsed}, nil
}

// versionOf reads no more of a request than its version.
func versionOf(request []byte) (version *big.Int, framed bool) {
	input := cryptobyte.String(request)
	var body cryptobyte.String
	version = new(big.Int)
	framed = input.ReadASN1(&body, cbasn1.SEQUENCE) && body.ReadASN1Integer(version)
	return version, framed
}

// NewQuery is a query that came in another form than DER.
func NewQuery(r *tsp.Request) (*Query, error) {
	raw, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	return ParseQuery(raw)
}

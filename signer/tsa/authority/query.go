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

// Query is a request with the parts that go into the token as they came.
type Query struct {
	*tsp.Request
	imprint []byte // MessageImprint
	nonce   []byte // INTEGER; empty if there is none
}

// ParseQuery reads a TimeStampReq. Besides pki/tsp's refusals there is
// tsa_request_version_unknown.
func ParseQuery(request []byte) (*Query, error) {
	if len(request) > QueryBytesMax {
		return nil, fault.New(fault.InputTooBig, "", "a request of %d bytes, at most %d", len(request), QueryBytesMax)
	}
	input := cryptobyte.String(request)
	var body, imprint cryptobyte.String
	var version int
	framed := input.ReadASN1(&body, cbasn1.SEQUENCE) && body.ReadASN1Integer(&version)
	if framed && version != 1 {
		return nil, fault.New(fault.TSAVersionUnknown, "", "%d", version)
	}
	parsed, err := tsp.ParseRequest(request)
	if err != nil {
		return nil, err
	}
	// The token repeats the imprint byte for byte, the algorithm's parameters
	// included: clients compare.
	if !body.ReadASN1Element(&imprint, cbasn1.SEQUENCE) {
		return nil, fault.New(fault.TimestampUnreadable, "", "the imprint is malformed")
	}
	return &Query{Request: parsed, imprint: imprint, nonce: encodeNonce(parsed.Nonce)}, nil
}

// NewQuery is a query that came in another form than DER.
func NewQuery(r *tsp.Request) (*Query, error) {
	raw, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	return ParseQuery(raw)
}

func encodeNonce(nonce *big.Int) []byte {
	if nonce == nil {
		return nil
	}
	return der(func(b *cryptobyte.Builder) { b.AddASN1BigInt(nonce) })
}

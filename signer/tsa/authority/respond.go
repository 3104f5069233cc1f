package authority

import (
	"context"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// statusRejection is the PKIStatus of every refusal (RFC 3161 §2.4.2).
const statusRejection = 2

// failure is a bit of PKIFailureInfo.
type failure struct {
	bit  int
	name string
}

// The failures of RFC 3161 §2.4.2. addInfoNotAvailable is about additional
// information, of which we know none.
var (
	badAlg              = failure{0, "badAlg"}
	badRequest          = failure{2, "badRequest"}
	badDataFormat       = failure{5, "badDataFormat"}
	timeNotAvailable    = failure{14, "timeNotAvailable"}
	unacceptedPolicy    = failure{15, "unacceptedPolicy"}
	unacceptedExtension = failure{16, "unacceptedExtension"}
	systemFailure       = failure{25, "systemFailure"}
)

// failures says what a refusal is called in a TimeStampResp.
var failures = map[fault.Code]failure{
	fault.AlgorithmUnsupported:       badAlg,
	fault.AlgorithmParametersInvalid: badAlg, // an AlgorithmIdentifier is both
	fault.TSADigestUnaccepted:        badAlg,
	fault.TSAVersionUnknown:          badRequest,
	fault.InputEmpty:                 badDataFormat,
	fault.InputTooBig:                badDataFormat,
	fault.TimestampUnreadable:        badDataFormat,
	fault.TimeNotAvailable:           timeNotAvailable,
	fault.TSAPolicyUnaccepted:        unacceptedPolicy,
	fault.TimestampExtensionUnknown:  unacceptedExtension,
}

// failureOf falls back on the class: what is not the client's doing is ours.
func failureOf(code fault.Code) failure {
	if f, known := failures[code]; known {
		return f
	}
	if class := code.Class(); class == fault.BadInput || class == fault.Refused {
		return badRequest
	}
	return systemFailure
}

// Respond answers a TimeStampReq with a TimeStampResp. It always has an answer;
// err is why that is a rejection, for the log.
func (a *Authority) Respond(ctx context.Context, request []byte) (reply []byte, err error) {
	q, err := ParseQuery(request)
	if err != nil {
		a.c.Metrics.replied(failureOf(fault.CodeOf(err)).name)
		return rejection(fault.CodeOf(err)), err
	}
	s, err := a.Stamp(ctx, q)
	if err != nil {
		return rejection(fault.CodeOf(err)), err
	}
	return s.Reply, nil
}

// rejection tells the code and what it means, and nothing of our insides.
func rejection(code fault.Code) []byte {
	f := failureOf(code)
	bits := asn1.BitString{Bytes: make([]byte, f.bit/8+1), BitLength: f.bit + 1}
	bits.Bytes[f.bit/8] = 0x80 >> (f.bit % 8)
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(statusRejection)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // PKIFreeText
					b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) {
						b.AddBytes([]byte(string(code) + ": " + code.Message(fault.English)))
					})
				})
				b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
					// Named bits end at the last that is set (X.690 §11.2.2).
					b.AddUint8(uint8(8*len(bits.Bytes) - bits.BitLength))
					b.AddBytes(bits.Bytes)
				})
			})
		})
	})
}

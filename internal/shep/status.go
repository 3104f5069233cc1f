package shep

import "github.com/senim-kz/senim/internal/fault"

// Status is the gateway's word on a message.
type Status struct {
	Code    StatusCode
	Message string // the peer's text; for people, never for decisions
}

// StatusCode as the gateway sends it. The list is open-ended.
type StatusCode string

// The codes that decide something here.
const (
	StatusOK             StatusCode = "SCSS001" // processed; not "found"
	StatusBusiness       StatusCode = "SCSE001" // business refusal, of ГБД ЮЛ: nothing found
	StatusBadData        StatusCode = "SCSE002" // the business data are wrong
	StatusUnhandled      StatusCode = "SCSE003" // the provider's unhandled exception
	StatusNotFound       StatusCode = "404"
	StatusUnavailable    StatusCode = "FAULT015"
	StatusInvalidRequest StatusCode = "SBF-VE-8"
	StatusAccessDenied   StatusCode = "SBF-AD-1"
)

// Class is what a status code means to the caller.
type Class uint8

// The classes. Technical is the zero value, so it is what an unknown code is.
const (
	Technical Class = iota // try later; nothing was said about the thing asked for
	Success                // processed; whether anything was found is in the payload
	Business               // the service refused or found nothing
	Gateway                // the gateway refused our request as such
)

var classes = map[StatusCode]Class{
	StatusOK:             Success,
	StatusBusiness:       Business,
	StatusBadData:        Business,
	StatusNotFound:       Business,
	StatusUnhandled:      Technical,
	StatusUnavailable:    Technical,
	"FAULT-015":          Technical,
	StatusInvalidRequest: Gateway,
	StatusAccessDenied:   Gateway,
	"VAL-JSR-001":        Gateway,
	"VAL-R-004":          Gateway,
}

// Class of the code.
func (c StatusCode) Class() Class { return classes[c] }

// known returns the code if it is of the table: an unknown one is text of the
// peer and stays out of errors.
func (c StatusCode) known() string {
	if _, ok := classes[c]; ok {
		return string(c)
	}
	return "an unknown code"
}

var classFaults = map[Class]fault.Code{
	Technical: fault.ShepTechnical,
	Business:  fault.ShepBusiness,
	Gateway:   fault.ShepGateway,
}

// Result returns the data of a successful response. Success without data is an
// error of its own: it means neither presence nor absence.
func (r *Response) Result() (Data, error) {
	class := r.Status.Code.Class()
	switch {
	case class != Success:
		return Data{}, fault.New(classFaults[class], "status/code", "%s", r.Status.Code.known())
	case r.Data.Empty():
		return Data{}, fault.New(fault.ShepDataMissing, "responseData", "%s without data", r.Status.Code)
	}
	return r.Data, nil
}

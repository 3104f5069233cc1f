package shep

import (
	"strings"
	"time"

	"github.com/senim-kz/senim/pki/xmldsig"
)

// subErrorsMax bounds the nested causes of a fault that are read; a chain that
// goes on is cut, since only the first ones tell anything.
const subErrorsMax = 8

// faultTextMax bounds each text of a fault, in bytes.
const faultTextMax = 500

// ErrorInfo is the detail of the gateway's SOAP fault and the causes below it,
// outermost first. Faults come unsigned: they can say why nothing was answered
// and never anything about the thing asked for.
type ErrorInfo struct {
	Code, Message, Data string
	Date                time.Time // zero if absent or unreadable
}

// SOAPFault is a fault as an error.
type SOAPFault struct {
	FaultCode, FaultString string
	Errors                 []ErrorInfo
}

// Error names the codes of the table; the peer's texts are left to whoever
// shows the fault, they may hold what was asked for.
func (f *SOAPFault) Error() string {
	codes := make([]string, 0, len(f.Errors))
	for _, e := range f.Errors {
		codes = append(codes, StatusCode(e.Code).known())
	}
	if len(codes) == 0 {
		return "SOAP fault"
	}
	return "SOAP fault: " + strings.Join(codes, ", ")
}

func readFault(e *xmldsig.Element) *SOAPFault {
	f := &SOAPFault{FaultCode: clip(e.Child("", "faultcode")), FaultString: clip(e.Child("", "faultstring"))}
	info := e.Child("", "detail").Child(typesSpace, "SendMessageFault1_SendMessageFault")
	for ; info != nil && len(f.Errors) < subErrorsMax; info = info.Child("", "subError") {
		entry := ErrorInfo{Code: clip(info.Child("", "errorCode")), Message: clip(info.Child("", "errorMessage")), Data: clip(info.Child("", "errorData"))}
		if at, err := time.Parse(time.RFC3339Nano, clip(info.Child("", "errorDate"))); err == nil {
			entry.Date = at
		}
		f.Errors = append(f.Errors, entry)
	}
	return f
}

func clip(e *xmldsig.Element) string {
	text := strings.TrimSpace(e.Text())
	if len(text) > faultTextMax {
		text = strings.ToValidUTF8(text[:faultTextMax], "")
	}
	return text
}

// WriteFault returns the SOAP message of a fault with one error, as the gateway
// sends it: unsigned.
func WriteFault(info ErrorInfo) []byte {
	var w writer
	w.WriteString(declaration + `<soap:Envelope xmlns:soap="` + soapSpace + `"><soap:Body><soap:Fault><faultcode>soap:Server</faultcode>`)
	w.field("faultstring", info.Message, fieldMax)
	w.WriteString(`<detail><typ:SendMessageFault1_SendMessageFault xmlns:typ="` + typesSpace + `">`)
	w.field("errorCode", info.Code, fieldMax)
	w.field("errorMessage", info.Message, fieldMax)
	w.field("errorDate", info.Date.Format(timeLayout), fieldMax)
	w.WriteString(`</typ:SendMessageFault1_SendMessageFault></detail></soap:Fault></soap:Body></soap:Envelope>`)
	return []byte(w.String())
}

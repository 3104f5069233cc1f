package shep

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	channel "github.com/senim-kz/senim/internal/shep"
)

// Fault is what the gateway does instead of answering well. The zero Fault is
// none.
type Fault struct {
	Name FaultName `json:"fault"`
	// Times is how many requests it strikes; 0 means until it is changed.
	Times int `json:"times,omitempty"`
	// DelayMS is how late Slow answers, in milliseconds.
	DelayMS int `json:"delay_ms,omitempty"`
}

// FaultName names a fault.
type FaultName string

// The faults.
const (
	None                 FaultName = ""
	Timeout              FaultName = "timeout"    // never answers, until the caller leaves
	Slow                 FaultName = "slow"       // answers late
	HTTP500              FaultName = "http_500"   // an error page that is not SOAP
	SOAPFault            FaultName = "soap_fault" // FAULT015
	BusinessError        FaultName = "scse001"
	UnhandledError       FaultName = "scse003"
	EmptyData            FaultName = "empty_data" // SCSS001 and nothing with it
	BadEnvelopeSignature FaultName = "bad_envelope_signature"
	BadPayloadSignature  FaultName = "bad_payload_signature" // inside a good envelope
	WrongCorrelation     FaultName = "wrong_correlation"
)

// delayMax bounds Slow.
const delayMax = time.Minute

// behaviour is where a fault strikes; each part may be nil.
type behaviour struct {
	// before runs instead of everything; true means that it has answered.
	before func(g *Gateway, f Fault, w http.ResponseWriter, r *http.Request) bool
	// response changes the answer before the gateway signs it.
	response func(*channel.Response)
	// sealed changes the signed answer.
	sealed func([]byte) []byte
}

var behaviours = map[FaultName]behaviour{
	None:    {},
	Timeout: {before: hang},
	Slow:    {before: delay},
	HTTP500: {before: func(_ *Gateway, _ Fault, w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "<html>Internal Server Error", http.StatusInternalServerError)
		return true
	}},
	SOAPFault: {before: func(g *Gateway, _ Fault, w http.ResponseWriter, _ *http.Request) bool {
		info := channel.ErrorInfo{Code: string(channel.StatusUnavailable), Message: "Сервис получателя недоступен", Date: g.config.Now()}
		channel.WriteXML(w, http.StatusInternalServerError, channel.WriteFault(info))
		return true
	}},
	BusinessError:  {response: status(channel.StatusBusiness, "Ошибка бизнес-данных")},
	UnhandledError: {response: status(channel.StatusUnhandled, "Необработанное исключение")},
	EmptyData:      {response: func(r *channel.Response) { r.Data = channel.Data{} }},
	BadEnvelopeSignature: {sealed: func(raw []byte) []byte {
		return bytes.Replace(raw, []byte("</messageId>"), []byte("0</messageId>"), 1)
	}},
	BadPayloadSignature: {response: func(r *channel.Response) {
		r.Data.Text = strings.Replace(r.Data.Text, "</", "0</", 1)
	}},
	WrongCorrelation: {response: func(r *channel.Response) { r.CorrelationID = uuid.NewString() }},
}

func status(code channel.StatusCode, message string) func(*channel.Response) {
	return func(r *channel.Response) {
		*r = channel.Response{Status: channel.Status{Code: code, Message: message}}
	}
}

func hang(_ *Gateway, _ Fault, _ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}

func delay(_ *Gateway, f Fault, _ http.ResponseWriter, r *http.Request) bool {
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(f.DelayMS)*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	return r.Context().Err() != nil
}

// SetFault makes the gateway fail from the next request on; the zero Fault
// mends it.
func (g *Gateway) SetFault(f Fault) error {
	if _, known := behaviours[f.Name]; !known {
		return fault.New(fault.BadArgument, "fault", "%.40q is not a fault", f.Name)
	}
	if f.Times < 0 || f.DelayMS < 0 || time.Duration(f.DelayMS)*time.Millisecond > delayMax {
		return fault.New(fault.BadArgument, "fault", "times or delay_ms is out of range")
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.fault = f
	return nil
}

// takeFault returns what strikes this request.
func (g *Gateway) takeFault() Fault {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	f := g.fault
	if f.Times == 1 {
		g.fault = Fault{}
	} else if f.Times > 1 {
		g.fault.Times--
	}
	return f
}

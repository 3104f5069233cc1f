package shep

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	channel "github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Config of the stand-in.
type Config struct {
	Gateway  xmldsig.Key  // signs envelopes; its certificate has ШЭП's role
	Register xmldsig.Key  // signs ГБД ЮЛ's payloads
	Client   channel.Peer // who may ask: the Single Window's role
	Now      func() time.Time
}

// State is what outlives the process, as JSON.
type State struct {
	Organisations map[kz.BIN]Organisation `json:"organisations"`
}

// Gateway is ШЭП with ГБД ЮЛ. It is safe for concurrent use.
type Gateway struct {
	config Config
	server channel.Server
	routes *http.ServeMux

	mutex sync.Mutex
	state State
	fault Fault
}

// New makes a gateway over a state that was saved, or the zero State.
func New(c Config, s State) (*Gateway, error) {
	if c.Gateway.Signer == nil || c.Register.Signer == nil || c.Client.Trust == nil || c.Now == nil {
		return nil, fault.New(fault.ConfigBad, "sandbox/shep", "keys, trust and clock are required")
	}
	g := &Gateway{config: c, routes: http.NewServeMux(), state: State{Organisations: map[kz.BIN]Organisation{}}}
	for _, o := range s.Organisations {
		if err := g.Put(o); err != nil {
			return nil, err
		}
	}
	g.server = channel.Server{Key: c.Gateway, Opener: channel.Opener{Peer: c.Client, Now: c.Now}}
	g.routes.HandleFunc("POST /{$}", g.message)
	g.control()
	return g, nil
}

// ServeHTTP takes SOAP messages at / and orders at /control/.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.routes.ServeHTTP(w, r) }

// Put adds or replaces an organisation.
func (g *Gateway) Put(o Organisation) error {
	if err := o.check(); err != nil {
		return err
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.state.Organisations[o.BIN] = o
	return nil
}

// State returns what to save.
func (g *Gateway) State() State {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return State{Organisations: maps.Clone(g.state.Organisations)}
}

func (g *Gateway) find(bin string) (Organisation, bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	o, ok := g.state.Organisations[kz.BIN(bin)]
	return o, ok
}

// message answers one SOAP request, well or as the fault in force says.
func (g *Gateway) message(w http.ResponseWriter, r *http.Request) {
	raw, err := g.server.Opener.ReadBody(w, r)
	if err != nil {
		g.server.Opener.Refuse(w, err)
		return
	}
	f := g.takeFault()
	strikes := behaviours[f.Name]
	if strikes.before != nil && strikes.before(g, f, w, r) {
		return
	}
	reply, err := g.answer(r.Context(), raw, strikes)
	if err != nil {
		g.server.Opener.Refuse(w, err)
		return
	}
	channel.WriteXML(w, http.StatusOK, reply)
}

func (g *Gateway) answer(ctx context.Context, raw []byte, strikes behaviour) ([]byte, error) {
	e, err := g.server.Opener.Open(ctx, raw)
	if err != nil {
		return nil, err
	}
	if e.Request == nil {
		return nil, fault.New(fault.ShepMessage, "Body", "a response where a request must be")
	}
	response, err := g.serve(ctx, e)
	if err != nil {
		return nil, err
	}
	if strikes.response != nil {
		strikes.response(&response)
	}
	reply, err := g.server.Seal(response, e.Request)
	if err == nil && strikes.sealed != nil {
		reply = strikes.sealed(reply)
	}
	return reply, err
}

// services by their id at the gateway.
var services = map[string]func(*Gateway, context.Context, *channel.Envelope) (channel.Response, error){
	"GbdulInfoByBin_v2": (*Gateway).gbdul,
}

func (g *Gateway) serve(ctx context.Context, e *channel.Envelope) (channel.Response, error) {
	service, known := services[e.Request.ServiceID]
	if !known {
		return refusal(channel.StatusInvalidRequest, "Сервис не зарегистрирован"), nil
	}
	return service(g, ctx, e)
}

func refusal(code channel.StatusCode, message string) channel.Response {
	return channel.Response{Status: channel.Status{Code: code, Message: message}}
}

// gbdul answers a look-up. The requestor must be who signed the payload, and
// who sent the envelope.
func (g *Gateway) gbdul(ctx context.Context, e *channel.Envelope) (channel.Response, error) {
	payload, err := channel.OpenPayload(ctx, e.Request.Data, g.config.Client, g.config.Now())
	if err != nil {
		return refusal(channel.StatusBadData, "Подпись запроса не принята: "+string(fault.CodeOf(err))), nil
	}
	requestor := payload.Root.Child("", "RequestorBIN").Text()
	switch {
	case !payload.Root.Is(gbdulSpace, "Request"):
		return refusal(channel.StatusBadData, "Неверный запрос"), nil
	case requestor != payload.Signer.Holder().BIN.String() || requestor != e.Signer.Holder().BIN.String():
		return refusal(channel.StatusBadData, "RequestorBIN не соответствует сертификату"), nil
	}
	o, found := g.find(payload.Root.Child("", "BIN").Text())
	if !found {
		return refusal(channel.StatusBusiness, "По указанному БИН сведения не найдены"), nil
	}
	data, err := channel.SealPayload(o.response(), g.config.Register)
	if err != nil {
		return channel.Response{}, err
	}
	return channel.Response{
		Status: channel.Status{Code: channel.StatusOK, Message: "Message has been processed successfully"}, Data: data,
	}, nil
}

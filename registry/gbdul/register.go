package gbdul

import (
	"context"
	"fmt"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// ServiceID of the look-up at the gateway.
const ServiceID = "GbdulInfoByBin_v2"

// Config says through which channel the register is asked, and as whom.
type Config struct {
	Channel *shep.Client
	// Key signs the request's payload; its certificate's BIN must be Requestor,
	// the register refuses anything else.
	Key       xmldsig.Key
	Requestor kz.BIN
	// Reader reads the answers.
	Reader Reader
	Now    func() time.Time
}

// Register asks ГБД ЮЛ. It is safe for concurrent use.
type Register struct{ config Config }

// New checks the configuration.
func New(c Config) (*Register, error) {
	switch {
	case c.Channel == nil || c.Now == nil:
		return nil, fault.New(fault.ConfigBad, "gbdul", "a channel and a clock are required")
	case c.Key.Signer == nil || c.Key.Certificate == nil:
		return nil, fault.New(fault.ConfigBad, "gbdul", "a key and its certificate are required")
	case c.Requestor == "" || c.Key.Certificate.Holder().BIN != c.Requestor:
		return nil, fault.New(fault.ConfigBad, "gbdul", "the key's certificate is not the requestor's")
	}
	if err := c.Reader.Signer.Configured(); err != nil {
		return nil, err
	}
	return &Register{config: c}, nil
}

// Answer is a look-up and what it found.
type Answer struct {
	// Organisation is nil when the register says that there is none.
	Organisation *Organisation
	// Exchange holds the messages as they went and came, both signatures inside.
	Exchange shep.Exchange
	// Gateway and Register signed the envelope and the payload; Register is nil
	// when the gateway alone answered that nothing was found.
	Gateway, Register *cert.Certificate
}

// Organisation looks one up. As soon as anything was sent the Answer is there,
// also beside an error, for its Exchange.
func (r *Register) Organisation(ctx context.Context, bin kz.BIN) (*Answer, error) {
	payload, err := shep.SealPayload(request(r.config.Requestor, bin), r.config.Key)
	if err != nil {
		return nil, err
	}
	reply, err := r.config.Channel.Send(ctx, shep.Request{ServiceID: ServiceID, Data: payload})
	if reply == nil {
		return nil, err
	}
	answer := &Answer{Exchange: reply.Exchange, Gateway: reply.Signer}
	if err != nil {
		return answer, err
	}
	// ГБД ЮЛ's adapter says "nothing found" with a status instead of a payload.
	if code := reply.Status.Code; code == shep.StatusBusiness || code == shep.StatusNotFound {
		return answer, nil
	}
	data, err := reply.Result()
	if err != nil {
		return answer, err
	}
	return answer, r.open(ctx, answer, data, bin)
}

func request(requestor, bin kz.BIN) string {
	return fmt.Sprintf(`<g:Request xmlns:g="%s"><RequestorBIN>%s</RequestorBIN><BIN>%s</BIN></g:Request>`, Space, requestor, bin)
}

// open reads the signed payload into the answer.
func (r *Register) open(ctx context.Context, answer *Answer, data shep.Data, bin kz.BIN) error {
	organisation, signer, err := r.config.Reader.Read(ctx, data, r.config.Now())
	switch {
	case err != nil:
		return shep.Unusable(err, "read the register's answer")
	case organisation != nil && organisation.BIN != bin:
		return fault.New(fault.RegisterOther, "Organization/BIN", "the answer is about another BIN")
	}
	answer.Organisation, answer.Register = organisation, signer
	return nil
}

// Reader reads the register's signed payloads, as they come or later from what
// was kept.
type Reader struct {
	// Signer is who signs for the register.
	Signer shep.Peer
	// States explains RegStatus codes. Nil means DefaultStates.
	States map[string]State
	// Control of the numbers in a record; production demands it in full.
	Control kz.Control
}

// Read verifies a payload at a time and takes it apart. A nil Organisation
// without an error is the register's word that the BIN is not registered.
func (r Reader) Read(ctx context.Context, data shep.Data, at time.Time) (*Organisation, *cert.Certificate, error) {
	payload, err := shep.OpenPayload(ctx, data, r.Signer, at)
	if err != nil {
		return nil, nil, err
	}
	organisation, err := r.response(payload.Root)
	if err != nil {
		return nil, nil, err
	}
	return organisation, payload.Signer, nil
}

// The register's own codes (Status/Code).
const statusProcessed = "002"

// notRegistered are the codes by which it says that the BIN is not registered.
var notRegistered = map[string]bool{"031": true, "034": true, "035": true}

// response takes a verified Response apart.
func (r Reader) response(root *xmldsig.Element) (*Organisation, error) {
	if !root.Is(Space, "Response") {
		return nil, fault.New(fault.RegisterAnswer, "", "not a Response of %s", ServiceID)
	}
	switch status := value(root.Child("", "Status"), "Code"); {
	case notRegistered[status]:
		return nil, nil
	case status != statusProcessed:
		return nil, fault.New(fault.RegisterStatus, "Status/Code", "not processed: %.10q", status)
	}
	if len(root.All("", "IpsNerezident")) > 0 {
		return nil, fault.New(fault.NotAvailable, "IpsNerezident", "non-resident individual entrepreneurs")
	}
	e := root.Child("", "Organization")
	if e == nil {
		return nil, fault.New(fault.ShepDataMissing, "Organization", "processed, and no organisation in it")
	}
	states := r.States
	if states == nil {
		states = DefaultStates()
	}
	fields := record{states: states, control: r.Control}
	organisation := fields.organisation(e)
	if fields.err != nil {
		return nil, fields.err
	}
	return &organisation, nil
}

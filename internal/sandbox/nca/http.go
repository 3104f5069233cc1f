package nca

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// Paths under the base URL; those of a branch are beside it.
const (
	pathOCSP = "/ocsp/"
	pathTSP  = "/tsp/"
	pathCPS  = "/cps"
)

const (
	// requestBytesMax: an OCSP or timestamp request has a few hundred bytes.
	requestBytesMax = 64 << 10
)

// URLs are the addresses of the services. OCSP answers for both branches, each
// with its own key.
type URLs struct {
	OCSP string `json:"ocsp"`
	TSP  string `json:"tsp"`

	CRL      string `json:"crl"`
	DeltaCRL string `json:"delta_crl"`
	Root     string `json:"root"`
	CA       string `json:"ca"`

	GOST BranchURLs `json:"gost"`
}

// BranchURLs are what a branch publishes.
type BranchURLs struct {
	CRL      string `json:"crl"`
	DeltaCRL string `json:"delta_crl"`
	Root     string `json:"root"`
	CA       string `json:"ca"`
}

// URLs of this Authority.
func (a *Authority) URLs() URLs {
	rsa := a.published(&a.rsa)
	return URLs{
		OCSP: a.base + pathOCSP, TSP: a.base + pathTSP,
		CRL: rsa.CRL, DeltaCRL: rsa.DeltaCRL, Root: rsa.Root, CA: rsa.CA, GOST: a.published(&a.gost),
	}
}

func (a *Authority) published(b *branch) BranchURLs {
	return BranchURLs{
		CRL: a.base + b.pathCRL(), DeltaCRL: a.base + b.pathDelta(),
		Root: a.base + b.pathRootCertificate(), CA: a.base + b.pathCertificate(),
	}
}

// Handler serves OCSP, TSP, CRLs, CA certificates and the control endpoint.
// A request under the timeout fault ends with its context, so whoever serves the
// handler cancels the base context when it stops.
func (a *Authority) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathOCSP+"{$}", a.serveOCSP)
	mux.HandleFunc("POST "+pathTSP+"{$}", a.serveTSP)
	for _, b := range a.branches() {
		for path, make := range map[string]func(*branch, time.Time) ([]byte, error){
			b.pathCRL(): a.makeCRL, b.pathDelta(): a.makeDelta, b.pathRootCRL(): a.makeRootCRL,
		} {
			mux.HandleFunc("GET "+path, a.serveCRL(list{b, path, make}))
		}
		mux.HandleFunc("GET "+b.pathCertificate(), serveBytes("application/pkix-cert", func() []byte { return b.issuing.certificate.Raw }))
		mux.HandleFunc("GET "+b.pathRootCertificate(), serveBytes("application/pkix-cert", func() []byte { return b.root.certificate.Raw }))
	}
	mux.HandleFunc("GET "+pathCPS, serveBytes("text/plain; charset=utf-8", func() []byte {
		return []byte(Organization + " certifies nothing: it is a stand-in for tests.\n")
	}))
	mux.HandleFunc("GET /control/faults", a.showFaults)
	mux.HandleFunc("POST /control/faults", control(a.SetFaults))
	mux.HandleFunc("POST /control/certificates", control(a.changeCertificate))
	mux.HandleFunc("POST /control/time", control(a.changeTime))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Before the mux, which would clean away the double slashes that base64
		// may hold (RFC 6960 app. A.1).
		if encoded, ok := strings.CutPrefix(r.URL.EscapedPath(), pathOCSP); ok && r.Method == http.MethodGet {
			a.serveOCSPGet(w, r, encoded)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func serveBytes(contentType string, body func() []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, contentType, body()) }
}

func answer(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	// The peer is gone if this fails, and there is nobody to tell.
	_, _ = w.Write(body)
}

// readBody reads a request of the content type, and plays the faults that come
// before any answer.
func readBody(w http.ResponseWriter, r *http.Request, contentType string, f Fault) ([]byte, bool) {
	if got := r.Header.Get("Content-Type"); got != contentType {
		http.Error(w, "the content type must be "+contentType, http.StatusUnsupportedMediaType)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestBytesMax))
	if err != nil {
		http.Error(w, "the request cannot be read", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	return body, reachable(w, r, f)
}

// reachable plays the faults of a service that does not answer.
func reachable(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch f {
	case Timeout:
		<-r.Context().Done()
		return false
	case Unavailable:
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return false
	}
	return true
}

func (a *Authority) serveOCSP(w http.ResponseWriter, r *http.Request) {
	f := a.Faults().OCSP
	if body, ok := readBody(w, r, "application/ocsp-request", f); ok {
		answer(w, "application/ocsp-response", a.respondOCSP(body, f))
	}
}

func (a *Authority) serveOCSPGet(w http.ResponseWriter, r *http.Request, encoded string) {
	f := a.Faults().OCSP
	if !reachable(w, r, f) {
		return
	}
	text, err := url.PathUnescape(encoded)
	if err != nil || len(text) > requestBytesMax {
		answer(w, "application/ocsp-response", ocspError(ocspMalformed))
		return
	}
	request, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		answer(w, "application/ocsp-response", ocspError(ocspMalformed))
		return
	}
	answer(w, "application/ocsp-response", a.respondOCSP(request, f))
}

func (a *Authority) serveTSP(w http.ResponseWriter, r *http.Request) {
	f := a.Faults().TSP
	if body, ok := readBody(w, r, "application/timestamp-query", f); ok {
		answer(w, "application/timestamp-reply", a.respondTSP(body, f))
	}
}

func (a *Authority) serveCRL(l list) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := a.Faults().CRL
		if !reachable(w, r, f) {
			return
		}
		der, err := a.currentCRL(l, f)
		if err != nil {
			http.Error(w, "the CRL cannot be made", http.StatusInternalServerError)
			return
		}
		answer(w, "application/pkix-crl", der)
	}
}

func (a *Authority) showFaults(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(a.Faults())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, "application/json", body)
}

// control decodes a JSON order strictly and carries it out. It is reachable on
// loopback only, like the rest.
func control[T any](carryOut func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var order T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, requestBytesMax))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&order); err != nil {
			http.Error(w, "not an order: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := carryOut(order); err != nil {
			status := http.StatusInternalServerError
			if fault.Is(err, fault.BadArgument) {
				status = http.StatusBadRequest
			}
			http.Error(w, err.Error(), status)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// certificateOrder changes a certificate's status.
type certificateOrder struct {
	Serial string `json:"serial"`
	Action string `json:"action"` // revoke, hold, unhold
	Reason int    `json:"reason"` // of revoke
}

func (a *Authority) changeCertificate(o certificateOrder) error {
	switch o.Action {
	case "revoke":
		return a.Revoke(o.Serial, o.Reason)
	case "hold":
		return a.Hold(o.Serial)
	case "unhold":
		return a.Unhold(o.Serial)
	}
	return fault.New(fault.BadArgument, "/action", "the actions are revoke, hold and unhold")
}

// timeOrder changes one time server.
type timeOrder struct {
	Server int `json:"server"`
	TimeBehaviour
}

func (a *Authority) changeTime(o timeOrder) error {
	if o.Server < 0 || o.Server >= len(a.servers) {
		return fault.New(fault.BadArgument, "/server", "the servers are 0 to %d", len(a.servers)-1)
	}
	return a.servers[o.Server].Behave(o.TimeBehaviour)
}

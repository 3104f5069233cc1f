package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/senim-kz/senim/internal/fault"
)

// checkTimeout bounds each check of readiness; a balancer does not wait longer.
const checkTimeout = 2 * time.Second

func (h handlers) GetHealth(context.Context, GetHealthRequestObject) (GetHealthResponseObject, error) {
	return GetHealth200JSONResponse{Status: "ok"}, nil
}

// GetReadiness runs every check at once. A server that drains is not ready,
// so that the balancer sends no more.
func (h handlers) GetReadiness(ctx context.Context, _ GetReadinessRequestObject) (GetReadinessResponseObject, error) {
	ctx, _ = enter(ctx)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results, failed := h.runChecks(ctx)
	switch {
	case h.draining.Load():
		return GetReadiness503JSONResponse{Status: "draining", Checks: results}, nil
	case failed:
		return GetReadiness503JSONResponse{Status: "unready", Checks: results}, nil
	}
	return GetReadiness200JSONResponse{Status: "ready", Checks: results}, nil
}

func (h handlers) runChecks(ctx context.Context) (results map[string]string, failed bool) {
	results = make(map[string]string, len(h.rooms.Checks))
	var mu sync.Mutex
	var running sync.WaitGroup
	for name, check := range h.rooms.Checks {
		running.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			results[name] = "ok"
			if err != nil {
				results[name], failed = string(checkCode(ctx, err)), true
			}
		})
	}
	running.Wait()
	return results, failed
}

// checkCode is the code of a check that failed. One that runs out of the time that a
// check has was cancelled by nobody: what it asked has not answered.
func checkCode(ctx context.Context, err error) fault.Code {
	code := codeOf(err)
	if code == fault.Cancelled && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.PeerDown
	}
	return code
}

// handlerResponse answers with another handler's own words.
type handlerResponse struct {
	handler http.Handler
	request *http.Request
}

func (r handlerResponse) VisitGetMetricsResponse(w http.ResponseWriter) error {
	r.handler.ServeHTTP(w, r.request)
	return nil
}

func (h handlers) GetMetrics(ctx context.Context, _ GetMetricsRequestObject) (GetMetricsResponseObject, error) {
	_, c := enter(ctx)
	return handlerResponse{promhttp.HandlerFor(h.rooms.Registry, promhttp.HandlerOpts{}), c.request}, nil
}

// rawResponse answers with bytes as they are.
type rawResponse struct {
	contentType string
	headers     map[string]string
	body        []byte
}

func (r rawResponse) write(w http.ResponseWriter) error {
	for name, value := range r.headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", r.contentType)
	_, err := w.Write(r.body)
	return err
}

func (r rawResponse) VisitGetKeysResponse(w http.ResponseWriter) error          { return r.write(w) }
func (r rawResponse) VisitGetDescriptionResponse(w http.ResponseWriter) error   { return r.write(w) }
func (r rawResponse) VisitGetDocumentationResponse(w http.ResponseWriter) error { return r.write(w) }
func (r rawResponse) VisitGetDocsAssetResponse(w http.ResponseWriter) error     { return r.write(w) }

// keysLife is how long a verifier may keep the key set: less than the notice
// given before a new key signs.
const keysLife = "public, max-age=300"

func (h handlers) GetKeys(context.Context, GetKeysRequestObject) (GetKeysResponseObject, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range slices.Concat(h.rooms.Keys(), h.rooms.Access.PublicKeys()) {
		if len(set.Key(key.KeyID)) == 0 { // one key may have two uses
			set.Keys = append(set.Keys, key)
		}
	}
	body, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	return rawResponse{"application/jwk-set+json", map[string]string{"Cache-Control": keysLife}, body}, nil
}

func (h handlers) GetDescription(context.Context, GetDescriptionRequestObject) (GetDescriptionResponseObject, error) {
	return rawResponse{jsonType, nil, h.contract.json}, nil
}

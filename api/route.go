package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"github.com/senim-kz/senim/internal/access"
)

//go:embed openapi.yaml
var description []byte

// sizeExtension names, in the contract, the largest body of an operation.
const sizeExtension = "x-senim-max-bytes"

// decodedExtension marks a JSON body that its handler decodes, and judges, by
// itself: one of thousands of parts, each with an outcome of its own. It reads
// it with jsonReader, which takes nothing but I-JSON.
const decodedExtension = "x-senim-decoded-by-handler"

// formType is the one media type whose body is validated besides JSON.
const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// operation is one operation of the contract with the rule of who may call it.
type operation struct {
	id      string
	rule    access.Rule
	route   *routers.Route
	body    *openapi3.RequestBody // nil if it takes none
	bodyMax int64                 // bytes
	decodes bool                  // its handler decodes the body
	query   map[string]bool       // the query parameters it knows
	series  series
}

// validated reports whether the body's schema says more than "bytes".
func (o *operation) validated() bool {
	return o.body != nil && (o.body.Content[jsonType] != nil || o.body.Content[formType] != nil)
}

// contract is the API's description, read.
type contract struct {
	json       []byte                // for /openapi.json
	operations map[string]*operation // by method and gin's form of the path
}

// readContract reads the embedded description and joins it with the table of
// access. An operation without a rule, or with a body but no size, is an
// error: the service does not start with it.
func readContract() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	c := &contract{operations: make(map[string]*operation)}
	if c.json, err = json.Marshal(doc); err != nil {
		return nil, fmt.Errorf("write openapi.json: %w", err)
	}
	for path, item := range doc.Paths.Map() {
		for method, spec := range item.Operations() {
			o, err := newOperation(spec, &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: spec})
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			c.operations[operationKey(method, ginPath(path))] = o
		}
	}
	return c, nil
}

func newOperation(spec *openapi3.Operation, route *routers.Route) (*operation, error) {
	o := &operation{id: spec.OperationID, rule: access.RuleOf(spec.OperationID), route: route, query: make(map[string]bool)}
	if o.rule.Door == access.Closed {
		return nil, fmt.Errorf("%s has no rule of access", o.id)
	}
	for _, p := range spec.Parameters {
		if p.Value.In == openapi3.ParameterInQuery {
			o.query[p.Value.Name] = true
		}
	}
	if spec.RequestBody == nil {
		return o, nil
	}
	o.body = spec.RequestBody.Value
	size, ok := o.body.Extensions[sizeExtension].(float64)
	if !ok || size <= 0 {
		return nil, fmt.Errorf("%s takes a body without %s", o.id, sizeExtension)
	}
	o.bodyMax = int64(size)
	o.decodes, _ = o.body.Extensions[decodedExtension].(bool)
	return o, nil
}

// ginPath writes "/a/{id}" as "/a/:id".
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func operationKey(method, path string) string { return method + " " + path }

// find returns the operation of a matched route, or nil.
func (c *contract) find(r *http.Request, path string) *operation {
	return c.operations[operationKey(r.Method, path)]
}

// Package api is Senim's HTTP API: routes, access, problem documents, and the
// pages that describe it.
//
// The contract comes first: openapi.yaml (OpenAPI 3.0.3) is what callers read
// and what requests are held against (kin-openapi); openapi.gen.go is made of
// it, and the handlers implement the interface there. So neither can drift
// from the other. Errors are problem documents (RFC 9457) with the codes of
// internal/fault.
//
// A request passes, in this order: observe (identifier, log, metrics, panics),
// guard (who calls, may they, how often), check (media type, parameters, size,
// schema), then its handler, which calls one use case and maps the answer.
// Uploads (multipart/form-data) are the handler's to read, as they come: check
// only bounds them. There is no rule of the domain here, no SQL and no ASN.1.
//
// cmd/senim alone uses this package.
package api

//go:generate go tool oapi-codegen -config oapi-codegen.yaml -o openapi.gen.go openapi.yaml

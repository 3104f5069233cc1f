// Package fetch is the project's one HTTP client. Everything that Senim asks of
// another system (OCSP, CRL, TSP, ШЭП, the payment gateway) goes through it.
//
// A URL may come from a certificate's AIA or CDP extension, that is, from
// whoever sent the document. Therefore:
//
//   - only hosts that the operator listed are asked, and nothing is listed by
//     default;
//   - the address a name resolved to is checked when the socket is opened, so a
//     name that resolves to another address at each question (DNS rebinding)
//     gains nothing; loopback and private networks need a permission each, and
//     link-local addresses (cloud metadata) cannot be permitted at all;
//   - no redirect is followed, no proxy is taken from the environment, no
//     compressed body is inflated;
//   - every exchange has a time limit and every answer a size limit.
//
// It does not retry, cache or interpret: callers know their protocol. It
// satisfies the one-method Fetcher interface of the pki packages. Any package
// on a higher floor may be handed a *Client; only cmd/senim and tests make one.
package fetch

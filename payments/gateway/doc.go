// Package gateway is the port to a payment gateway, and its adapter to ПШЭП,
// the payment gateway of the e-government.
//
// The port is small: register a bill and learn where the payer pays it; open
// what the gateway sends and answer it. An adapter authenticates and
// translates; what a payment means is decided by package payments.
//
// # What the ПШЭП adapter is, and is not
//
// No message format, status list or signature rule of ПШЭП is public. It is
// known that it carries the fact of a payment from banks to state bodies
// (order 276 of 09.12.2016), while the money itself goes to the treasury by
// interbank transfer, and that parties join it by an integration order. So
// this adapter speaks messages of our own (message.go): small XML documents in
// the namespace urn:senim:payment-gateway:1, signed by who states them and
// carried in the ШЭП envelope of internal/shep. The gateway is recognised by a
// certificate that leads to an anchor and carries the role
// 1.2.398.3.3.4.1.2.6.95. This is not ПШЭП's format and no conformance to it
// is claimed; the real specification, once at hand, replaces this adapter and
// nothing else.
//
// Asking for a status, reversals, refunds and other gateways are not here yet.
//
// Called by payments; message.go also by internal/sandbox/pshep, which plays
// the other end.
package gateway

// Package gateway is the port to a payment gateway, and its adapter to ПШЭП,
// the payment gateway of the e-government.
//
// The port is small: register a bill and learn where the payer pays it; ask how
// it stands, withdraw it, order a refund; open what the gateway sends and
// answer it. What only some gateways can do stands apart (order.go): capture
// held money, make a QR code, debit an account. Every answer is a list of
// facts (fact.go), each known for ever by its reference, with the messages that
// brought them. An adapter authenticates and translates; what a fact means is
// decided by package payments.
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
// A document is signed together with a header (header.go): the identifier of
// the envelope that carries it, that of the request it answers, its receiver
// and its time. So it cannot be taken out and sent again in another envelope,
// to another system, or later; the whole envelope sent again within its window
// tells the same fact, which changes nothing.
//
// The adapter to ePay 2, payments/gateway/epay, proves the port on a gateway
// that is not ours to shape.
//
// Called by payments; the messages also by internal/sandbox/pshep, which plays
// the other end.
package gateway

// Package epay is the adapter to ePay 2, Halyk Bank's acquiring of cards: the
// proof that the port of payments/gateway fits a gateway that is not ours to
// shape.
//
// Its protocol is described by the bank at epayment.kz/docs; what is used here:
//
//   - an access token per operation (OAuth 2, client_credentials), asked for
//     with the invoice, the amount and the terminal that it is good for;
//   - POST /invoice makes a page where the invoice is paid; an invoice has 6 to
//     15 digits and must differ from others also in its last six;
//   - postLink and failurePostLink get JSON when a payment was made or was not,
//     with the secret_hash that the token was asked for with;
//   - GET /check-status/payment/transaction/{invoice} tells how it stands;
//   - POST /operation/{id}/charge, /cancel and /refund take held money, let it
//     go, and give money back, in part too.
//
// A postLink carries no signature. Its secret shows that the invoice is known
// to who sent it, which the payer's browser may be; so it is never believed:
// it makes the adapter ask, over TLS, and what the answer says is the fact.
//
// Numbers of invoices are kept in the database (invoice.go), and so are refunds,
// for ePay tells of a refund only in the answer to its order. Secrets are not
// kept: they are derived from the client's secret. Access tokens, and the
// requests for them, which hold the client's secret, are not among the
// messages that are kept as evidence.
//
// What it cannot know: who paid (a card has no BIN), what was refunded past us
// in the bank's own cabinet (the statement shows it), and whether an invoice's
// page was closed: ePay describes no way to withdraw one.
//
// The shapes were taken from the public description and tried against the
// stand-in in internal/sandbox/epay only. Called by cmd/senim.
package epay

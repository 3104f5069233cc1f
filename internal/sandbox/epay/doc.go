// Package epay is a stand-in for ePay 2, Halyk Bank's acquiring of cards, for
// the sandbox and for tests: an http.Handler.
//
//   - POST /oauth2/token gives a token for one operation on one invoice.
//   - POST /invoice makes a page; it refuses an invoice whose number has not 6
//     to 15 digits, or ends in the same six as another's.
//   - GET /check-status/payment/transaction/{invoice} and
//     POST /operation/{id}/charge, /cancel and /refund are the operations.
//   - GET and POST /pay/{invoice} are the page, in Kazakh, Russian and English:
//     it pays, holds or declines.
//   - Run sends postLinks, until they are answered with 200.
//   - POST /control/acts does what the page does; GET and POST /control/faults
//     show and set how it fails.
//
// It knows the protocol from its public description only, like the adapter in
// payments/gateway/epay. No money is behind any of it.
//
// Imported by internal/sandbox, cmd/senim and tests only.
package epay

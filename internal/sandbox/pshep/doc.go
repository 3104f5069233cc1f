// Package pshep is a stand-in for ПШЭП, the payment gateway of the
// e-government, with a bank and the treasury behind it, for the sandbox and
// for tests: an http.Handler.
//
//   - POST /shep takes the requests of payments/gateway in the ШЭП envelope,
//     signed by the service: bills, questions, withdrawals, refunds, captures,
//     debits under a mandate and QR codes.
//   - GET and POST /pay/{order} are the bank's page: the bill, a field for the
//     amount, and buttons that pay, hold, fail and take back. /qr/{code} is
//     what a payer's phone shows. In Kazakh, Russian and English, without
//     scripts.
//   - Run tells the service of each fact, in a signed message, until the
//     service has answered with a signed receipt.
//   - GET /statements/{day}.xml is the treasury's camt.053.001.08 of the day.
//   - POST /control/acts does what the pages do, and more: see Act.
//   - GET and POST /control/faults show and set how it fails.
//
// The messages are those of payments/gateway, which are this project's own:
// ПШЭП's are not public. No money is behind any of it.
//
// Imported by internal/sandbox, cmd/senim and tests only.
package pshep

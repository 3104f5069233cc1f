// Package dossier keeps one record per trade transaction and runs the use
// cases that change it: opening it, accepting a signed document, making the
// payment order, showing it.
//
// It is where the four houses meet: verifier says whether a signature is
// valid, registry who the signer is and on what ground they may act, signer/tsa
// when the signature existed, payments what is owed and paid. The dossier adds
// no rule to theirs; it ties their answers to one transaction, keeps the
// evidence and issues the receipt. What is learned later is a new event, never
// an edit.
//
// Every use case ends in one database transaction that writes the record, the
// evidence, the event, the audit entry and the answer kept for its
// Idempotency-Key, so a crash at any point leaves either all of it or nothing.
//
// It knows nothing of HTTP. api and cmd/senim call it.
package dossier

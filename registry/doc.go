// Package registry says who the holder of a certificate is and on what ground
// the person may act for an organisation.
//
// It takes IIN, BIN and roles from a certificate that the caller has already
// validated, asks the state's registers, and decides. Its answer carries the
// decision, the registers' signed messages as evidence, and a note for the
// audit that the caller writes in its own transaction: every look-up, also one
// that failed, is a use of personal data with a purpose.
//
// It validates no certificate, stores nothing, and caches nothing. Only ГБД ЮЛ
// is asked; ГБД ФЛ, E-licensing and mandates are not there yet.
//
// Inside the house: gbdul < authority < registry. Called by internal/dossier
// and cmd/senim; it imports none of the other houses.
package registry

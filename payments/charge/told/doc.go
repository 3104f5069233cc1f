// Package told keeps the charges that state bodies tell of themselves: a
// ministry's fee for a permit, a sum that the customs' own system computed.
// They are paid in the one order of their transaction, beside what its
// declaration owes.
//
// A charge is known by its teller and the teller's own reference, for ever:
// told again it is the first one. A transaction whose order is drawn up takes
// no more. The package decides nothing about who may tell; it knows no
// documents and no HTTP.
//
// Called by package payments.
package told

// Package assess computes what the goods of a declaration owe: customs fee,
// import duty, special, anti-dumping and countervailing duties, excise, VAT and
// state bodies' fees, by the tariff and the National Bank's rates of the day of
// registration.
//
// The base of the duties is the customs value; that of an ad valorem excise is
// the customs value with the duties; that of VAT is the customs value with the
// duties and the excise. Fees are in no base.
//
// Each line is rounded by one named rule, a combined rate's two parts each by
// the same; the total is the sum of the rounded lines. Each line carries its
// kind, budget code and purpose, the measure with its act and validity, the
// exchange rate that was used, and explains itself in three languages with every
// number of the computation. What is also needed, though nothing is paid for it
// here, is listed as permits.
//
// Nothing is guessed: an unknown code, a required kind without a rate, a
// quantity that a rate needs and the item does not state, a preference that no
// measure grants and a day without an exchange rate are refused, each with its
// code and the place of the item.
//
// It does no input or output. Called by payments.
package assess

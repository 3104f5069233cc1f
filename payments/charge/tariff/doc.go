// Package tariff holds the integrated customs tariff (ИТТ): which measures the
// goods of a commodity code (ТН ВЭД) meet on a day, by origin, customs
// procedure and claimed preference. Tariff measures are rates of payment kinds
// (duties, excise, VAT, customs fee, state bodies' fees); non-tariff measures
// say which permit is needed and who gives it.
//
// A tariff is imported whole from CSV or JSON (Import) and never changes. An
// import refuses what is malformed or contradicts itself, with the line, and
// lists where a required rate is missing (Gaps). Each measure is in force from
// a day to a day, both included; a View looks at one day.
//
// # Which measure wins
//
// Of one kind (for fees and permits: of one kind, authority and document) one
// measure wins: that with the longest code prefix; then that of the country of
// origin before that of a group before that of any origin; then that of the
// procedure before that of any. A preference is looked for only if it is
// claimed, and only among the measures that name it.
//
// A code that the nomenclature does not hold on the day is an error; so is, to
// charge/assess, a required kind without a measure. Neither is ever zero.
//
// The format of the files is this project's: no machine-readable form of the
// integrated tariff is public. Sample is of real shape; its rates, permits and
// grounds are illustrative, and production must not use it.
//
// Looking up allocates nothing. Called by charge/assess, payments and
// cmd/senim.
package tariff

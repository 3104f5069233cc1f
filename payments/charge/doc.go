// Package charge reads what is owed from a declaration: the customs fee, the
// import duty and the VAT of a single input document (ДЕВИ), each with its
// budget code (КБК) and purpose code (КНП).
//
// The document uses the element names of the WCO Data Model (Declaration,
// GovernmentAgencyGoodsItem, DutyTaxFee …) in a namespace of this project: no
// schema of the national document is public, and conformance to the WCO's own
// schemas is not claimed. The reader is strict. It takes no DTD, comment or
// processing instruction, no element, attribute or repetition that its table
// does not list, and nothing beyond its limits; each refusal points at the
// offending element like a JSON pointer with items counted from 0:
// /Declaration/GoodsShipment/GovernmentAgencyGoodsItem/1/CustomsValueAmount.
//
// Every amount is computed again from its base and rate and must agree to the
// tiyn, and the base of VAT must be the customs value with the duty. The rates
// in the document are the declarant's; what the tariff owes for the same goods
// is computed by charge/assess from charge/tariff. A document states ad valorem
// duties and VAT only: one that needs more kinds is refused here, because the
// project's document has no place for them.
//
// Called by internal/dossier, which compares the declarant with the signer,
// and by payments.
package charge

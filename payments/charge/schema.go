package charge

import (
	"regexp"
)

// Namespace of the document: this project's, see the package comment.
const Namespace = "urn:senim:single-document:1"

// Limits of a document, checked before and while it is parsed.
const (
	documentBytesMax = 1 << 20 // 999 items of the longest kind take about 0.8 MiB
	depthMax         = 8       // the table below is 7 deep
	elementsMax      = 60_000  // 999 items of 54 elements, and room
	textBytesMax     = 512     // a description
	itemsMax         = 999     // goods items of one declaration
)

// element is one row of the document's grammar: what may stand inside it and
// how often, or, if it holds text, what the text must look like.
type element struct {
	children map[string]occurs
	text     *regexp.Regexp // nil if it holds elements only
	currency bool           // the attribute currencyID="KZT" is required
}

// occurs is a child with how often it may stand. The order of children is
// free: nothing depends on it.
type occurs struct {
	*element
	min, max int
}

func one(e *element) occurs  { return occurs{e, 1, 1} }
func most(e *element) occurs { return occurs{e, 0, 1} }

func text(pattern string) *element {
	return &element{text: regexp.MustCompile(`^(?:` + pattern + `)$`)}
}

var (
	amountText   = &element{text: regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,2})?$`), currency: true}
	rateText     = text(`[0-9]{1,9}(\.[0-9]{1,6})?`)
	freeText     = text(`[^\x00-\x1f\x7f]{1,256}`)
	codeText     = text(`[0-9]{4}`)
	sequenceText = text(`[1-9][0-9]{0,2}`)

	dutyTaxFee = &element{children: map[string]occurs{
		"TypeCode":                one(codeText), // the EAEU's kind of payment, decision 378
		"AdValoremTaxBaseAmount":  most(amountText),
		"SpecificTaxBaseQuantity": most(rateText),
		"TaxRateNumeric":          one(rateText),
		"Payment":                 one(&element{children: map[string]occurs{"TaxAssessedAmount": one(amountText)}}),
	}}

	// What specific and combined rates are charged on.
	goodsMeasure = &element{children: map[string]occurs{
		"NetNetWeightMeasure":    one(rateText), // kilograms
		"TariffQuantity":         most(rateText),
		"TariffQuantityUnitCode": most(text(`[a-z][a-z0-9]{0,15}`)),
	}}

	goodsItem = &element{children: map[string]occurs{
		"SequenceNumeric":    one(sequenceText),
		"CustomsValueAmount": one(amountText),
		"GoodsMeasure":       most(goodsMeasure),
		"DutyRegimeCode":     most(text(`[A-Z]{2,8}`)), // the preference claimed
		"Commodity": one(&element{children: map[string]occurs{
			"Description":    one(freeText),
			"Classification": one(&element{children: map[string]occurs{"ID": one(text(`[0-9]{10}`))}}), // ТН ВЭД, ten digits
			"DutyTaxFee":     {dutyTaxFee, 1, 8},
		}}),
		"Origin": one(&element{children: map[string]occurs{"CountryCode": one(text(`[A-Z]{2}`))}}), // ISO 3166-1
	}}

	declaration = &element{children: map[string]occurs{
		"FunctionalReferenceID": one(text(`[A-Za-z0-9][A-Za-z0-9./-]{0,34}`)),
		"TypeCode":              one(text(`IM`)), // import only: an export owes by other rules
		"IssueDateTime":         one(text(`[0-9]{4}-[0-9]{2}-[0-9]{2}`)),
		"DeclarationOfficeID":   one(text(`[0-9]{4}([0-9]{2})?`)), // УГД, or the revenue committee's six digits
		"GoodsItemQuantity":     one(sequenceText),
		"GovernmentProcedure": most(&element{children: map[string]occurs{ // customs procedure, 40 if it is not stated
			"CurrentCode": one(text(`[0-9]{2}`)),
		}}),
		"Declarant": one(&element{children: map[string]occurs{
			"ID":   one(text(`[0-9]{12}`)),
			"Name": one(freeText),
		}}),
		"DutyTaxFee": {dutyTaxFee, 1, 8},
		"GoodsShipment": one(&element{children: map[string]occurs{
			"GovernmentAgencyGoodsItem": {goodsItem, 1, itemsMax},
		}}),
	}}
)

package charge

import (
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/money"
)

// Kind is the EAEU's code of a payment (decision 378 of the Customs Union
// Commission, classifier of taxes, fees and other payments).
type Kind string

// The kinds that an import of goods from outside the EAEU may owe.
const (
	CustomsFee      Kind = "1010"
	ImportDuty      Kind = "2010"
	SpecialDuty     Kind = "2040"
	AntiDumpingDuty Kind = "2050"
	CountervailDuty Kind = "2060"
	Excise          Kind = "4010"
	ImportVAT       Kind = "5060"
	Advance         Kind = "9070" // the payer's own money, not yet a payment of anything
	StateServiceFee Kind = "SF"   // not the classifier's: a ministry's fee is no customs payment
)

// Kinds lists what the tariff can charge, in the order of computing: each base
// includes only what stands before it.
func Kinds() []Kind {
	return []Kind{CustomsFee, ImportDuty, SpecialDuty, AntiDumpingDuty, CountervailDuty, Excise, ImportVAT, StateServiceFee}
}

// BudgetCode is a КБК of the unified budget classification: category, class,
// subclass and specific, six digits.
type BudgetCode string

// PurposeCode is a КНП, the purpose of a payment by the National Bank's
// resolution 203 of 31.08.2016, three digits.
type PurposeCode string

// TaxObligation is the purpose of a tax or another payment to the budget.
const TaxObligation PurposeCode = "911"

// CommodityCode is a ten-digit code of the EAEU's commodity nomenclature
// (ТН ВЭД).
type CommodityCode string

// RevenueOffice is the code of the body that the payment is credited to: of a
// body of state revenues (УГД) four digits, or the six of the revenue
// committee; of another state body the letters that the tariff knows it by.
type RevenueOffice string

// kinds says what is known of each kind of payment. A kind that is not here is
// refused: an unknown charge must not become a missing one.
var kinds = map[Kind]struct {
	name      string // for orders and dossiers, in Russian as the classifier has it
	stated    bool   // a single input document may state it
	required  bool   // and must
	perItem   bool   // owed for each commodity line, else once per declaration
	adValorem bool   // a share of the base, unless a quantity is stated
}{
	CustomsFee:      {"Таможенный сбор за декларирование", true, true, false, false},
	ImportDuty:      {"Ввозная таможенная пошлина", true, true, true, true},
	SpecialDuty:     {"Специальная пошлина", true, false, true, true},
	AntiDumpingDuty: {"Антидемпинговая пошлина", true, false, true, true},
	CountervailDuty: {"Компенсационная пошлина", true, false, true, true},
	Excise:          {"Акциз на импорт", true, false, true, true},
	ImportVAT:       {"НДС на импорт", true, true, true, true},
	Advance:         {name: "Авансовые платежи"},
	StateServiceFee: {name: "Плата за государственную услугу", perItem: true},
}

// included says what stands in a kind's base beside the customs value.
var included = map[Kind][]Kind{
	Excise:    {ImportDuty, SpecialDuty, AntiDumpingDuty, CountervailDuty},
	ImportVAT: {ImportDuty, SpecialDuty, AntiDumpingDuty, CountervailDuty, Excise},
}

// Included lists the kinds that stand in a kind's base beside the customs
// value.
func Included(k Kind) []Kind { return included[k] }

// Base is what an ad valorem charge of a kind is computed on: the customs
// value and what of the amounts its base includes.
func Base(k Kind, value money.Tiyn, amounts map[Kind]money.Tiyn) (money.Tiyn, error) {
	for _, other := range included[k] {
		var err error
		if value, err = value.Add(amounts[other]); err != nil {
			return 0, err
		}
	}
	return value, nil
}

// Name of the kind, "" if it is not one of those known here.
func (k Kind) Name() string { return kinds[k].name }

// budgetCodes maps a kind to its budget code from a day on. The budget
// classification changes often (orders 403 and 404 of the Minister of Finance
// of 18.09.2014), so a code holds only from the day on which it is known to
// have been in force: for these, the explanation of the revenue department of
// Zhetysu region of 29.04.2026, which names all three. An older document is
// refused rather than guessed at.
var budgetCodes = []struct {
	kind Kind
	code BudgetCode
	from string
}{
	{CustomsFee, "106201", "2026-04-29"},
	{ImportDuty, "106104", "2026-04-29"}, // distributed between the budgets of the EAEU's members
	{ImportVAT, "105102", "2026-04-29"},  // goods from outside the EAEU; from inside it is another code
}

// BudgetCodeOn returns the budget code of a kind of payment on a day.
func BudgetCodeOn(k Kind, day kz.Day) (BudgetCode, error) {
	var found BudgetCode
	var since kz.Day
	for _, row := range budgetCodes {
		from, err := kz.ParseDay(row.from)
		if err != nil {
			return "", fault.Wrap(err, fault.Internal, "", "read the table of budget codes")
		}
		if row.kind == k && !day.Before(from) && (found == "" || from.After(since)) {
			found, since = row.code, from
		}
	}
	if found == "" {
		return "", fault.New(fault.BudgetCodeUnknown, "", "no budget code of kind %s is known for %s", k, day)
	}
	return found, nil
}

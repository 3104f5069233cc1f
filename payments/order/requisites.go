package order

import (
	"regexp"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/charge"
)

// The treasury's requisites: one account of the Treasury Committee takes all
// payments to the budget. What differs is the revenue office's BIN, the budget
// code and the purpose code.
const (
	TreasuryBIC = "KKMFKZ2A"
	TreasuryIIK = "KZ24070105KSN0000000"

	// CentralGovernment is the КБе of a body of state revenues: a resident
	// (1), the central government (1).
	CentralGovernment = "11"

	treasuryBankCode = "070" // the treasury's bank code within an IIK
)

// Requisites say where a line is paid to.
type Requisites struct {
	RevenueOffice charge.RevenueOffice // УГД or another state body that the payment is credited to
	BIN           kz.BIN               // of that office, the beneficiary
	Name          string               // of that office, for the bill
	BIC           string               // the beneficiary's bank
	IIK           string               // the beneficiary's account, an IBAN
	KBe           string               // residency and sector of the beneficiary
}

// Treasury returns the requisites of payments to the budget through a revenue
// office.
func Treasury(office charge.RevenueOffice, bin kz.BIN, name string) Requisites {
	return Requisites{RevenueOffice: office, BIN: bin, Name: name, BIC: TreasuryBIC, IIK: TreasuryIIK, KBe: CentralGovernment}
}

var (
	officePattern  = regexp.MustCompile(`^([0-9]{4}([0-9]{2})?|[A-Z][A-Z0-9-]{1,15})$`)
	bicPattern     = regexp.MustCompile(`^[A-Z]{4}KZ[A-Z0-9]{2}([A-Z0-9]{3})?$`) // ISO 9362, a bank in Kazakhstan
	iikPattern     = regexp.MustCompile(`^KZ[0-9]{2}[0-9]{3}[A-Z0-9]{13}$`)      // ISO 13616: check, bank code, account
	kbePattern     = regexp.MustCompile(`^[12][1-9]$`)
	budgetPattern  = regexp.MustCompile(`^[0-9]{6}$`)
	purposePattern = regexp.MustCompile(`^[0-9]{3}$`)
)

// Check refuses requisites that no bank would execute, or that would send the
// money astray. c is the control of the beneficiary's BIN.
func (r Requisites) Check(c kz.Control) error {
	for _, field := range []struct {
		name, value string
		pattern     *regexp.Regexp
	}{
		{"revenue_office", string(r.RevenueOffice), officePattern},
		{"bic", r.BIC, bicPattern},
		{"iik", r.IIK, iikPattern},
		{"kbe", r.KBe, kbePattern},
	} {
		if !field.pattern.MatchString(field.value) {
			return fault.New(fault.RequisiteInvalid, "/"+field.name, "not of the required form")
		}
	}
	if _, err := kz.ParseBIN(string(r.BIN), c); err != nil {
		return fault.Wrap(err, fault.RequisiteInvalid, "/bin", "read the beneficiary's BIN")
	}
	if !CheckIBAN(r.IIK) {
		return fault.New(fault.RequisiteInvalid, "/iik", "the check digits are wrong")
	}
	if (r.BIC == TreasuryBIC) != (r.IIK[4:7] == treasuryBankCode) {
		return fault.New(fault.RequisiteInvalid, "/iik", "the account is not one of the bank %s", r.BIC)
	}
	return nil
}

// CheckIBAN computes ISO 7064 MOD 97-10 over the account number moved as
// ISO 13616 says. The form must have been checked before.
func CheckIBAN(iban string) bool {
	var digits strings.Builder
	for _, r := range iban[4:] + iban[:4] {
		if r >= 'A' { // letters count from 10
			digits.WriteByte('0' + byte(r-'A'+10)/10)
			digits.WriteByte('0' + byte(r-'A'+10)%10)
		} else {
			digits.WriteRune(r)
		}
	}
	return mod97(digits.String()) == 1
}

// Book gives each revenue office, and each other body, its requisites.
type Book map[charge.RevenueOffice]Requisites

// NewBook checks the requisites and files them by office.
func NewBook(c kz.Control, all ...Requisites) (Book, error) {
	book := make(Book, len(all))
	for _, r := range all {
		if err := r.Check(c); err != nil {
			return nil, fault.Wrap(err, fault.RequisiteInvalid, "", "check the requisites of the revenue office %.16q", string(r.RevenueOffice))
		}
		if _, twice := book[r.RevenueOffice]; twice {
			return nil, fault.New(fault.RequisiteInvalid, "/revenue_office", "the office %s is listed twice", r.RevenueOffice)
		}
		book[r.RevenueOffice] = r
	}
	return book, nil
}

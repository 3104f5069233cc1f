package kz

import "github.com/senim-kz/senim/internal/fault"

// BIN is a business identification number: twelve ASCII digits once parsed.
// A sole trader has none and acts under an IIN.
type BIN string

// ParseBIN reads a BIN: digits 1-4 are the registration month YYMM, 5 the
// kind of entity (4 resident, 5 non-resident, 6 joint entrepreneurs), 6 its
// place (0 head, 1 branch, 2 representative office, 3 farm), 7-11 a sequence,
// 12 the control digit. As digit 5 is never below 4, no BIN is also an IIN.
func ParseBIN(s string, c Control) (BIN, error) {
	d, err := digits(s, fault.BINInvalid)
	if err != nil {
		return "", err
	}
	if c == FormatOnly {
		return BIN(s), nil
	}
	if month := d[2]*10 + d[3]; month < 1 || month > 12 {
		return "", fault.New(fault.BINInvalid, "", "digits 3-4 are not a month")
	}
	if d[4] < 4 || d[4] > 6 {
		return "", fault.New(fault.BINInvalid, "", "digit 5 names no kind of entity")
	}
	if d[5] > 3 {
		return "", fault.New(fault.BINInvalid, "", "digit 6 names no head, branch, office or farm")
	}
	if err := checkControlDigit(d, fault.BINInvalid); err != nil {
		return "", err
	}
	return BIN(s), nil
}

// String returns the number.
func (n BIN) String() string { return string(n) }

// Branch reports whether the number says that it belongs to a branch or a
// representative office, which act for their head entity.
func (n BIN) Branch() bool {
	return len(n) == numberDigits && (n[5] == '1' || n[5] == '2')
}

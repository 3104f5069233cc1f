package statement

import (
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// Check holds the balances and totals that a statement states against its
// entries. One with entries that could not be read is not checked: nobody knows
// their amounts. account is what the statement must be of; an account that the
// format does not name is taken for it.
//
// Errors: statement_account_foreign, statement_malformed (balances are missing),
// statement_balance_mismatch, statement_totals_mismatch.
func (s *Statement) Check(account string) error {
	if !isOf(s.Account, account) && (s.Account != "" || s.Format.HasBalances()) {
		return fault.New(fault.StatementAccount, "/Acct/Id", "not the account %s", account)
	}
	opening, opens := s.Opening()
	closing, closes := s.Closing()
	if s.Format.HasBalances() && s.isWhole() && (!opens || !closes) {
		return fault.New(fault.StatementMalformed, "/Bal", "no opening or no closing balance")
	}
	if s.ID == "" && (s.Format == CAMT053 || s.Format == CAMT052 || s.Format == CAMT054) {
		return fault.New(fault.StatementMalformed, "/Id", "the statement has no Id")
	}
	if s.Bad > 0 {
		return nil
	}
	if opens && closes {
		moved, err := s.ReadCredits.Sum.Sub(s.ReadDebits.Sum)
		if err == nil {
			moved, err = opening.Amount.Value.Add(moved)
		}
		if err != nil {
			return fault.Wrap(err, fault.AmountOverflow, "/Bal", "add up the entries")
		}
		if opening.Amount.Currency != closing.Amount.Currency || !moved.Equal(closing.Amount.Value) {
			return fault.New(fault.StatementBalance, "/Bal", "opening and entries make %s, the closing balance is %s", moved, closing.Amount.Value)
		}
	}
	for _, t := range []struct {
		name         string
		stated, read *Totals
	}{
		{"TtlCdtNtries", s.Credits, &s.ReadCredits},
		{"TtlDbtNtries", s.Debits, &s.ReadDebits},
	} {
		if t.stated != nil && (t.stated.Count != t.read.Count || !t.stated.Sum.Equal(t.read.Sum)) {
			return fault.New(fault.StatementTotals, "/TxsSummry/"+t.name, "stated %d of %s, read %d of %s",
				t.stated.Count, t.stated.Sum, t.read.Count, t.read.Sum)
		}
	}
	return nil
}

// isOf reports whether an account, as a statement calls it, is the one: some
// banks write it in groups, or put their BIC and a stroke before it or the
// currency behind it, in :25: above all.
func isOf(stated, account string) bool {
	if stated == account {
		return true
	}
	stated = strings.ReplaceAll(stated, " ", "")
	stated = stated[strings.LastIndexByte(stated, '/')+1:]
	rest, found := strings.CutPrefix(stated, account)
	return found && (rest == "" || len(rest) == 3 && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "")
}

// isWhole reports whether no page comes before this one or after it. Of a page
// alone, balances may stand on others.
func (s *Statement) isWhole() bool {
	return s.LastPage && (s.Page == "" || strings.TrimLeft(s.Page, "0") == "1" || s.Format != CAMT053)
}

package fault

// Codes of the ledger's periods and holds.
const (
	LedgerPeriodClosed Code = "ledger_period_closed"
	LedgerPeriodOpen   Code = "ledger_period_open"
	LedgerFundsShort   Code = "ledger_funds_short"
	LedgerHoldUnknown  Code = "ledger_hold_unknown"
	TwoPersons         Code = "two_persons_required"
)

var ledgerEntries = []Entry{
	{LedgerPeriodClosed, Conflict, "Бұл кезең жабылған.", "Этот период закрыт.", "The period is closed."},
	{LedgerPeriodOpen, Conflict, "Бұл күн әлі аяқталған жоқ.", "Этот день ещё не закончился.", "The day has not ended yet."},
	{LedgerFundsShort, Conflict, "Шотта қаражат жеткіліксіз.", "На счёте недостаточно средств.", "The account has too little money."},
	{LedgerHoldUnknown, NotFound, "Мұндай қаражат бөгеті жоқ.", "Такой блокировки средств нет.", "There is no such hold."},
	{TwoPersons, Denied, "Мұны басқа адам бекітуі керек.", "Это должен подтвердить другой человек.", "Somebody else must approve this."},
}

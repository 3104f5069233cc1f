package fault

// Codes of the ledger.
const (
	LedgerUnbalanced   Code = "ledger_unbalanced"
	LedgerConflict     Code = "ledger_key_conflict"
	LedgerEntryBad     Code = "ledger_entry_invalid"
	LedgerInconsistent Code = "ledger_inconsistent"
	LedgerPeriodClosed Code = "ledger_period_closed"
	LedgerPeriodOpen   Code = "ledger_period_open"
	LedgerFundsShort   Code = "ledger_funds_short"
	LedgerHoldUnknown  Code = "ledger_hold_unknown"
	TwoPersons         Code = "two_persons_required"
)

var ledgerEntries = []Entry{
	{LedgerUnbalanced, Fatal, "Жазбаның дебеті мен кредиті тең емес.", "Дебет и кредит записи не равны.", "The entry does not balance."},
	{LedgerConflict, Conflict, "Осы кілтпен басқа жазба бар.", "С этим ключом есть другая запись.", "Another entry has this key."},
	{LedgerEntryBad, Fatal, "Бухгалтерлік жазба қате.", "Неверная бухгалтерская запись.", "The ledger entry is invalid."},
	{LedgerInconsistent, Fatal, "Бас кітап бүлінген.", "Главная книга нарушена.", "The ledger is inconsistent."},
	{LedgerPeriodClosed, Conflict, "Бұл кезең жабылған.", "Этот период закрыт.", "The period is closed."},
	{LedgerPeriodOpen, Conflict, "Бұл күн әлі аяқталған жоқ.", "Этот день ещё не закончился.", "The day has not ended yet."},
	{LedgerFundsShort, Conflict, "Шотта қаражат жеткіліксіз.", "На счёте недостаточно средств.", "The account has too little money."},
	{LedgerHoldUnknown, NotFound, "Мұндай қаражат бөгеті жоқ.", "Такой блокировки средств нет.", "There is no such hold."},
	{TwoPersons, Denied, "Мұны басқа адам бекітуі керек.", "Это должен подтвердить другой человек.", "Somebody else must approve this."},
}

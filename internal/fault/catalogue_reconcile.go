package fault

// Codes of reconciliation: why something is not agreed, and what persons may
// not do about it.
const (
	AmbiguousMatch  Code = "match_ambiguous"
	PaymentMissing  Code = "payment_missing"
	PaymentReturned Code = "payment_returned"
	WrongOffice     Code = "wrong_revenue_office"
	LateEntry       Code = "entry_of_closed_day"

	RefundMissing    Code = "refund_missing"
	RefundReturned   Code = "refund_returned"
	RefundNotOrdered Code = "refund_not_ordered"
	RefundFailed     Code = "refund_failed"

	CaseUnknown        Code = "case_unknown"
	CaseStateForbids   Code = "case_state_forbids"
	CaseResolutionBad  Code = "case_resolution_invalid"
	CaseTargetBad      Code = "case_target_invalid"
	DayNotProposed     Code = "day_not_proposed"
	DayNotOver         Code = "day_not_over"
	DayClosed          Code = "day_closed"
	DayEarlierOpen     Code = "day_earlier_open"
	MatchExceedsAmount Code = "match_exceeds_amount"
)

var reconcileEntries = []Entry{
	{AmbiguousMatch, Refused, "Жолға бірнеше төлем сәйкес келеді.", "Строке соответствует несколько платежей.", "Several payments fit the line, or several lines the payment."},
	{PaymentMissing, RetryLater, "Шлюз хабарлаған төлем үзінді көшірмеде жоқ.", "Платежа, о котором сообщил шлюз, нет в выписке.", "The payment that the gateway told of is not on the statement."},
	{PaymentReturned, Refused, "Төлем қайтарылды.", "Платёж возвращён.", "The payment came back."},
	{WrongOffice, Refused, "Мемлекеттік кірістер органы тапсырыстан өзгеше.", "Орган государственных доходов отличается от заказа.", "The revenue office differs from the order."},
	{LateEntry, Refused, "Жол жабылған күнге тиесілі.", "Строка относится к закрытому дню.", "The line is booked on a day that is closed."},
	{RefundMissing, RetryLater, "Шлюз орындалды деген қайтарым үзінді көшірмеде жоқ.", "Возврата, об исполнении которого сообщил шлюз, нет в выписке.", "The refund that the gateway told was executed is not on the statement."},
	{RefundReturned, Refused, "Төлеушіге қайтарылған ақша кері келді.", "Возвращённые плательщику деньги пришли назад.", "The money that was paid back has come back."},
	{RefundNotOrdered, Refused, "Бекітілмеген, қабылданбаған немесе орындалмаған қайтарым бойынша ақша есептен шығарылды.", "Списание по возврату, который не одобрен, отклонён или не исполнен.", "The line pays a refund that is not approved, was rejected or has failed."},
	{RefundFailed, Refused, "Шлюз қайтарымды орындаудан бас тартты.", "Шлюз отказался исполнить возврат.", "The gateway refused to execute the refund."},

	{CaseUnknown, NotFound, "Мұндай ерекше жағдай жоқ.", "Такого исключения нет.", "There is no such case."},
	{CaseStateForbids, Conflict, "Ерекше жағдайдың күйі бұған жол бермейді.", "Состояние исключения этого не допускает.", "The state of the case forbids this."},
	{CaseResolutionBad, Refused, "Мұндай шешім бұл жағдайға қолданылмайды.", "Такое решение к этому исключению не применимо.", "This resolution does not apply to the case."},
	{CaseTargetBad, Refused, "Шешім көрсеткен төлем немесе төлеуші жарамсыз.", "Указанный в решении платёж или плательщик не подходит.", "The payment or payer that the resolution names does not fit."},
	{DayNotProposed, Conflict, "Бұл күнді жабу ұсынылмаған.", "Закрытие этого дня не предложено.", "Nobody has proposed to close the day."},
	{DayNotOver, Conflict, "Бұл күн әлі аяқталған жоқ.", "Этот день ещё не закончился.", "The day has not ended."},
	{DayClosed, Conflict, "Бұл күн жабылған.", "Этот день закрыт.", "The day is closed."},
	{DayEarlierOpen, Conflict, "Одан бұрынғы күн жабылмаған.", "Более ранний день не закрыт.", "An earlier day is open."},
	{MatchExceedsAmount, Conflict, "Сәйкестіктер сомадан асады.", "Сопоставления превышают сумму.", "The matches exceed the amount."},
}

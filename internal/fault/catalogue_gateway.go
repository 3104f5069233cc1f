package fault

// Codes of payment gateways, QR codes and mandates.
const (
	GatewayUnknown   Code = "gateway_unknown"
	GatewayDenied    Code = "gateway_access_denied"
	GatewayExhausted Code = "gateway_numbers_exhausted"

	MandateNotFound Code = "mandate_not_found"
	MandateInvalid  Code = "mandate_invalid"
	MandateExists   Code = "mandate_exists"
	MandateState    Code = "mandate_state_forbids"
	MandateExpired  Code = "mandate_out_of_time"
	MandateLimit    Code = "mandate_limit_exceeded"
	DebitUnderWay   Code = "debit_under_way"
	DebitFailed     Code = "debit_failed"
	DebitUnanswered Code = "debit_unanswered"
)

var gatewayEntries = []Entry{
	{GatewayUnknown, NotFound, "Мұндай төлем шлюзі бапталмаған.", "Такой платёжный шлюз не настроен.", "No such payment gateway is configured."},
	{GatewayDenied, RetryLater, "Төлем шлюзі біздің тіркелгімізді қабылдамады.", "Платёжный шлюз не принял нашу учётную запись.", "The payment gateway does not accept our account."},
	{GatewayExhausted, RetryLater, "Төлем шлюзінің бос шот нөмірлері таусылды.", "У платёжного шлюза кончились свободные номера счетов.", "There are no free invoice numbers at the payment gateway."},

	{MandateNotFound, NotFound, "Мандат табылмады.", "Мандат не найден.", "There is no such mandate."},
	{MandateInvalid, BadInput, "Мандат қате жазылған.", "Мандат составлен неверно.", "The mandate is not well formed."},
	{MandateExists, Conflict, "Бұл құжат бойынша мандат тіркелген.", "По этому документу мандат уже зарегистрирован.", "A mandate was registered from this document already."},
	{MandateState, Conflict, "Мандаттың күйі бұған жол бермейді.", "Состояние мандата этого не допускает.", "The state of the mandate forbids this."},
	{MandateExpired, Refused, "Мандаттың мерзімі әлі басталмаған немесе өтіп кеткен.", "Срок мандата ещё не начался или уже истёк.", "The mandate is not valid on this day."},
	{MandateLimit, Refused, "Мандаттың шегінен асады.", "Превышен предел мандата.", "The limit of the mandate would be exceeded."},
	{DebitUnderWay, Conflict, "Осы тапсырыс бойынша ақша есептен шығарылуда.", "По этому заказу списание уже идёт.", "A debit for this order is under way."},
	{DebitUnanswered, Refused, "Төлем шлюзі есептен шығарудың немен аяқталғанын айтпады.", "Платёжный шлюз не сообщил, чем закончилось списание.", "The gateway never told what became of the debit."},
	{DebitFailed, Refused, "Шоттан ақша алынбады.", "Списание не состоялось.", "The debit was not carried out."},
}

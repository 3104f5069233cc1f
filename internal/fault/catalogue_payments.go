package fault

// Codes of what is owed and paid.
const (
	AmountInvalid  Code = "amount_invalid"
	AmountOverflow Code = "amount_overflow"
	RateInvalid    Code = "rate_invalid"

	ExchangeMissing Code = "exchange_rate_missing"

	TariffMalformed        Code = "tariff_malformed"
	TariffConflict         Code = "tariff_conflict"
	CommodityUnknown       Code = "commodity_code_unknown"
	MeasureMissing         Code = "tariff_measure_missing"
	PreferenceInapplicable Code = "preference_inapplicable"
	ItemInvalid            Code = "goods_item_invalid"
	QuantityMissing        Code = "goods_quantity_missing"

	DeclarationMalformed Code = "declaration_malformed"
	DeclarationUnknown   Code = "declaration_element_unknown"
	DeclarationMissing   Code = "declaration_element_missing"
	DeclarationValue     Code = "declaration_value_invalid"
	DeclarationTooDeep   Code = "declaration_too_deep"
	ChargeMismatch       Code = "charge_amount_mismatch"
	ChargeBaseMismatch   Code = "charge_base_mismatch"
	ChargeMissing        Code = "charge_missing"
	ChargeRepeated       Code = "charge_repeated"
	ChargeConflict       Code = "charge_conflict"
	PaymentKindUnknown   Code = "payment_kind_unknown"
	BudgetCodeUnknown    Code = "budget_code_unknown"

	OrderNotFound        Code = "order_not_found"
	OrderState           Code = "order_state_forbids"
	OrderExpired         Code = "order_expired"
	OrderEmpty           Code = "order_empty"
	OrderExists          Code = "order_exists"
	OrderInvalid         Code = "order_invalid"
	IdentifierInvalid    Code = "payment_identifier_invalid"
	RequisiteInvalid     Code = "requisite_invalid"
	RevenueOfficeUnknown Code = "revenue_office_unknown"

	RefundExceeds        Code = "refund_exceeds_paid"
	RefundNotFound       Code = "refund_not_found"
	RefundState          Code = "refund_state_forbids"
	RefundPaymentUnclear Code = "refund_payment_unclear"
	PayerNotAllowed      Code = "payer_not_allowed"

	CallbackUnauthentic Code = "callback_unauthentic"
	CallbackMalformed   Code = "callback_malformed"
	CallbackConflict    Code = "callback_conflict"
	GatewayRefused      Code = "gateway_refused"
	GatewayAnswer       Code = "gateway_answer_invalid"

	StatementMalformed Code = "statement_malformed"
	StatementVersion   Code = "statement_version_unsupported"
	StatementPaged     Code = "statement_paged"
	StatementAccount   Code = "statement_account_foreign"
	StatementBalance   Code = "statement_balance_mismatch"
	StatementTotals    Code = "statement_totals_mismatch"
	StatementLineBad   Code = "statement_line_invalid"
	StatementUnknown   Code = "statement_unknown"
	StatementGap       Code = "statement_gap"

	AmountDiffers     Code = "amount_differs"
	WrongBudgetCode   Code = "wrong_budget_code"
	UnknownIdentifier Code = "unknown_identifier"
	MissingIdentifier Code = "missing_identifier"
	DuplicatePayment  Code = "duplicate_payment"
	NotPosted         Code = "payment_not_posted"
	DebitEntry        Code = "debit_entry"
	NotBooked         Code = "entry_not_booked"
	UnknownOrder      Code = "unknown_order"
	PaidTooLate       Code = "paid_after_expiry"
	PaidTooEarly      Code = "paid_before_order"
	OrderPaidAlready  Code = "order_paid_already"
	PayerDiffers      Code = "payer_differs"
)

var paymentsEntries = []Entry{
	{AmountInvalid, BadInput, "Сома қате жазылған.", "Сумма записана неверно.", "The amount is not well formed."},
	{AmountOverflow, Refused, "Сома тым үлкен.", "Сумма слишком велика.", "The amount is too large."},
	{RateInvalid, BadInput, "Мөлшерлеме қате жазылған.", "Ставка записана неверно.", "The rate is not well formed."},

	{ExchangeMissing, Refused, "Бұл күнге Ұлттық Банктің бағамы жоқ.", "На этот день нет курса Национального Банка.", "There is no rate of the National Bank for this day."},

	{TariffMalformed, BadInput, "Кедендік тариф файлы қате құрылған.", "Файл таможенного тарифа построен неверно.", "The tariff file is malformed."},
	{TariffConflict, Refused, "Тариф шаралары бір-біріне қайшы.", "Меры тарифа противоречат друг другу.", "Measures of the tariff contradict each other."},
	{CommodityUnknown, Refused, "СЭҚ ТН коды бұл күні жоқ.", "Кода ТН ВЭД на эту дату нет.", "The commodity code does not exist on this day."},
	{MeasureMissing, Refused, "Тарифте бұл тауардың мөлшерлемесі жоқ.", "В тарифе нет ставки для этого товара.", "The tariff has no rate for these goods."},
	{PreferenceInapplicable, Refused, "Жеңілдік бұл тауарға қолданылмайды.", "Преференция к этому товару не применяется.", "The preference does not apply to these goods."},
	{ItemInvalid, BadInput, "Тауар туралы мәлімет қате.", "Сведения о товаре неверны.", "The particulars of the goods are invalid."},
	{QuantityMissing, Refused, "Мөлшерлемеге қажет тауар саны көрсетілмеген.", "Не указано количество товара, нужное для ставки.", "The quantity that the rate needs is not stated."},

	{DeclarationMalformed, BadInput, "Декларация дұрыс XML емес.", "Декларация не является правильным XML.", "The declaration is not well-formed XML."},
	{DeclarationUnknown, BadInput, "Декларацияда белгісіз элемент бар.", "В декларации неизвестный элемент.", "The declaration holds an unknown element."},
	{DeclarationMissing, BadInput, "Декларацияда міндетті элемент жоқ.", "В декларации нет обязательного элемента.", "The declaration lacks a required element."},
	{DeclarationValue, BadInput, "Декларациядағы мән қате.", "Неверное значение в декларации.", "A value of the declaration is invalid."},
	{DeclarationTooDeep, TooLarge, "Декларацияның құрылымы тым терең немесе тым ұзын.", "Декларация слишком глубока или слишком длинна.", "The declaration is too deep or has too many elements."},
	{ChargeMismatch, Refused, "Төлем сомасы негіз бен мөлшерлемеге сәйкес емес.", "Сумма платежа не соответствует основе и ставке.", "The amount of a charge does not follow from its base and rate."},
	{ChargeBaseMismatch, Refused, "Төлемнің есептеу негізі қате.", "Неверная основа начисления платежа.", "The base of a charge is wrong."},
	{ChargeMissing, Refused, "Міндетті төлем көрсетілмеген.", "Не указан обязательный платёж.", "A required charge is not stated."},
	{ChargeConflict, Conflict, "Осы нөмірмен басқа төлем хабарланған.", "Под этим номером сообщён другой платёж.", "Another charge was told under this reference."},
	{ChargeRepeated, Refused, "Төлем екі рет көрсетілген.", "Платёж указан дважды.", "A charge is stated twice."},
	{PaymentKindUnknown, Refused, "Төлем түрінің коды белгісіз.", "Неизвестный код вида платежа.", "The code of the payment kind is unknown."},
	{BudgetCodeUnknown, Refused, "Осы күнге БСК белгіленбеген.", "На эту дату КБК не установлен.", "No budget code is known for this payment on this date."},

	{OrderNotFound, NotFound, "Төлем тапсырысы табылмады.", "Платёжный заказ не найден.", "There is no such payment order."},
	{OrderState, Conflict, "Төлем тапсырысының күйі бұған жол бермейді.", "Состояние платёжного заказа этого не допускает.", "The state of the payment order forbids this."},
	{OrderExpired, Conflict, "Төлем тапсырысының мерзімі өтті.", "Срок платёжного заказа истёк.", "The payment order has expired."},
	{OrderEmpty, Refused, "Төлейтін ештеңе жоқ.", "Нечего оплачивать.", "There is nothing to pay."},
	{OrderExists, Conflict, "Бұл мәміленің төлем тапсырысы бар.", "У сделки уже есть платёжный заказ.", "The transaction has a payment order already."},
	{OrderInvalid, Refused, "Төлем тапсырысы қате.", "Неверный платёжный заказ.", "The payment order is invalid."},
	{IdentifierInvalid, BadInput, "Төлемнің бірегей нөмірі қате.", "Неверный уникальный номер платежа.", "The unique payment identifier is invalid."},
	{RequisiteInvalid, Refused, "Төлем деректемесі қате.", "Неверный реквизит платежа.", "A payment requisite is invalid."},
	{RevenueOfficeUnknown, Refused, "Мемлекеттік кірістер органы белгісіз.", "Неизвестный орган государственных доходов.", "The revenue office is unknown."},

	{RefundNotFound, NotFound, "Қайтару табылмады.", "Возврат не найден.", "There is no such refund."},
	{RefundState, Conflict, "Қайтарудың күйі бұған жол бермейді.", "Состояние возврата этого не допускает.", "The state of the refund forbids this."},
	{RefundPaymentUnclear, Refused, "Қай төлем қайтарылатыны белгісіз: төлемді көрсетіңіз.", "Неясно, какой платёж возвращается: укажите платёж.", "It is not clear which payment goes back: name the payment."},
	{PayerNotAllowed, Refused, "Бұл төлеуші бұл тапсырысты төлей алмайды.", "Этот плательщик не может оплатить этот заказ.", "This payer may not pay this order."},
	{RefundExceeds, Refused, "Қайтарылатын сома төленгеннен көп.", "Сумма возврата больше уплаченной.", "The refund is more than what was paid and is left."},

	{CallbackUnauthentic, Unauthenticated, "Төлем шлюзі хабарының қолтаңбасы жарамсыз.", "Подпись сообщения платёжного шлюза недействительна.", "The payment gateway's message is not authentic."},
	{CallbackMalformed, BadInput, "Төлем шлюзінің хабары қате құрылған.", "Сообщение платёжного шлюза построено неверно.", "The payment gateway's message is malformed."},
	{CallbackConflict, Conflict, "Осы нөмірмен басқа мазмұнды хабар қабылданған.", "С этим номером уже принято другое сообщение.", "Another message was accepted under this reference."},
	{GatewayRefused, Refused, "Төлем шлюзі тапсырысты қабылдамады.", "Платёжный шлюз отклонил заказ.", "The payment gateway refused the order."},
	{GatewayAnswer, RetryLater, "Төлем шлюзінің жауабы қате.", "Неверный ответ платёжного шлюза.", "The payment gateway answered wrongly."},

	{StatementMalformed, BadInput, "Үзінді көшірме файлы дұрыс емес.", "Файл выписки построен неверно.", "The statement file is malformed."},
	{StatementVersion, Refused, "Үзінді көшірменің бұл пішіміне қолдау жоқ.", "Этот формат выписки не поддерживается.", "This statement format is not supported."},
	{StatementPaged, Refused, "Файлда үзінді көшірме немесе оның беті қайталанған, жетіспейді не ретімен тұрған жоқ.", "В файле выписка или её страница повторяется, пропущена или стоит не на месте.", "A statement or one of its pages stands twice in the file, is missing or out of order."},
	{StatementAccount, Refused, "Үзінді көшірме басқа шот бойынша.", "Выписка по другому счёту.", "The statement is of another account."},
	{StatementBalance, Refused, "Үзінді көшірменің қалдықтары айналымға сәйкес емес.", "Остатки выписки не сходятся с оборотом.", "The statement's balances do not add up."},
	{StatementTotals, Refused, "Үзінді көшірменің жиынтықтары жолдарына сәйкес емес.", "Итоги выписки не сходятся с её строками.", "The statement's totals differ from its lines."},
	{StatementLineBad, Refused, "Үзінді көшірменің жолы оқылмайды.", "Строка выписки не читается.", "A line of the statement cannot be read."},
	{StatementGap, Conflict, "Үзінді көшірме алдыңғысын жалғастырмайды: арасында басқа үзінді көшірме жоқ болуы мүмкін.", "Выписка не продолжает предыдущую: между ними, возможно, не хватает выписки.", "The statement does not continue the one before: another may be missing between them."},
	{StatementUnknown, NotFound, "Мұндай үзінді көшірме жүктелмеген.", "Такая выписка не загружалась.", "No such statement was imported."},

	{AmountDiffers, Refused, "Төленген сома тапсырыстан өзгеше.", "Уплаченная сумма отличается от заказа.", "The amount paid differs from the order."},
	{WrongBudgetCode, Refused, "БСК тапсырыстан өзгеше.", "КБК отличается от заказа.", "The budget code differs from the order."},
	{UnknownIdentifier, Refused, "Төлемнің бірегей нөмірі бізге белгісіз.", "Уникальный номер платежа неизвестен.", "The unique payment identifier is not ours."},
	{MissingIdentifier, Refused, "Төлемнің бірегей нөмірі көрсетілмеген.", "Уникальный номер платежа не указан.", "The line carries no unique payment identifier."},
	{DuplicatePayment, Refused, "Бұл төлем бұрын түскен.", "Этот платёж уже поступал.", "This payment has come before."},
	{NotPosted, RetryLater, "Ақша түсті, бірақ шлюз төлем туралы хабарламаған.", "Деньги поступили, но шлюз о платеже не сообщил.", "The money came, but the gateway has not told of the payment."},
	{DebitEntry, Refused, "Шоттан есептен шығару.", "Списание со счёта.", "The line takes money from the account."},
	{NotBooked, RetryLater, "Жол әлі шотқа жазылмаған.", "Строка ещё не проведена по счёту.", "The line is not booked yet."},
	{UnknownOrder, Refused, "Шлюз біз білмейтін тапсырысты хабарлады.", "Шлюз сообщил о неизвестном заказе.", "The gateway tells of an order that is not ours."},
	{PaidTooLate, Refused, "Тапсырыс мерзімі өткен соң төленді.", "Заказ оплачен после истечения срока.", "The order was paid after it had expired."},
	{PaidTooEarly, Refused, "Төлем тапсырыстан бұрын жасалған.", "Платёж сделан раньше заказа.", "The payment was made before the order."},
	{OrderPaidAlready, Refused, "Тапсырыс бұрын төленген.", "Заказ уже оплачен.", "The order is paid already."},
	{PayerDiffers, Refused, "Төлеуші тапсырыстағыдан өзгеше.", "Плательщик отличается от указанного в заказе.", "The payer differs from the order's."},
}

package report

import (
	"github.com/senim-kz/senim/internal/fault"
)

// reasonWords gives the message of a stable code.
func reasonWords(code string, l fault.Language) string { return fault.Code(code).Message(l) }

// wordsOf gives the words of a table, and a code that is not there as it is.
func wordsOf(table map[string]Title) func(string, fault.Language) string {
	return func(code string, l fault.Language) string {
		if title, known := table[code]; known {
			return title.In(l)
		}
		return code
	}
}

var orderStates = wordsOf(map[string]Title{
	"draft":          {"жоба", "черновик", "draft"},
	"presented":      {"ұсынылды", "выставлен", "presented"},
	"pending":        {"төленуде", "оплачивается", "pending"},
	"authorised":     {"банк бұғаттады", "авторизован", "authorised"},
	"captured":       {"шлюз алды", "получен шлюзом", "captured"},
	"partially_paid": {"ішінара төленді", "оплачен частично", "partially paid"},
	"paid":           {"төленді", "оплачен", "paid"},
	"overpaid":       {"артық төленді", "переплачен", "overpaid"},
	"expired":        {"мерзімі өтті", "просрочен", "expired"},
	"refunding":      {"қайтарылуда", "возвращается", "being refunded"},
})

var dayStates = wordsOf(map[string]Title{
	"open":     {"ашық", "открыт", "open"},
	"proposed": {"жабу ұсынылды", "предложено закрыть", "closing proposed"},
	"closed":   {"жабық", "закрыт", "closed"},
})

var refundStates = wordsOf(map[string]Title{
	"asked":    {"сұралды", "запрошен", "asked"},
	"approved": {"бекітілді", "утверждён", "approved"},
	"rejected": {"қабылданбады", "отклонён", "rejected"},
	"executed": {"орындалды", "исполнен", "executed"},
	"failed":   {"орындалмады", "не исполнен", "failed"},
})

var caseStates = wordsOf(map[string]Title{
	"open":     {"ашық", "открыт", "open"},
	"proposed": {"шешім ұсынылды", "решение предложено", "resolution proposed"},
	"resolved": {"шешілді", "решён", "resolved"},
	"cleared":  {"себебі жойылды", "причина отпала", "cleared"},
})

var resolutions = wordsOf(map[string]Title{
	"match":   {"сәйкестендіру", "сопоставить", "match"},
	"advance": {"төлеушінің авансына", "в аванс плательщика", "to the payer's advance"},
	"refund":  {"қайтару", "вернуть", "refund"},
	"foreign": {"біздікі емес", "не наше", "not ours"},
	"rebill":  {"қайта ұсыну", "выставить снова", "bill again"},
})

// Titles that several reports have.
var (
	titleDay        = Title{"Күні", "День", "Day"}
	titleState      = Title{"Күйі", "Состояние", "State"}
	titleBudgetCode = Title{"БСК", "КБК", "Budget code"}
	titleOffice     = Title{"МКБ", "УГД", "Revenue office"}
	titlePayer      = Title{"Төлеушінің БСН-і", "БИН плательщика", "Payer's BIN"}
	titleOrder      = Title{"Тапсырыс", "Заказ", "Order"}
	titleGateway    = Title{"Шлюз", "Шлюз", "Gateway"}
	titleLines      = Title{"Жолдар", "Строк", "Lines"}
	titleOwed       = Title{"Төленуге тиіс", "Начислено", "Owed"}
	titlePaid       = Title{"Төленді", "Оплачено", "Paid"}
	titleOpen       = Title{"Төленбеген қалдық", "Остаток к оплате", "Outstanding"}
	titleRefunded   = Title{"Қайтарылды", "Возвращено", "Refunded"}
	titleLetGo      = Title{"Рұқсат етілген жетіспеушілік", "Недоплата в пределах допуска", "Let go within tolerance"}
	titleCases      = Title{"Ерекше жағдайлар", "Исключений", "Exceptions"}
	titleIdentifier = Title{"Төлем сәйкестендіргіші", "Идентификатор платежа", "Payment identifier"}
)

package fault

// Codes of our own time-stamping authority.
const (
	TimeNotAvailable    Code = "time_not_available"
	TSAMissing          Code = "tsa_not_configured"
	TSAPolicyUnaccepted Code = "tsa_policy_unaccepted"
	TSADigestUnaccepted Code = "tsa_digest_unaccepted"
	TSAVersionUnknown   Code = "tsa_request_version_unknown"
	TSAKeyMissing       Code = "tsa_key_missing"
	TSAKeyExpiring      Code = "tsa_key_expiring"
	TSATokenBad         Code = "tsa_token_wrong"
	TSAMonthMissing     Code = "tsa_month_missing"
)

var tsaEntries = []Entry{
	{TimeNotAvailable, RetryLater, "Дәл уақыт қазір белгісіз; уақыт белгілері берілмейді.", "Точное время сейчас недоступно; метки времени не выдаются.", "The exact time is not available; no time-stamps are issued."},
	{TSAMissing, NotFound, "Бұл қызмет уақыт белгілерін бермейді.", "Этот сервис не выдаёт меток времени.", "This service issues no time-stamps."},
	{TSAPolicyUnaccepted, Refused, "Уақыт белгісінің мұндай саясаты жоқ.", "Такой политики меток времени нет.", "There is no such time-stamping policy."},
	{TSADigestUnaccepted, Refused, "Бұл саясат мұндай хэш алгоритмін қабылдамайды.", "Эта политика не принимает такой алгоритм хэширования.", "The policy does not accept this digest algorithm."},
	{TSAVersionUnknown, BadInput, "Уақыт белгісі сұрауының нұсқасы белгісіз.", "Неизвестная версия запроса метки времени.", "The version of the time-stamp request is not known."},
	{TSAKeyMissing, Fatal, "Уақыт белгісі саясатының қазір жарамды кілті жоқ.", "У политики меток времени нет ключа, действующего сейчас.", "The time-stamping policy has no key that is valid now."},
	{TSAKeyExpiring, Fatal, "Уақыт белгісі кілтінің мерзімі жақында аяқталады, ал келесісі жоқ.", "Срок ключа меток времени скоро истечёт, а следующего нет.", "The time-stamping key expires soon and has no successor."},
	{TSATokenBad, Fatal, "Жасалған уақыт белгісі тексеруден өтпеді; ол берілмейді.", "Созданная метка времени не прошла проверку и не выдана.", "The time-stamp that was made did not pass its verification and is not given out."},
	{TSAMonthMissing, Fatal, "Дерекқорда келесі айдың уақыт белгілеріне орын жоқ.", "В базе данных нет места для меток времени следующего месяца.", "The database has no place for the time-stamps of the coming month."},
}

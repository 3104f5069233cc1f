package fault

// Codes that any room may use.
const (
	Internal     Code = "internal"
	NotAvailable Code = "not_available"
	BadArgument  Code = "bad_argument"
	InputEmpty   Code = "input_empty"
	InputTooBig  Code = "input_too_big"
	Unreadable   Code = "unreadable"
	Cancelled    Code = "cancelled"
	ConfigBad    Code = "config_invalid"
	ConfigUnsafe Code = "config_unsafe"
	IINInvalid   Code = "iin_invalid"
	BINInvalid   Code = "bin_invalid"
	CalendarBad  Code = "calendar_invalid"
	HostDenied   Code = "host_not_allowed"
	PeerDown     Code = "peer_unavailable"
	PeerAnswer   Code = "peer_answer_invalid"
	JWSInvalid   Code = "jws_invalid"
	NotRunning   Code = "not_running"
	InUse        Code = "data_in_use"
	AddressTaken Code = "address_taken"
)

var coreEntries = []Entry{
	{Internal, Fatal, "Қызметтің ішкі қатесі.", "Внутренняя ошибка сервиса.", "The service failed; the operator has been told."},
	{NotAvailable, Refused, "Бұл мүмкіндік әлі жоқ.", "Эта возможность пока не поддерживается.", "This is not supported yet."},
	{BadArgument, BadInput, "Параметр қате.", "Неверный параметр.", "A parameter is wrong."},
	{InputEmpty, BadInput, "Деректер бос.", "Пустые данные.", "The input is empty."},
	{InputTooBig, TooLarge, "Деректер көлемі шектен асады.", "Размер данных превышает предел.", "The input exceeds the size limit."},
	{Unreadable, BadInput, "Файлды оқу мүмкін емес.", "Файл не читается.", "The file cannot be read."},
	{Cancelled, RetryLater, "Сұрау тоқтатылды.", "Запрос прерван.", "The request was cancelled."},
	{ConfigBad, BadInput, "Баптау қате.", "Ошибка в настройках.", "The configuration is invalid."},
	{ConfigUnsafe, Denied, "Баптау қауіпсіз емес.", "Небезопасная настройка.", "The configuration is unsafe for production."},
	{IINInvalid, BadInput, "ЖСН қате.", "Неверный ИИН.", "The IIN is invalid."},
	{CalendarBad, BadInput, "Жұмыс күндерінің күнтізбесі қате.", "Неверный календарь рабочих дней.", "The calendar of business days is invalid."},
	{BINInvalid, BadInput, "БСН қате.", "Неверный БИН.", "The BIN is invalid."},
	{HostDenied, Denied, "Бұл мекенжайға рұқсат жоқ.", "Обращение к этому адресу не разрешено.", "This address is not allowed."},
	{PeerDown, RetryLater, "Сыртқы жүйе жауап бермейді.", "Внешняя система не отвечает.", "A peer system does not answer."},
	{PeerAnswer, RetryLater, "Сыртқы жүйенің жауабы қате.", "Неверный ответ внешней системы.", "A peer system answered wrongly."},
	{JWSInvalid, BadInput, "JWS қолтаңбасы қате.", "Неверный JWS.", "The JWS is invalid."},
	{NotRunning, RetryLater, "Қызмет іске қосылмаған.", "Сервис не запущен.", "The service is not running."},
	{InUse, Conflict, "Бұл бума басқа процесте қолданылуда.", "Эта папка занята другим процессом.", "Another process uses this folder."},
	{AddressTaken, Conflict, "Бұл мекенжай бос емес.", "Этот адрес занят.", "The address is taken."},
}

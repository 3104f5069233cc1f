package fault

// Codes of making and extending signatures.
const (
	LevelReached      Code = "level_reached"
	OutputExists      Code = "output_exists"
	OutputFailed      Code = "output_failed"
	SigningKeyBad     Code = "signing_key_unreadable"
	SigningKeyUnknown Code = "signing_key_unknown"
)

var signEntries = []Entry{
	{LevelReached, Conflict, "Қолтаңба бұл деңгейге жетіп қойған.", "Подпись уже имеет этот уровень.", "The signature has this level already."},
	{OutputExists, Conflict, "Бұл файл бар; ол қайта жазылмайды.", "Файл уже существует и не перезаписывается.", "The file exists and is not overwritten."},
	{OutputFailed, Fatal, "Нәтижені жазу мүмкін болмады.", "Не удалось записать результат.", "The result could not be written."},
	{SigningKeyUnknown, NotFound, "Мұндай қол қою кілті жоқ.", "Такого ключа подписи нет.", "There is no such signing key."},
	{SigningKeyBad, BadInput, "Кілт файлын оқу мүмкін емес.", "Файл ключа не читается.", "The key file cannot be read."},
}

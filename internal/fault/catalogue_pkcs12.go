package fault

// Codes of key files.
const (
	PKCS12Unreadable    Code = "pkcs12_unreadable"
	PKCS12PasswordWrong Code = "pkcs12_password_wrong"
	PKCS12GOST          Code = "pkcs12_gost_encrypted"
)

var pkcs12Entries = []Entry{
	{PKCS12Unreadable, BadInput, "Кілт файлын оқу мүмкін емес.", "Файл ключа не читается.", "The key file cannot be read."},
	{PKCS12PasswordWrong, BadInput, "Кілт файлының құпиясөзі қате.", "Неверный пароль файла ключа.", "The password of the key file is wrong."},
	{PKCS12GOST, Refused, "Кілт файлы ГОСТ бойынша шифрланған, ондай файлдарға қолдау жоқ.", "Файл ключа зашифрован по ГОСТ, такие файлы не поддерживаются.", "The key file is encrypted with GOST, which is not supported."},
}

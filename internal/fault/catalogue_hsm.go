package fault

// Codes of tokens and hardware security modules. What an HSM does wrong is never
// the API client's fault: at the wire these are RetryLater or Fatal, and the
// rest can only reach an operator at the command line.
const (
	HSMModuleUnusable Code = "hsm_module_unusable"
	HSMUnavailable    Code = "hsm_unavailable"
	HSMBusy           Code = "hsm_busy"
	HSMRefused        Code = "hsm_refused"
	HSMFailed         Code = "hsm_failed"
	TokenURIInvalid   Code = "token_uri_invalid"
	TokenNotFound     Code = "token_not_found"
	TokenAmbiguous    Code = "token_ambiguous"
	TokenExists       Code = "token_exists"
	PINUnavailable    Code = "pin_unavailable"
	PINRefused        Code = "pin_refused"
	KeyMissing        Code = "key_missing"
	KeyAmbiguous      Code = "key_ambiguous"
	KeyExists         Code = "key_exists"
	KeyUnsafe         Code = "key_unsafe"
	KeyUnsupported    Code = "key_unsupported"
)

var hsmEntries = []Entry{
	{HSMModuleUnusable, Fatal, "PKCS#11 модулі жұмысқа жарамсыз.", "Модуль PKCS#11 непригоден к работе.", "The PKCS#11 module cannot be used."},
	{HSMUnavailable, RetryLater, "Криптографиялық құрылғы қолжетімсіз.", "Криптографическое устройство недоступно.", "The cryptographic device is unavailable."},
	{HSMBusy, RetryLater, "Криптографиялық құрылғы бос емес.", "Криптографическое устройство занято.", "The cryptographic device is busy."},
	{HSMRefused, Fatal, "Криптографиялық құрылғы бұл әрекетті қабылдамады.", "Криптографическое устройство отказало в этом действии.", "The cryptographic device refused the operation."},
	{HSMFailed, Fatal, "Криптографиялық құрылғының қатесі.", "Ошибка криптографического устройства.", "The cryptographic device failed."},
	{TokenURIInvalid, BadInput, "Токеннің PKCS#11 URI мекенжайы қате.", "Неверный PKCS#11 URI токена.", "The PKCS#11 URI is invalid."},
	{TokenNotFound, Fatal, "Мұндай токен табылмады.", "Такой токен не найден.", "No such token was found."},
	{TokenAmbiguous, Fatal, "Сипаттамаға бірнеше токен сәйкес келеді.", "Описанию отвечает несколько токенов.", "Several tokens match the description."},
	{TokenExists, Conflict, "Мұндай атауы бар токен бұрыннан бар.", "Токен с таким именем уже есть.", "A token with this label already exists."},
	{PINUnavailable, Fatal, "PIN-кодты алу мүмкін емес.", "PIN-код получить не удалось.", "The PIN cannot be obtained."},
	{PINRefused, Fatal, "Токен PIN-кодты қабылдамады; қайта әрекет жасалмайды.", "Токен не принял PIN-код; повторной попытки не будет.", "The token refused the PIN; it will not be tried again."},
	{KeyMissing, Fatal, "Токенде мұндай кілт немесе сертификат жоқ.", "В токене нет такого ключа или сертификата.", "The token holds no such key or certificate."},
	{KeyAmbiguous, Fatal, "Токенде мұндай кілттер бірнешеу.", "В токене несколько таких ключей.", "The token holds several such keys."},
	{KeyExists, Conflict, "Мұндай кілт бұрыннан бар.", "Такой ключ уже есть.", "A key with this name already exists."},
	{KeyUnsafe, Fatal, "Кілт тексеруден өтпеді.", "Ключ не прошёл проверку.", "The key did not pass its proof."},
	{KeyUnsupported, Refused, "Кілттің бұл түріне қолдау жоқ.", "Этот вид ключа не поддерживается.", "This kind of key is not supported."},
}

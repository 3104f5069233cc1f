package fault

// Codes of tokens and hardware security modules, and of the sandbox. What an HSM does wrong is never
// the API client's fault: at the wire these are RetryLater or Fatal, and the
// rest can only reach an operator at the command line.
const (
	HSMModuleUnusable  Code = "hsm_module_unusable"
	HSMUnavailable     Code = "hsm_unavailable"
	HSMBusy            Code = "hsm_busy"
	HSMRefused         Code = "hsm_refused"
	HSMFailed          Code = "hsm_failed"
	HSMTokenURIInvalid Code = "hsm_token_uri_invalid"
	HSMTokenNotFound   Code = "hsm_token_not_found"
	HSMTokenAmbiguous  Code = "hsm_token_ambiguous"
	HSMTokenExists     Code = "hsm_token_exists"
	PINUnavailable     Code = "pin_unavailable"
	PINRefused         Code = "pin_refused"
	HSMKeyMissing      Code = "hsm_key_missing"
	HSMKeyAmbiguous    Code = "hsm_key_ambiguous"
	HSMKeyExists       Code = "hsm_key_exists"
	HSMKeyUnsafe       Code = "hsm_key_unsafe"
	HSMKeyUnsupported  Code = "hsm_key_unsupported"

	HSMCertificateExpiring Code = "hsm_certificate_expiring"
	HSMCertificateMismatch Code = "hsm_certificate_mismatch"

	SandboxPortTaken Code = "sandbox_port_taken"
)

var hsmEntries = []Entry{
	{HSMModuleUnusable, Fatal, "PKCS#11 модулі жұмысқа жарамсыз.", "Модуль PKCS#11 непригоден к работе.", "The PKCS#11 module cannot be used."},
	{HSMUnavailable, RetryLater, "Криптографиялық құрылғы қолжетімсіз.", "Криптографическое устройство недоступно.", "The cryptographic device is unavailable."},
	{HSMBusy, RetryLater, "Криптографиялық құрылғы бос емес.", "Криптографическое устройство занято.", "The cryptographic device is busy."},
	{HSMRefused, Fatal, "Криптографиялық құрылғы бұл әрекетті қабылдамады.", "Криптографическое устройство отказало в этом действии.", "The cryptographic device refused the operation."},
	{HSMFailed, Fatal, "Криптографиялық құрылғының қатесі.", "Ошибка криптографического устройства.", "The cryptographic device failed."},
	{HSMTokenURIInvalid, BadInput, "Токеннің PKCS#11 URI мекенжайы қате.", "Неверный PKCS#11 URI токена.", "The PKCS#11 URI is invalid."},
	{HSMTokenNotFound, Fatal, "Мұндай токен табылмады.", "Такой токен не найден.", "No such token was found."},
	{HSMTokenAmbiguous, Fatal, "Сипаттамаға бірнеше токен сәйкес келеді.", "Описанию отвечает несколько токенов.", "Several tokens match the description."},
	{HSMTokenExists, Conflict, "Мұндай атауы бар токен бұрыннан бар.", "Токен с таким именем уже есть.", "A token with this label already exists."},
	{PINUnavailable, Fatal, "PIN-кодты алу мүмкін емес.", "PIN-код получить не удалось.", "The PIN cannot be obtained."},
	{PINRefused, Fatal, "Токен PIN-кодты қабылдамады; қайта әрекет жасалмайды.", "Токен не принял PIN-код; повторной попытки не будет.", "The token refused the PIN; it will not be tried again."},
	{HSMKeyMissing, Fatal, "Токенде мұндай кілт немесе сертификат жоқ.", "В токене нет такого ключа или сертификата.", "The token holds no such key or certificate."},
	{HSMKeyAmbiguous, Fatal, "Токенде мұндай кілттер бірнешеу.", "В токене несколько таких ключей.", "The token holds several such keys."},
	{HSMKeyExists, Conflict, "Мұндай кілт бұрыннан бар.", "Такой ключ уже есть.", "A key with this name already exists."},
	{HSMKeyUnsafe, Fatal, "Кілт тексеруден өтпеді.", "Ключ не прошёл проверку.", "The key did not pass its proof."},
	{HSMKeyUnsupported, Refused, "Кілттің бұл түріне қолдау жоқ.", "Этот вид ключа не поддерживается.", "This kind of key is not supported."},
	{HSMCertificateExpiring, Fatal, "Токендегі сертификаттың мерзімі жақында аяқталады.", "Срок действия сертификата в токене скоро истечёт.", "A certificate in the token expires soon."},
	{HSMCertificateMismatch, Refused, "Сертификат токендегі кілтке сәйкес емес.", "Сертификат не соответствует ключу в токене.", "The certificate is not the key's."},

	{SandboxPortTaken, Conflict, "Сынақ ортасының порты бос емес.", "Порт стенда занят.", "A port of the sandbox is taken."},
}

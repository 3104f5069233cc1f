package fault

// Codes of pki: algorithms, encodings, certificates, paths, revocation and
// time-stamps.
const (
	AlgorithmUnsupported       Code = "algorithm_unsupported"
	AlgorithmParametersInvalid Code = "algorithm_parameters_invalid"
	AlgorithmMismatch          Code = "algorithm_mismatch"
	AlgorithmKeyMismatch       Code = "algorithm_key_mismatch"
	SignatureInvalid           Code = "signature_invalid"
	EncodingInvalid            Code = "encoding_invalid"
	EncodingTooDeep            Code = "encoding_too_deep"
	CertificateUnreadable      Code = "certificate_unreadable"
	PublicKeyInvalid           Code = "public_key_invalid"
)

var pkiEntries = []Entry{
	{AlgorithmUnsupported, Refused, "Алгоритмге қолдау жоқ.", "Алгоритм не поддерживается.", "The algorithm is not supported."},
	{AlgorithmParametersInvalid, BadInput, "Алгоритм параметрлері қате.", "Неверные параметры алгоритма.", "The parameters of the algorithm are invalid."},
	{AlgorithmMismatch, Refused, "Хэш алгоритмі мен қолтаңба алгоритмі сәйкес келмейді.", "Алгоритм хэширования не соответствует алгоритму подписи.", "The digest algorithm and the signature algorithm contradict each other."},
	{AlgorithmKeyMismatch, Refused, "Кілт қолтаңба алгоритміне сәйкес келмейді.", "Ключ не подходит к алгоритму подписи.", "The key does not fit the signature algorithm."},
	{SignatureInvalid, Refused, "Қолтаңба дұрыс емес.", "Подпись неверна.", "The signature is wrong."},
	{EncodingInvalid, BadInput, "Деректердің кодталуы қате.", "Неверная кодировка данных.", "The encoding of the data is invalid."},
	{EncodingTooDeep, TooLarge, "Деректердің қабатталуы шектен асады.", "Вложенность данных превышает предел.", "The data is nested too deeply."},
	{CertificateUnreadable, BadInput, "Сертификатты оқу мүмкін емес.", "Сертификат не читается.", "The certificate cannot be read."},
	{PublicKeyInvalid, BadInput, "Ашық кілт қате.", "Неверный открытый ключ.", "The public key is invalid."},
}

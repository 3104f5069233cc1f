package fault

// Codes of the validation process and of validation policies.
const (
	PolicyInvalid            Code = "policy_invalid"
	ProofOfExistenceMissing  Code = "proof_of_existence_missing"
	RevocationSignerExpired  Code = "revocation_signer_expired"
	SignatureLevelRefused    Code = "signature_level_refused"
	SignerRefused            Code = "signer_refused"
	KeyStoreRefused          Code = "key_store_refused"
	RoleMissing              Code = "role_missing"
	UsageMissing             Code = "certificate_usage_missing"
	SigningTimeMissing       Code = "signing_time_missing"
	SigningTimeOutside       Code = "signing_time_outside_validity"
	TimestampRequired        Code = "timestamp_required"
	TimestampLate            Code = "timestamp_late"
	TimestampOrder           Code = "timestamp_order"
	TimestampPolicyRefused   Code = "timestamp_policy_refused"
	ArchiveIndexMismatch     Code = "archive_index_mismatch"
	CounterSignatureInvalid  Code = "counter_signature_invalid"
	CertificatePolicyRefused Code = "certificate_policy_refused"
)

var processEntries = []Entry{
	{PolicyInvalid, BadInput, "Тексеру саясатының файлы қате.", "Файл политики проверки неверен.", "The file of the validation policy is invalid."},
	{ProofOfExistenceMissing, Refused, "Деректің қажетті уақытта болғанын ештеңе дәлелдемейді.", "Ничто не доказывает, что данные существовали в нужное время.", "Nothing proves that this existed at the time needed."},
	{RevocationSignerExpired, Refused, "Қайтарып алу туралы мәліметке қол қойған сертификаттың мерзімі өткен.", "Истёк срок сертификата, которым подписаны сведения об отзыве.", "The certificate that signed the revocation information has expired."},
	{SignatureLevelRefused, Refused, "Саясат мұндай деңгейдегі қолтаңбаны қабылдамайды.", "Политика не принимает подписи этого уровня.", "The policy does not accept signatures of this level."},
	{SignerRefused, Refused, "Саясат бұл тұлғаның қолтаңбасын қабылдамайды.", "Политика не принимает подпись этого лица.", "The policy does not accept this signer."},
	{KeyStoreRefused, Refused, "Кілт саясат талап ететін жерде сақталмайды.", "Ключ хранится не там, где требует политика.", "The key is not kept where the policy demands."},
	{RoleMissing, Refused, "Сертификатта саясат талап ететін рөл жоқ.", "В сертификате нет роли, которую требует политика.", "The certificate lacks a role that the policy demands."},
	{UsageMissing, Refused, "Сертификатта саясат талап ететін қолдану мақсаты жоқ.", "В сертификате нет назначения, которое требует политика.", "The certificate lacks an extended key usage that the policy demands."},
	{SigningTimeMissing, Refused, "Қолтаңбада қол қою уақыты көрсетілмеген.", "В подписи не указано время подписания.", "The signature claims no signing time."},
	{SigningTimeOutside, Refused, "Көрсетілген қол қою уақыты сертификат мерзімінен тыс.", "Заявленное время подписания вне срока сертификата.", "The claimed signing time lies outside the certificate's validity."},
	{TimestampRequired, Refused, "Саясат уақыт белгісін талап етеді.", "Политика требует метку времени.", "The policy demands a valid timestamp."},
	{TimestampLate, Refused, "Уақыт белгісі қол қоюдан тым кеш алынған.", "Метка времени получена слишком поздно после подписания.", "The timestamp was made too long after the signing time."},
	{TimestampOrder, Refused, "Уақыт белгілерінің реті бұзылған.", "Порядок меток времени нарушен.", "The timestamps are not in the order in which they must have been made."},
	{TimestampPolicyRefused, Refused, "Уақыт белгісінің саясатына рұқсат жоқ.", "Политика метки времени не разрешена.", "The timestamp was made under a policy that is not accepted."},
	{ArchiveIndexMismatch, Refused, "Мұрағат белгісі құжатта жоқ деректерді атайды.", "Архивная метка называет данные, которых в документе нет.", "The archive timestamp lists data that the document does not hold."},
	{CounterSignatureInvalid, Refused, "Растаушы қолтаңба жарамсыз немесе расталмады.", "Заверяющая подпись недействительна или не подтверждена.", "A counter-signature is invalid or could not be confirmed."},
	{CertificatePolicyRefused, Refused, "Сертификат саясат рұқсат ететін қағидалар бойынша шығарылмаған.", "Сертификат выпущен не по тем правилам, которые разрешает политика.", "The certificate was not issued under a certificate policy that is accepted."},
}

package fault

// Codes of reading, making and judging signatures.
const (
	CMSMalformed             Code = "cms_malformed"
	CMSNotSigned             Code = "cms_not_signed_data"
	CMSLimit                 Code = "cms_limit_exceeded"
	NoSignature              Code = "no_signature"
	ContentMissing           Code = "content_missing"
	ContentConflict          Code = "content_conflict"
	ContentNotKept           Code = "content_not_kept"
	ContentTypeMismatch      Code = "content_type_mismatch"
	AttributeMissing         Code = "attribute_missing"
	AttributeDuplicate       Code = "attribute_duplicate"
	AttributeMalformed       Code = "attribute_malformed"
	AttributeNotSigned       Code = "attribute_not_signed"
	AttributesAsContent      Code = "attributes_as_content"
	AttributesNotDER         Code = "attributes_not_der"
	DigestMismatch           Code = "digest_mismatch"
	SignerCertificateMissing Code = "signer_certificate_missing"
	SignerReferenceAbsent    Code = "signer_reference_absent"
	SignerReferenceMismatch  Code = "signer_reference_mismatch"
	KeyCertificateMismatch   Code = "key_certificate_mismatch"
	SigningFailed            Code = "signing_failed"
	AlgorithmForbidden       Code = "algorithm_forbidden"
	KeyUsageNotSigning       Code = "key_usage_not_signing"
	TimestampInvalid         Code = "timestamp_invalid"
	AttributeNotJudged       Code = "attribute_not_judged"
	LongTermNotJudged        Code = "long_term_not_judged"
	TSARefused               Code = "tsa_refused"
	FactsUnreadable          Code = "facts_unreadable"
	PolicyUnknown            Code = "policy_unknown"
)

var verifyEntries = []Entry{
	{CMSMalformed, BadInput, "Файл CMS хабарламасы емес немесе бүлінген.", "Файл не является сообщением CMS или повреждён.", "The file is not a CMS message, or it is damaged."},
	{CMSNotSigned, BadInput, "CMS хабарламасы қол қойылған деректер емес.", "Сообщение CMS не содержит подписанных данных.", "The CMS message is not signed data."},
	{CMSLimit, TooLarge, "CMS хабарламасындағы бөліктер саны шектен асады.", "Число частей в сообщении CMS превышает предел.", "The CMS message has more parts than the limit allows."},
	{NoSignature, BadInput, "Файлда қолтаңба жоқ.", "В файле нет подписи.", "The file holds no signature."},
	{ContentMissing, Refused, "Қол қойылған құжат берілмеген.", "Подписанный документ не предоставлен.", "The signed content was not given."},
	{ContentConflict, BadInput, "Берілген құжат қолтаңбаның ішіндегі құжаттан өзгеше.", "Предоставленный документ отличается от вложенного в подпись.", "The content given differs from the content inside the signature."},
	{ContentNotKept, Refused, "Құжат ағынмен бір рет қана оқылды, оны қайта оқу мүмкін емес.", "Документ прочитан потоком один раз, перечитать его нельзя.", "The content passed as a stream and cannot be read again."},
	{ContentTypeMismatch, Refused, "Қол қойылған мазмұн түрі хабарламадағы түрге сәйкес емес.", "Подписанный тип содержимого не совпадает с типом в сообщении.", "The signed content type is not the message's."},
	{AttributeMissing, Refused, "Қолтаңбада міндетті атрибут жоқ.", "В подписи нет обязательного атрибута.", "A mandatory signed attribute is missing."},
	{AttributeDuplicate, Refused, "Қолтаңбаның атрибуты қайталанған.", "Атрибут подписи повторяется.", "A signed attribute occurs more than once."},
	{AttributeMalformed, Refused, "Қолтаңбаның атрибуты қате жазылған.", "Атрибут подписи записан неверно.", "A signed attribute is malformed."},
	{AttributeNotSigned, Refused, "Қол қойылуға тиіс атрибут қол қойылмағандардың арасында тұр; ол есепке алынбайды.", "Атрибут, который должен быть подписан, стоит среди неподписанных и не учитывается.", "An attribute that must be signed stands among the unsigned ones and counts for nothing."},
	{AttributesAsContent, Refused, "Құжаттың орнына басқа қолтаңбаның атрибуттары берілген.", "Вместо документа подставлены атрибуты другой подписи.", "The attributes of another signature stand in the place of the content."},
	{AttributesNotDER, Refused, "Қолтаңбаның атрибуттары DER пішімінде емес; қолтаңба реттелген түріне сәйкес келеді.", "Атрибуты подписи не в форме DER; подпись сходится с их упорядоченной формой.", "The signed attributes are not in DER; the signature holds over their DER form."},
	{DigestMismatch, Refused, "Құжат қол қойылғаннан кейін өзгертілген.", "Документ изменён после подписания.", "The content is not what was signed."},
	{SignerCertificateMissing, Refused, "Қол қоюшының сертификаты табылмады.", "Сертификат подписавшего не найден.", "The signer's certificate was not found."},
	{SignerReferenceAbsent, Refused, "Қолтаңбада қол қоюшы сертификатына қорғалған сілтеме жоқ.", "В подписи нет защищённой ссылки на сертификат подписавшего.", "The signature has no protected reference to the signer's certificate."},
	{SignerReferenceMismatch, Refused, "Қорғалған сілтеме басқа сертификатты көрсетеді.", "Защищённая ссылка указывает на другой сертификат.", "The protected reference names another certificate."},
	{KeyCertificateMismatch, Refused, "Кілт сертификатқа сәйкес емес.", "Ключ не соответствует сертификату.", "The key does not belong to the certificate."},
	{SigningFailed, Fatal, "Кілтпен қол қою мүмкін болмады.", "Не удалось подписать этим ключом.", "The key did not make a valid signature."},
	{AlgorithmForbidden, Refused, "Алгоритм немесе кілт ұзындығы саясат талаптарына сай емес.", "Алгоритм или длина ключа не разрешены политикой.", "The policy does not allow this algorithm or key size."},
	{KeyUsageNotSigning, Refused, "Сертификат қол қоюға арналмаған.", "Сертификат не предназначен для подписания.", "The certificate is not meant for signing."},
	{TimestampInvalid, Refused, "Уақыт белгісі жарамсыз немесе сенімсіз.", "Метка времени недействительна или не вызывает доверия.", "The timestamp is invalid or not trusted."},
	{AttributeNotJudged, Refused, "Бұл атрибут әзірге тексерілмейді және есепке алынбайды.", "Этот атрибут пока не проверяется и не учитывается.", "This attribute is not verified yet and is not counted."},
	{LongTermNotJudged, Refused, "Ұзақ мерзімді сақтау дәлелдері әзірге тексерілмейді және есепке алынбайды.", "Доказательства долгосрочного хранения пока не проверяются и не учитываются.", "Long-term evidence is not verified yet and is not counted."},
	{TSARefused, Refused, "Уақыт белгісі қызметі сұрауды қабылдамады.", "Служба меток времени отклонила запрос.", "The time-stamping authority refused the request."},
	{FactsUnreadable, BadInput, "Сақталған деректер файлы қате.", "Файл сохранённых фактов неверен.", "The file of saved facts is invalid."},
	{PolicyUnknown, BadInput, "Тексеру саясаты белгісіз.", "Неизвестная политика проверки.", "The validation policy is unknown."},
}

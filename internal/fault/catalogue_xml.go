package fault

// Codes of XML reading and XML signatures (pki/xmldsig).
const (
	XMLMalformed          Code = "xml_malformed"
	XMLDoctype            Code = "xml_doctype"
	XMLTooComplex         Code = "xml_too_complex"
	XMLSignatureMissing   Code = "xml_signature_missing"
	XMLSignatureAmbiguous Code = "xml_signature_ambiguous"
	XMLSignatureStructure Code = "xml_signature_structure"
	XMLSignatureReference Code = "xml_signature_reference"
	XMLDuplicateID        Code = "xml_duplicate_id"
	XMLTransform          Code = "xml_transform_refused"
	XMLAlgorithmWeak      Code = "xml_algorithm_weak"
	XMLDigestMismatch     Code = "xml_digest_mismatch"
	XMLKeyMissing         Code = "xml_key_missing"
)

// Codes of the government gateway's messages (internal/shep).
const (
	ShepMessage     Code = "shep_message_invalid"
	ShepStale       Code = "shep_message_stale"
	ShepCorrelation Code = "shep_correlation_wrong"
	ShepPeerRole    Code = "shep_peer_role"
	ShepPeerBIN     Code = "shep_peer_bin"
	ShepPeerUsage   Code = "shep_peer_key_usage"
	ShepFault       Code = "shep_fault"
	ShepTechnical   Code = "shep_technical"
	ShepBusiness    Code = "shep_business"
	ShepGateway     Code = "shep_request_refused"
	ShepDataMissing Code = "shep_data_missing"
)

// Codes of the registers and of authority (registry).
const (
	RegisterAnswer            Code = "register_answer_invalid"
	RegisterOther             Code = "register_answer_to_other"
	RegisterStatus            Code = "register_status"
	RegisterPurpose           Code = "register_purpose_missing"
	SignerBINMissing          Code = "signer_bin_missing"
	SignerIINMissing          Code = "signer_iin_missing"
	SignerRoleMismatch        Code = "signer_role_mismatch"
	SignerNotHead             Code = "signer_not_head_no_mandate"
	HeadUnknown               Code = "head_unknown"
	HeadRemoved               Code = "head_removed"
	HeadNotYet                Code = "head_not_yet"
	OrganisationNotFound      Code = "organisation_not_found"
	OrganisationOther         Code = "organisation_other"
	OrganisationLiquidated    Code = "organisation_liquidated"
	OrganisationStatusUnknown Code = "organisation_status_unknown"
	OrganisationInactive      Code = "organisation_inactive"
	OrganisationBranch        Code = "organisation_branch"
)

var xmlEntries = []Entry{
	{XMLMalformed, BadInput, "XML құрылымы бұзылған.", "XML построен неверно.", "The XML is not well formed."},
	{XMLDoctype, BadInput, "XML ішінде DOCTYPE немесе нысан (entity) болмауы керек.", "XML не должен содержать DOCTYPE и сущности (entity).", "The XML holds a document type or an entity."},
	{XMLTooComplex, TooLarge, "XML тым күрделі: тереңдік, түйін немесе атрибут саны шектен асады.", "XML слишком сложен: превышен предел глубины, числа узлов или атрибутов.", "The XML is too deep or has too many nodes or attributes."},
	{XMLSignatureMissing, Refused, "XML-де күтілген жерде қолтаңба жоқ.", "В XML нет подписи в положенном месте.", "The XML has no signature where one must be."},
	{XMLSignatureAmbiguous, Refused, "XML-де бірнеше қолтаңба немесе сілтеме бар.", "В XML несколько подписей или ссылок вместо одной.", "The XML has several signatures or references where one must be."},
	{XMLSignatureStructure, Refused, "XML қолтаңбасының құрылымы қате.", "Неверная структура подписи XML.", "The XML signature is not built as it must be."},
	{XMLSignatureReference, Refused, "XML қолтаңбасы өңделетін деректерге қойылмаған.", "Подпись XML поставлена не под теми данными, которые обрабатываются.", "The XML signature does not cover the data that would be processed."},
	{XMLDuplicateID, Refused, "XML-де бір идентификатор бірнеше рет берілген.", "В XML идентификатор повторяется.", "An identifier occurs more than once in the XML."},
	{XMLTransform, Refused, "XML қолтаңбасының бұл түрлендіруіне рұқсат жоқ.", "Преобразование в подписи XML не разрешено.", "The XML signature uses a transform that is not allowed."},
	{XMLAlgorithmWeak, Refused, "XML қолтаңбасы сенімсіз алгоритммен жасалған.", "Подпись XML сделана ненадёжным алгоритмом.", "The XML signature uses an algorithm that is no longer trusted."},
	{XMLDigestMismatch, Refused, "XML деректері қол қойылғаннан кейін өзгертілген.", "Данные XML изменены после подписания.", "The XML was changed after it was signed."},
	{XMLKeyMissing, Refused, "XML қолтаңбасында сертификат жоқ немесе ол оқылмайды.", "В подписи XML нет сертификата или он не читается.", "The XML signature carries no readable certificate."},

	{ShepMessage, Refused, "ШЭП хабарының құрылымы қате.", "Неверная структура сообщения ШЭП.", "The message of the government gateway is not built as it must be."},
	{ShepStale, Refused, "ШЭП хабарының уақыты рұқсат етілген аралықтан тыс.", "Время сообщения ШЭП вне допустимого интервала.", "The message of the government gateway is too old or from the future."},
	{ShepCorrelation, Refused, "ШЭП жауабы басқа сұрауға берілген.", "Ответ ШЭП относится к другому запросу.", "The answer of the government gateway is to another request."},
	{ShepPeerRole, Denied, "Хабарға қол қойған жүйенің сертификатында қажетті рөл жоқ.", "В сертификате подписавшей системы нет нужной роли.", "The certificate of the system that signed the message lacks the required role."},
	{ShepPeerBIN, Denied, "Хабарға басқа ұйым қол қойған.", "Сообщение подписано другой организацией.", "The message is signed by another organisation."},
	{ShepPeerUsage, Denied, "Жүйе сертификаты қол қоюға арналмаған.", "Сертификат системы не предназначен для подписи.", "The certificate of the system is not for signing."},
	{ShepFault, RetryLater, "ШЭП сұрауды орындамады.", "ШЭП не выполнил запрос.", "The government gateway did not carry out the request."},
	{ShepTechnical, RetryLater, "ШЭП арқылы сұралған жүйеде техникалық қате.", "Техническая ошибка системы, запрошенной через ШЭП.", "The system asked through the government gateway failed."},
	{ShepBusiness, Refused, "ШЭП арқылы сұралған жүйе сұрауды қабылдамады.", "Система, запрошенная через ШЭП, отклонила запрос.", "The system asked through the government gateway refused the request."},
	{ShepGateway, Fatal, "ШЭП біздің сұрауымызды қате немесе рұқсатсыз деп тапты.", "ШЭП счёл наш запрос неверным или не разрешённым.", "The government gateway holds our request invalid or not permitted."},
	{ShepDataMissing, RetryLater, "ШЭП жауабында мәліметтер жоқ.", "В ответе ШЭП нет сведений.", "The answer of the government gateway holds no data."},
	{RegisterAnswer, RetryLater, "Тіркелім жауабын түсіну мүмкін емес.", "Ответ регистра не удалось разобрать.", "The answer of the register cannot be understood."},
	{RegisterOther, RetryLater, "Тіркелім басқа ұйым туралы жауап берді.", "Регистр ответил о другой организации.", "The register answered about another organisation."},
	{RegisterStatus, RetryLater, "Тіркелім сұрауды өңдемеді.", "Регистр не обработал запрос.", "The register did not process the request."},
	{RegisterPurpose, BadInput, "Тіркелімге сұраудың мақсаты көрсетілмеген.", "Не указана цель обращения к регистру.", "A look-up in a register needs a purpose."},
	{SignerBINMissing, Refused, "Сертификатта БСН жоқ: жеке тұлға ұйым атынан әрекет ете алмайды.", "В сертификате нет БИН: физическое лицо не может действовать от имени организации.", "The certificate names no BIN: an individual cannot act for an organisation."},
	{SignerIINMissing, Refused, "Сертификатта ЖСН жоқ.", "В сертификате нет ИИН.", "The certificate names no IIN."},
	{SignerRoleMismatch, Refused, "Сертификаттағы рөл бұл әрекетке сәйкес келмейді.", "Роль в сертификате не соответствует действию.", "The role in the certificate does not fit the act."},
	{SignerNotHead, Refused, "Қол қоюшы ұйымның басшысы емес және сенімхаты жоқ.", "Подписавший не является руководителем организации и не имеет доверенности.", "The signer is not the head of the organisation and holds no mandate."},
	{HeadUnknown, Refused, "Тіркелімде ұйым басшысы көрсетілмеген.", "В регистре не указан руководитель организации.", "The register names no head of the organisation."},
	{HeadRemoved, Refused, "Басшы қызметінен босатылған.", "Руководитель отстранён от должности.", "The head was removed from office."},
	{HeadNotYet, Refused, "Қол қойылған күні басшы әлі тағайындалмаған.", "На день подписания руководитель ещё не был назначен.", "The head was not yet in office on the day of signing."},
	{OrganisationNotFound, Refused, "Ұйым тіркелімде табылмады.", "Организация не найдена в регистре.", "The organisation is not in the register."},
	{OrganisationOther, Refused, "Тіркелімдегі мәлімет басқа ұйымға қатысты.", "Сведения регистра относятся к другой организации.", "The record of the register is of another organisation."},
	{OrganisationLiquidated, Refused, "Ұйым таратылған.", "Организация ликвидирована.", "The organisation is liquidated."},
	{OrganisationStatusUnknown, Refused, "Ұйымның тіркеу мәртебесі белгісіз.", "Регистрационный статус организации неизвестен.", "The registration status of the organisation is not known."},
	{OrganisationInactive, Refused, "Ұйым әрекетсіз деп танылған.", "Организация признана бездействующей.", "The organisation is inactive."},
	{OrganisationBranch, Refused, "Филиал немесе өкілдік сенімхатсыз әрекет ете алмайды.", "Филиал или представительство не может действовать без доверенности.", "A branch or representative office cannot act without a mandate."},
}

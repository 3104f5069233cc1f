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
	XMLAlgorithmMismatch  Code = "xml_algorithm_mismatch"
	XMLDigestMismatch     Code = "xml_digest_mismatch"
	XMLKeyMissing         Code = "xml_key_missing"
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
	{XMLAlgorithmMismatch, Refused, "XML қолтаңбасы мен хештің алгоритмдері сәйкес емес.", "Алгоритмы подписи и хеша в XML не согласованы.", "The XML signature and its digest use algorithms that do not belong together."},
	{XMLDigestMismatch, Refused, "XML деректері қол қойылғаннан кейін өзгертілген.", "Данные XML изменены после подписания.", "The XML was changed after it was signed."},
	{XMLKeyMissing, Refused, "XML қолтаңбасында сертификат жоқ немесе ол оқылмайды.", "В подписи XML нет сертификата или он не читается.", "The XML signature carries no readable certificate."},
}

package fault

// Codes of the transaction record and its use cases.
const (
	IdempotencyKeyMissing  Code = "idempotency_key_missing"
	IdempotencyKeyInvalid  Code = "idempotency_key_invalid"
	IdempotencyKeyReused   Code = "idempotency_key_reused"
	RequestInFlight        Code = "request_in_flight"
	TransactionNotFound    Code = "transaction_not_found"
	DocumentAlreadyThere   Code = "document_already_submitted"
	DocumentKindUnknown    Code = "document_kind_unsupported"
	DocumentMissing        Code = "document_missing"
	OneSignatureRequired   Code = "one_signature_required"
	AttachedRequired       Code = "attached_signature_required"
	DeclarantMismatch      Code = "declarant_mismatch"
	SignatureNotAccepted   Code = "signature_not_accepted"
	SignatureUndetermined  Code = "signature_undetermined"
	RevocationUndetermined Code = "revocation_undetermined"
	TimestampUndetermined  Code = "timestamp_undetermined"
	ReceiptKeyUnavailable  Code = "receipt_key_unavailable"
	PeerRevoked            Code = "peer_certificate_revoked"
)

var dossierEntries = []Entry{
	{IdempotencyKeyMissing, BadInput, "Idempotency-Key тақырыбы жоқ.", "Нет заголовка Idempotency-Key.", "The Idempotency-Key header is missing."},
	{IdempotencyKeyInvalid, BadInput, "Idempotency-Key тақырыбы қате.", "Неверный заголовок Idempotency-Key.", "The Idempotency-Key header is invalid."},
	{IdempotencyKeyReused, Refused, "Бұл Idempotency-Key басқа сұрауда қолданылған.", "Этот Idempotency-Key уже использован с другим запросом.", "This Idempotency-Key was used for another request."},
	{RequestInFlight, Conflict, "Осы кілтпен сұрау әлі орындалуда.", "Запрос с этим ключом ещё выполняется.", "A request with this key is still at work."},
	{TransactionNotFound, NotFound, "Мәміле табылмады.", "Сделка не найдена.", "There is no such transaction."},
	{DocumentAlreadyThere, Conflict, "Бұл құжат бұрын қабылданған.", "Этот документ уже принят.", "This document was accepted before."},
	{DocumentKindUnknown, Refused, "Құжаттың бұл түріне қолдау жоқ.", "Документ этого вида не поддерживается.", "Documents of this kind are not supported."},
	{DocumentMissing, Conflict, "Алдымен қол қойылған құжат қажет.", "Сначала нужен подписанный документ.", "A signed document is needed first."},
	{OneSignatureRequired, Refused, "Құжатта дәл бір қолтаңба болуы керек.", "В документе должна быть ровно одна подпись.", "The document must carry exactly one signature."},
	{AttachedRequired, Refused, "Қолтаңба құжатпен бірге болуы керек.", "Подпись должна содержать документ.", "The signature must contain the document."},
	{DeclarantMismatch, Refused, "Құжаттағы БСН мәміленің БСН-імен сәйкес емес.", "БИН в документе не совпадает с БИН сделки.", "The BIN in the document is not the transaction's."},
	{SignatureNotAccepted, Refused, "Қолтаңба жарамсыз.", "Подпись недействительна.", "The signature is not valid."},
	{SignatureUndetermined, Refused, "Қолтаңбаның жарамдылығын анықтау мүмкін емес.", "Действительность подписи установить нельзя.", "The validity of the signature cannot be determined."},
	{RevocationUndetermined, RetryLater, "Сертификаттың күйін қазір тексеру мүмкін емес.", "Статус сертификата сейчас проверить нельзя.", "The certificate's revocation status cannot be determined now."},
	{TimestampUndetermined, RetryLater, "Уақыт белгісін қазір тексеру мүмкін емес.", "Метку времени сейчас проверить нельзя.", "The timestamp cannot be verified now."},
	{ReceiptKeyUnavailable, RetryLater, "Түбіртек кілті қолжетімсіз.", "Ключ квитанций недоступен.", "The receipt key is unavailable."},
	{PeerRevoked, Denied, "Сыртқы жүйенің сертификаты кері қайтарылған.", "Сертификат внешней системы отозван.", "The peer system's certificate is revoked."},
}

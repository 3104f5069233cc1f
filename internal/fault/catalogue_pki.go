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

	AnchorProfilesMixed         Code = "anchor_profiles_mixed"
	AnchorRestricted            Code = "anchor_restricted"
	TrustNotPinned              Code = "trust_not_pinned"
	ChainNotFound               Code = "chain_not_found"
	ChainBroken                 Code = "chain_broken"
	CertificateExpired          Code = "certificate_expired"
	CertificateNotYetValid      Code = "certificate_not_yet_valid"
	NotACA                      Code = "not_a_ca"
	PathTooLong                 Code = "path_too_long"
	KeyUsageForbidden           Code = "key_usage_forbidden"
	CriticalExtensionUnknown    Code = "critical_extension_unknown"
	ExtensionMalformed          Code = "extension_malformed"
	PurposeForbidden            Code = "purpose_forbidden"
	PolicyNotAccepted           Code = "policy_not_accepted"
	PolicyTreeTooBig            Code = "policy_tree_too_big"
	NameForbidden               Code = "name_forbidden"
	NameConstraintsNotSupported Code = "name_constraints_not_supported"
	NameConstraintsTooMany      Code = "name_constraints_too_many"
	PathSearchLimit             Code = "path_search_limit"
	ProfileBroken               Code = "certificate_profile_broken"

	RevocationUnknown          Code = "revocation_unknown"
	CertificateRevoked         Code = "certificate_revoked"
	RevocationStale            Code = "revocation_stale"
	RevocationFromFuture       Code = "revocation_from_the_future"
	OCSPUnreadable             Code = "ocsp_unreadable"
	OCSPNotSuccessful          Code = "ocsp_not_successful"
	OCSPOtherCertificate       Code = "ocsp_other_certificate"
	OCSPResponderNotAuthorised Code = "ocsp_responder_not_authorised"
	OCSPNonceMismatch          Code = "ocsp_nonce_mismatch"
	CRLUnreadable              Code = "crl_unreadable"
	CRLOtherIssuer             Code = "crl_other_issuer"
	CRLOutOfScope              Code = "crl_out_of_scope"
	CRLIncomplete              Code = "crl_incomplete"
	CRLSignerNotTrusted        Code = "crl_signer_not_trusted"

	TimestampUnreadable       Code = "timestamp_unreadable"
	TimestampImprintMismatch  Code = "timestamp_imprint_mismatch"
	TimestampNonceMismatch    Code = "timestamp_nonce_mismatch"
	TimestampPolicyMismatch   Code = "timestamp_policy_mismatch"
	TimestampSignerMismatch   Code = "timestamp_signer_mismatch"
	TimestampSignerForbidden  Code = "timestamp_signer_not_authorised"
	TimestampExtensionUnknown Code = "timestamp_extension_unknown"
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

	{AnchorProfilesMixed, Refused, "Әртүрлі ортаның сенім сертификаттары араласқан.", "Смешаны доверенные сертификаты разных сред.", "Trust anchors of different environments are mixed."},
	{AnchorRestricted, Refused, "Сенім сертификатына бұл мақсатта немесе бұл уақытта сенім жоқ.", "Доверенному сертификату не доверяют для этой цели или на это время.", "The trust anchor is not trusted for this purpose or at this time."},
	{TrustNotPinned, Refused, "Бағдарлама бұл сертификатты танымайды.", "Программа не узнаёт этот сертификат.", "The program does not recognise this certificate."},
	{ChainNotFound, Refused, "Сенімді сертификатқа дейінгі тізбек табылмады.", "Цепочка до доверенного сертификата не найдена.", "No chain to a trust anchor was found."},
	{ChainBroken, Refused, "Сертификаттар тізбегі үзілген.", "Цепочка сертификатов разорвана.", "The certificates do not form a chain."},
	{CertificateExpired, Refused, "Сертификаттың мерзімі өткен.", "Срок действия сертификата истёк.", "The certificate has expired."},
	{CertificateNotYetValid, Refused, "Сертификат әлі күшіне енген жоқ.", "Срок действия сертификата ещё не наступил.", "The certificate is not valid yet."},
	{NotACA, Refused, "Бұл сертификаттың иесі басқа сертификат шығара алмайды.", "Владелец этого сертификата не вправе выпускать другие.", "The certificate is not that of a certification authority."},
	{PathTooLong, Refused, "Сертификаттар тізбегі рұқсат етілгеннен ұзын.", "Цепочка сертификатов длиннее допустимой.", "The chain is longer than allowed."},
	{KeyUsageForbidden, Refused, "Кілтті бұлай қолдануға болмайды.", "Ключ не предназначен для такого применения.", "The certificate does not allow this use of the key."},
	{CriticalExtensionUnknown, Refused, "Белгісіз маңызды кеңейтім бар.", "Есть неизвестное критическое расширение.", "There is an unknown critical extension."},
	{ExtensionMalformed, Refused, "Сертификаттың қажетті кеңейтімін оқу мүмкін емес.", "Нужное расширение сертификата не читается.", "An extension of the certificate that is needed cannot be read."},
	{PurposeForbidden, Refused, "Сертификат мұндай мақсатқа арналмаған.", "Сертификат не предназначен для этой цели.", "The certificate, or a CA above it, is not meant for this purpose."},
	{PolicyNotAccepted, Refused, "Тізбек талап етілген саясаттардың ешқайсысына сай емес.", "Цепочка не соответствует ни одной из требуемых политик.", "The chain is valid under none of the policies required."},
	{PolicyTreeTooBig, TooLarge, "Тізбектегі саясаттар саны шектен асады.", "Слишком много политик в цепочке сертификатов.", "The chain has too many certificate policies."},
	{NameForbidden, Refused, "Сертификаттағы атауға жоғары тұрған орталық рұқсат бермейді.", "Имя в сертификате запрещено вышестоящим центром.", "A name in the certificate is not one that a CA above it allows."},
	{NameConstraintsNotSupported, Refused, "Атау шектеулерінің бұл түріне қолдау жоқ.", "Ограничения имён такого вида не поддерживаются.", "Name constraints of this kind are not supported."},
	{NameConstraintsTooMany, TooLarge, "Атаулар мен оларға қойылған шектеулер тым көп.", "Слишком много имён и ограничений на них.", "There are too many names and constraints on them."},
	{ProfileBroken, Refused, "Сертификат RFC 5280 талаптарына сай шығарылмаған.", "Сертификат выпущен с нарушением требований RFC 5280.", "The certificate was not issued as RFC 5280 demands."},
	{PathSearchLimit, TooLarge, "Тізбекке үміткер сертификаттар тым көп.", "Слишком много сертификатов-кандидатов для цепочки.", "There are too many candidate certificates to search for a chain."},

	{RevocationUnknown, Refused, "Сертификаттың қайтарылған-қайтарылмағаны белгісіз.", "Статус отзыва сертификата неизвестен.", "The revocation status of the certificate is unknown."},
	{CertificateRevoked, Refused, "Сертификат қайтарып алынған.", "Сертификат отозван.", "The certificate has been revoked."},
	{RevocationStale, Refused, "Қайтарып алу туралы мәлімет ескірген.", "Сведения об отзыве устарели.", "The revocation information is too old."},
	{RevocationFromFuture, Refused, "Қайтарып алу туралы мәлімет болашақ уақытпен берілген.", "Сведения об отзыве датированы будущим.", "The revocation information is dated in the future."},
	{OCSPUnreadable, BadInput, "OCSP жауабын оқу мүмкін емес.", "Ответ OCSP не читается.", "The OCSP response cannot be read."},
	{OCSPNotSuccessful, RetryLater, "OCSP қызметі сұрауды орындамады.", "Служба OCSP не выполнила запрос.", "The OCSP service did not serve the request."},
	{OCSPOtherCertificate, Refused, "OCSP жауабы басқа сертификат туралы.", "Ответ OCSP относится к другому сертификату.", "The OCSP response is about another certificate."},
	{OCSPResponderNotAuthorised, Refused, "OCSP жауабына уәкілетті емес тұлға қол қойған.", "Ответ OCSP подписан неуполномоченной стороной.", "The OCSP response is signed by a party without authority."},
	{OCSPNonceMismatch, Refused, "OCSP жауабы басқа сұрауға берілген.", "Ответ OCSP дан на другой запрос.", "The OCSP response answers another request."},
	{CRLUnreadable, BadInput, "Қайтарып алынған сертификаттар тізімін оқу мүмкін емес.", "Список отозванных сертификатов не читается.", "The CRL cannot be read."},
	{CRLOtherIssuer, Refused, "Тізімді сертификатты шығарған орталық жасамаған.", "Список отозванных выпущен другим центром.", "The CRL is of another issuer."},
	{CRLOutOfScope, Refused, "Қайтарып алу тізімі басқа сертификаттарға қатысты.", "Список отозванных относится к другим сертификатам.", "The CRL is about other certificates."},
	{CRLIncomplete, Refused, "Қайтарып алу тізімі толық емес, басқа тізімдер де қажет.", "Список отозванных неполон: нужны и другие списки.", "The CRL tells only a part: further lists are needed."},
	{CRLSignerNotTrusted, Refused, "Тізімге қол қойған сертификатқа сенім жоқ.", "Нет доверия к сертификату, которым подписан список.", "The certificate that signed the CRL is not trusted."},

	{TimestampUnreadable, BadInput, "Уақыт белгісін немесе оған сұрауды оқу мүмкін емес.", "Метка времени или запрос на неё не читается.", "The time-stamp, or the request for one, cannot be read."},
	{TimestampImprintMismatch, Refused, "Уақыт белгісі басқа деректерге берілген.", "Метка времени поставлена на другие данные.", "The time-stamp is over other data."},
	{TimestampNonceMismatch, Refused, "Уақыт белгісі басқа сұрауға берілген.", "Метка времени дана на другой запрос.", "The time-stamp answers another request."},
	{TimestampPolicyMismatch, Refused, "Уақыт белгісі басқа саясатпен берілген.", "Метка времени выдана по другой политике.", "The time-stamp follows another policy."},
	{TimestampSignerMismatch, Refused, "Уақыт белгісінің қолтаңба сертификаты сәйкес емес.", "Сертификат подписи метки времени не соответствует указанному в ней.", "The time-stamp's signing certificate is not the one it names."},
	{TimestampSignerForbidden, Refused, "Бұл сертификат уақыт белгісін беруге құқық бермейді.", "Этот сертификат не даёт права выдавать метки времени.", "The certificate is not one of a time-stamping authority."},
	{TimestampExtensionUnknown, Refused, "Уақыт белгісінде белгісіз маңызды кеңейтім бар, немесе оған сұрауда кеңейтім бар.", "В метке времени есть неизвестное критическое расширение, или в запросе на неё есть расширение.", "The time-stamp has an unknown critical extension, or the request for one has an extension."},
}

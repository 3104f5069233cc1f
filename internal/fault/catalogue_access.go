package fault

// Codes of who may call and how: access (systems, people, roles, limits) and
// the HTTP door itself.
const (
	CredentialsMissing       Code = "credentials_missing"
	TokenInvalid             Code = "token_invalid"
	TokenExpired             Code = "token_expired"
	SessionInvalid           Code = "session_invalid"
	AssertionInvalid         Code = "assertion_invalid"
	AssertionReplayed        Code = "assertion_replayed"
	ClientDisabled           Code = "client_disabled"
	ChallengeUnknown         Code = "challenge_unknown"
	ClientCertificateUnknown Code = "client_certificate_unknown"
	SignInUnnamed            Code = "sign_in_unnamed"
	RoleDenied               Code = "role_denied"
	ScopeDenied              Code = "scope_denied"

	GrantUnsupported Code = "grant_unsupported"
	ScopeInvalid     Code = "scope_invalid"

	ClientExists     Code = "client_exists"
	ClientUnknown    Code = "client_unknown"
	ClientInvalid    Code = "client_invalid"
	ClientKeyInvalid Code = "client_key_invalid"

	RateLimited Code = "rate_limited"
	Overloaded  Code = "overloaded"

	RouteUnknown         Code = "route_unknown"
	MethodNotAllowed     Code = "method_not_allowed"
	MediaTypeUnsupported Code = "media_type_unsupported"
	NotAcceptable        Code = "not_acceptable"
	BodyInvalid          Code = "body_invalid"
	BodyTruncated        Code = "body_truncated"
	ParameterInvalid     Code = "parameter_invalid"
)

var accessEntries = []Entry{
	{CredentialsMissing, Unauthenticated, "Сұрауда шақырушының деректері жоқ.", "В запросе нет данных о вызывающей стороне.", "The request names no caller."},
	{TokenInvalid, Unauthenticated, "Қол жеткізу токені жарамсыз.", "Токен доступа недействителен.", "The access token is not valid."},
	{TokenExpired, Unauthenticated, "Қол жеткізу токенінің мерзімі өткен.", "Срок действия токена доступа истёк.", "The access token has expired."},
	{SessionInvalid, Unauthenticated, "Сеанс аяқталған немесе белгісіз.", "Сеанс завершён или неизвестен.", "The session has ended or is unknown."},
	{AssertionInvalid, Unauthenticated, "Клиенттің қол қойылған өтінімі жарамсыз.", "Подписанное утверждение клиента недействительно.", "The client's signed assertion is not valid."},
	{AssertionReplayed, Unauthenticated, "Клиенттің бұл өтінімі бұрын қолданылған.", "Это утверждение клиента уже использовано.", "The client's assertion has been used before."},
	{ClientDisabled, Unauthenticated, "Клиент өшірілген немесе оның кілттері ауыстырылған.", "Клиент отключён или его ключи заменены.", "The client is disabled or its keys were replaced."},
	{ClientCertificateUnknown, Unauthenticated, "Клиенттің TLS сертификаты тіркелмеген немесе жарамсыз.", "TLS-сертификат клиента не зарегистрирован или недействителен.", "The client's TLS certificate is not registered or not valid."},
	{ChallengeUnknown, Unauthenticated, "Кіру сұрауы белгісіз, қолданылған немесе мерзімі өткен.", "Запрос на вход неизвестен, использован или просрочен.", "The sign-in challenge is unknown, used or expired."},
	{SignInUnnamed, Denied, "Сертификатта ЖСН көрсетілмеген.", "В сертификате не указан ИИН.", "The certificate names no IIN."},
	{RoleDenied, Denied, "Бұл рөлге мұндай әрекетке рұқсат жоқ.", "Эта роль не даёт права на это действие.", "This role may not do this."},
	{ScopeDenied, Denied, "Токеннің рұқсат аясы жеткіліксіз.", "Токен не даёт права на это действие.", "The token's scope does not cover this."},

	{GrantUnsupported, BadInput, "Токен алудың бұл тәсілі қолданылмайды.", "Этот способ получения токена не поддерживается.", "This grant type is not supported."},
	{ScopeInvalid, BadInput, "Сұралған рұқсат аясы клиентке берілмеген.", "Запрошенные права клиенту не предоставлены.", "The scope asked for was not granted to the client."},

	{ClientExists, Conflict, "Мұндай клиент тіркелген.", "Такой клиент уже зарегистрирован.", "A client of this name, or with this certificate, is registered already."},
	{ClientUnknown, NotFound, "Мұндай клиент жоқ.", "Такого клиента нет.", "There is no such client."},
	{ClientInvalid, BadInput, "Клиенттің сипаттамасы қате.", "Неверное описание клиента.", "The client's description is wrong."},
	{ClientKeyInvalid, BadInput, "Клиенттің кілті жарамайды.", "Ключ клиента не годится.", "The client's key cannot be used."},

	{RateLimited, Limited, "Сұраулар тым жиі.", "Слишком много запросов.", "Too many requests."},
	{Overloaded, RetryLater, "Қызмет қазір бос емес.", "Сервис сейчас перегружен.", "The service is busy."},

	{RouteUnknown, NotFound, "Мұндай мекенжай жоқ.", "Такого адреса нет.", "There is no such route."},
	{MethodNotAllowed, BadInput, "Бұл мекенжайда мұндай әдіс жоқ.", "Этот адрес не принимает такой метод.", "The route does not take this method."},
	{MediaTypeUnsupported, WrongType, "Мазмұн түрі қабылданбайды.", "Тип содержимого не принимается.", "The content type is not one the route takes."},
	{NotAcceptable, BadInput, "Жауап сұралған пішімдердің ешқайсысында берілмейді.", "Ответ не может быть дан ни в одном из запрошенных форматов.", "The answer cannot be given in any of the formats asked for."},
	{BodyInvalid, BadInput, "Сұраудың мазмұны сипаттамаға сай емес.", "Тело запроса не соответствует описанию.", "The request body does not match its description."},
	{BodyTruncated, BadInput, "Сұраудың мазмұны толық келмеді.", "Тело запроса получено не полностью.", "The request body ended early."},
	{ParameterInvalid, BadInput, "Сұраудың параметрі қате.", "Неверный параметр запроса.", "A parameter of the request is wrong."},
}

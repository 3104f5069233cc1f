package fault

// Codes of events to subscribers. Those of the second group stand in the record
// of a delivery.
const (
	WebhookNotFound  Code = "webhook_not_found"
	WebhookInvalid   Code = "webhook_invalid"
	WebhookDenied    Code = "webhook_denied"
	WebhookAddress   Code = "webhook_address_not_allowed"
	WebhookLimit     Code = "webhook_limit_reached"
	WebhookKeys      Code = "webhook_keys_limit_reached"
	WebhookDisabled  Code = "webhook_disabled"
	WebhookReplayBig Code = "webhook_replay_too_large"
	EventNotFound    Code = "event_not_found"

	WebhookRefused   Code = "webhook_refused"
	WebhookGone      Code = "webhook_gone"
	WebhookExhausted Code = "webhook_attempts_exhausted"
	WebhookExpired   Code = "webhook_expired"
)

var webhookEntries = []Entry{
	{WebhookNotFound, NotFound, "Мұндай жазылым жоқ.", "Такой подписки нет.", "There is no such webhook."},
	{WebhookInvalid, BadInput, "Жазылымның сипаттамасы қате.", "Неверное описание подписки.", "The webhook's description is wrong."},
	{WebhookDenied, Denied, "Бұл шақырушы оқиғаларға жазыла алмайды.", "Эта вызывающая сторона не может подписаться на события.", "This caller cannot subscribe to events."},
	{WebhookAddress, Refused, "Оқиғаларды бұл мекенжайға жіберуге рұқсат жоқ.", "Отправлять события на этот адрес не разрешено.", "Events may not be sent to this address."},
	{WebhookLimit, Conflict, "Жазылымдар саны шегіне жетті.", "Достигнут предел числа подписок.", "The caller has as many webhooks as it may have."},
	{WebhookKeys, Conflict, "Кілттер тым жиі ауыстырылды: бұрынғылары әлі күшінде.", "Ключи заменялись слишком часто: прежние ещё действуют.", "The keys were replaced too often: former ones are still in use."},
	{WebhookDisabled, Conflict, "Жазылым өшірілген.", "Подписка отключена.", "The webhook is disabled."},
	{WebhookReplayBig, Refused, "Қайта жіберуге тым көп оқиға сұралды.", "Запрошено слишком много событий для повторной отправки.", "Too many events were asked to be sent again."},
	{EventNotFound, NotFound, "Мұндай оқиға жоқ.", "Такого события нет.", "There is no such event for this webhook."},

	{WebhookRefused, RetryLater, "Жазылушы оқиғаны қабылдамады.", "Подписчик не принял событие.", "The subscriber did not accept the event."},
	{WebhookGone, Refused, "Жазылушы оқиғалардан бас тартты.", "Подписчик отказался от событий.", "The subscriber wants no more events."},
	{WebhookExhausted, Refused, "Барлық әрекеттен кейін де жеткізілмеді.", "Не доставлено после всех попыток.", "It could not be delivered in any of the attempts."},
	{WebhookExpired, Refused, "Тым ұзақ уақыт жеткізілмеді.", "Не доставлено слишком долго.", "It could not be delivered for too long."},
}

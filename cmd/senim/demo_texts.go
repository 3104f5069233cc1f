package main

// What the demo says, in Kazakh, Russian and English.
var (
	sayTitle = text{
		"Senim: бір мәміле қолтаңбадан салыстырылған төлемге дейін",
		"Senim: одна сделка от подписи до сверенного платежа",
		"Senim: one transaction from signature to reconciled payment",
	}
	sayStarting = text{
		"Ортаны іске қосу (PostgreSQL, токен, мемлекеттік жүйелердің стендтері, қызмет) …",
		"Запуск окружения (PostgreSQL, токен, стенды государственных систем, сервис) …",
		"Starting the surroundings (PostgreSQL, the token, stand-ins of the state systems, the service) …",
	}
	sayStarted = text{"Орта дайын: %s, қызмет %s мекенжайында.", "Окружение готово за %s, сервис на %s.", "Ready in %s; the service is at %s."}

	stepDocument = text{
		"Трейдер бірыңғай кіріс құжатын (ДЕВИ) дайындайды",
		"Трейдер готовит единый входной документ (ДЕВИ)",
		"The trader prepares a single input document (ДЕВИ)",
	}
	sayDocument = text{"%s құжаты, %d байт, %d тауар", "документ %s, %d байт, товаров: %d", "document %s, %d bytes, %d commodity lines"}
	sayItem     = text{"ТН ВЭД %s, кедендік құны %s", "ТН ВЭД %s, таможенная стоимость %s", "commodity code %s, customs value %s"}

	stepSign = text{
		"Трейдер құжатқа PKCS#11 токеніндегі кілтпен қол қояды",
		"Трейдер подписывает документ ключом внутри токена PKCS#11",
		"The trader signs it with a key inside a PKCS#11 token",
	}
	sayToken  = text{"токен «%s», кілт токеннен шықпайды", "токен «%s», ключ его не покидает", "token %q; the key never leaves it"}
	saySigned = text{"CMS SignedData, %s, %d байт", "CMS SignedData, %s, %d байт", "CMS SignedData, %s, %d bytes"}

	stepSubmit = text{
		"Құжат HTTP арқылы қызметке жіберіледі, тексеріледі және уақыт белгісін алады",
		"Документ уходит в сервис по HTTP, проверяется и получает метку времени",
		"It goes to the service over HTTP, is verified and timestamped",
	}
	saySignedIn   = text{"трейдер бір реттік сұраққа қол қойып кірді", "трейдер вошёл, подписав одноразовый вызов", "the trader signed in with a single-use challenge"}
	sayOpened     = text{"мәміле %s", "сделка %s", "transaction %s"}
	sayVerdict    = text{"үкім %s, деңгейі %s, саясат %s", "вердикт %s, уровень %s, политика %s", "verdict %s, level %s, policy %s"}
	sayRevocation = text{"сертификат жарамды: OCSP жауабы тексерілді және сақталды", "сертификат действует: ответ OCSP проверен и сохранён", "the certificate is good: the OCSP answer was verified and kept"}
	sayTimestamp  = text{"уақыт белгісі %s, %s", "метка времени %s, %s", "timestamp %s by %s"}
	sayEvidence   = text{"дәлел %s: sha256 %s…", "доказательство %s: sha256 %s…", "evidence %s: sha256 %s…"}

	stepIdentify = text{
		"Қол қойған кім және қандай негізде",
		"Кто подписал и на каком основании",
		"Who signed, and on what ground",
	}
	saySigner       = text{"%s, ЖСН %s, БСН %s", "%s, ИИН %s, БИН %s", "%s, IIN %s, BIN %s"}
	sayOrganisation = text{"ШЭП арқылы ГБД ЮЛ: %s", "ГБД ЮЛ через ШЭП: %s", "register of legal entities through ШЭП: %s"}
	sayGround       = text{"негіз: %s", "основание: %s", "ground: %s"}

	stepReceipt = text{
		"Қызмет HSM кілтімен қол қойылған түбіртек береді",
		"Сервис отвечает квитанцией, подписанной ключом в HSM",
		"The service answers with a receipt signed by a key in the HSM",
	}
	sayReceipt = text{"JWS %s, кілт %s, /.well-known/jwks.json арқылы тексерілді", "JWS %s, ключ %s, проверен по /.well-known/jwks.json", "JWS %s, key %s, verified with /.well-known/jwks.json"}

	stepPay = text{
		"Төлемдер бұйрыққа айналады, төлеуші шлюзге барады",
		"Платежи становятся счётом, плательщик идёт в платёжный шлюз",
		"Charges become a payment order; the payer goes to the gateway",
	}
	sayOrder    = text{"бұйрық: %s, бет %s", "счёт на %s, страница %s", "order for %s, page %s"}
	sayLine     = text{"%s, КБК %s: %s, бірегей код %s", "%s, КБК %s: %s, уникальный код %s", "%s, budget code %s: %s, identifier %s"}
	sayPaid     = text{"шлюз хабары тексерілді, кітапқа жазылды", "сообщение шлюза проверено и проведено", "the gateway's callback was authenticated and posted"}
	sayReplayed = text{"сол хабар тағы %d рет келді: кітапта әлі де %d жазба", "то же сообщение пришло ещё %d раза: в книге по-прежнему проводок: %d", "the same callback came %d more times: the ledger still holds %d entry"}

	stepReconcile = text{
		"Қазынашылық үзіндісі жүктеліп, салыстырылады",
		"Выписка казначейства загружается и сверяется",
		"The treasury's statement is imported and reconciled",
	}
	sayStatement  = text{"үзінді: %d жол, %s", "выписка: строк %d на %s", "statement: %d lines, %s"}
	sayReconciled = text{"сәйкес: %d, айырма: %d", "сошлось: %d, расхождений: %d", "matched: %d, exceptions: %d"}

	stepDossier = text{"Мәміле құжаттамасы", "Досье сделки", "The dossier of the transaction"}
	sayState    = text{"күйі: %s", "состояние: %s", "state: %s"}
	sayStateOf  = map[string]text{
		"open":       {"ашық", "открыта", "open"},
		"signed":     {"қол қойылған", "подписана", "signed"},
		"ordered":    {"төлем күтілуде", "ожидает оплаты", "awaiting payment"},
		"paid":       {"төленген", "оплачена", "paid"},
		"reconciled": {"төленген және салыстырылған", "оплачена и сверена", "paid and reconciled"},

		"partially_paid": {"жартылай төленген", "оплачена частично", "paid in part"},
		"overpaid":       {"артық төленген", "переплачена", "overpaid"},
		"refunding":      {"қайтарылуда", "возвращается", "being refunded"},
		"refunded":       {"қайтарылған", "возвращена", "refunded"},
	}

	stepRefund = text{
		"Екі бөлікпен, артығымен төленген бұйрық: артығын екі адам қайтарады",
		"Счёт, оплаченный двумя частями и с избытком: избыток возвращают двое",
		"An order paid in two parts and too much; two persons give the rest back",
	}
	sayPart           = text{"%s төленді, %s қалды", "уплачено %s, осталось %s", "%s is paid, %s is owed yet"}
	sayOverpaid       = text{"артығы %s төлеушінің авансына (9070) жазылды", "лишние %s зачислены на аванс плательщика (9070)", "%s too much is credited to the payer's advance (9070)"}
	sayRefundAsked    = text{"%s қайтаруды %s сұрады, мерзімі %s", "возврат %s запросил %s, срок %s", "a refund of %s is asked for by %s, due %s"}
	sayRefundApproved = text{"басқа адам бекітті: %s", "утвердил другой: %s", "another approves it: %s"}
	sayRefundExecuted = text{"шлюз қайтарды: %s", "шлюз исполнил возврат: %s", "the gateway has paid it back: %s"}

	stepBodies = text{
		"Үш органға бір бұйрық, мандат бойынша есептен шығарылады",
		"Один счёт трём органам, списан по мандату",
		"One bill for three bodies, debited under a mandate",
	}
	sayBodies  = text{"бір бұйрық %s, алушылар: %d", "один счёт на %s, получателей: %d", "one bill for %s, beneficiaries: %d"}
	sayMandate = text{"басшы мандатқа қол қойды: бір есептен шығару %s дейін, шот %s", "руководитель подписал мандат: списание до %s, счёт %s", "the head signed a mandate: a debit of up to %s from account %s"}
	sayDebited = text{"есептен шығарылды: %s (%s)", "списано %s (%s)", "debited: %s (%s)"}

	stepExceptions = text{
		"Күннің үзіндісі қайта салыстырылады: айырмаларды екі адам шешеді",
		"Выписка дня сверяется снова: расхождения разбирают двое",
		"The day's statement is reconciled again; two persons work its exceptions",
	}
	sayException = text{"айырма: %s, %s", "расхождение: %s, %s", "exception: %s, %s"}
	sayProposed  = text{"оператор ұсынды: %s", "оператор предложил: %s", "the operator proposes: %s"}
	sayApproved  = text{"бақылаушы бекітті; ашық қалғаны: %d", "контролёр утвердил; открытых осталось: %d", "the controller approves; left open: %d"}

	stepTampered   = text{"Бас тарту: құжаттың бір байты өзгертілген", "Отказ: изменён один байт документа", "Refused: one byte of the document changed"}
	stepRevoked    = text{"Бас тарту: қол қойғанның сертификаты кері қайтарылған", "Отказ: сертификат подписавшего отозван", "Refused: the signer's certificate is revoked"}
	stepNotHead    = text{"Бас тарту: қол қойған басшы емес, сенімхаты жоқ", "Отказ: подписал не руководитель и без доверенности", "Refused: the signer is not the head and holds no mandate"}
	stepForged     = text{"Бас тарту: шлюз хабарының қолтаңбасы қате", "Отказ: неверная подпись сообщения шлюза", "Refused: a gateway callback with a wrong signature"}
	sayRefused     = text{"%d %s: %s", "%d %s: %s", "%d %s: %s"}
	sayNothingKept = text{"қабылданған ештеңе жоқ: құжат %d, кітапта %d жазба", "ничего не принято: документов %d, проводок %d", "no trace of acceptance: documents %d, ledger entries %d"}

	stepReal = text{
		"NUC RK нақты қолтаңбасы: senim verify",
		"Настоящая подпись НУЦ РК: senim verify",
		"A real signature of NUC RK: senim verify",
	}
	sayReal = text{
		"күтілгендей: уақыт белгісі жоқ, тізбек мерзімі өткен және оның сенім нүктесі бапталмаған, сондықтан жарамды да, жарамсыз да деп айтуға болмайды",
		"как и ожидалось: метки времени нет, срок цепочки истёк и её корень не настроен, поэтому нельзя сказать ни «действительна», ни «недействительна»",
		"as expected: no timestamp, a chain that has expired and has no configured anchor, so it can be called neither valid nor invalid",
	}

	sayRefusalCode = text{"коды", "код", "code"}
	sayWho         = text{"кім", "кто", "who"}
	sayWhat        = text{"не", "что", "what"}
	sayWhen        = text{"қашан", "когда", "when"}
	sayOwed        = text{"төленуге тиіс", "к уплате", "owed"}
	sayPaidColumn  = text{"төленді", "уплачено", "paid"}
	saySummary     = text{"Қорытынды", "Итог", "Summary"}
	sayStep        = text{"қадам", "шаг", "step"}
	sayTook        = text{"уақыты", "время", "took"}
	sayTotal       = text{"барлығы", "всего", "total"}
)

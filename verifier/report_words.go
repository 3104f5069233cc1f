package verifier

import "github.com/senim-kz/senim/internal/fault"

// words are the sentences of the plain text report in one language. {0}, {1} …
// stand for values.
type words struct {
	document, judged            string // name, format, SHA-256; time, policy
	signature, counterSignature string // number, of how many, level, ID
	levels                      map[string]string

	signer, organization, certificate string // name; name; serial, issuer, from, until
	nobody, iin, bin                  string
	covers                            map[string]coverWords

	proven, unproven, claimed         string // time, authority; –; time
	stampPassed, stampRefused, noTime string // kind, time, authority
	kinds                             map[string]string

	algorithms       string // digest, signature
	errors, warnings string

	verdicts map[Indication]verdictWords
	reasons  map[SubIndication]string
}

// verdictWords say a verdict on one signature, and on {0} of which {1} have it.
type verdictWords struct{ one, many string }

// coverWords say what became of something that a signature covers: {0} bytes,
// digest {1}.
type coverWords struct{ intact, changed, missing, unknown string }

var wordsIn = map[fault.Language]*words{
	fault.English: {
		document:         "The file is {0} ({1}), SHA-256 {2}.",
		judged:           "It was judged as of {0} under the policy {1}.",
		signature:        "Signature {0} of {1}, {2}, {3}",
		counterSignature: "Counter-signature {0} of {1}, {2}, {3}",
		levels: map[string]string{
			"CMS": "plain CMS", "B": "level B", "T": "level T", "LT": "level LT", "LTA": "level LTA",
		},
		signer: "It was made by {0}", organization: ", for {0}", iin: "IIN", bin: "BIN",
		certificate: "The certificate {0} was issued by {1} and is valid from {2} to {3}.",
		nobody:      "Who made it could not be found out.",
		covers: map[string]coverWords{
			"content": {
				intact:  "It covers the whole content, {0} bytes, which has not been changed since ({1}).",
				changed: "The content, {0} bytes, is not the one that was signed: it was changed, or is another.",
				missing: "The content that it covers was not given.",
				unknown: "Whether the content is the one that was signed could not be checked: {1} is not supported.",
			},
			"signature": {
				intact:  "It covers the value of the signature above ({1}).",
				changed: "It covers the value of another signature than the one above.",
				missing: "The signature that it covers is not there.",
				unknown: "Whether it covers the signature above could not be checked: {1} is not supported.",
			},
		},
		proven:       "It was made no later than {0}: a time-stamp of {1} proves it.",
		unproven:     "No time-stamp proves when it was made.",
		claimed:      "The signer claims to have made it at {0}.",
		stampPassed:  "The {0} of {1}, by {2}, is valid",
		stampRefused: "The {0} of {1}, by {2}, does not count",
		noTime:       "an unknown time",
		kinds: map[string]string{
			"content": "time-stamp over the content", "signature": "time-stamp over the signature", "cades_c": "time-stamp over the signature and its references",
			"references": "time-stamp over the references", "archive": "archive time-stamp", "archive_v2": "archive time-stamp (version 2)",
			"archive_v1": "archive time-stamp (version 1)", "long_term_validation": "long-term validation time-stamp",
		},
		algorithms: "Its algorithms are {0} and {1}.",
		errors:     "The reasons:", warnings: "To be noted:",
		verdicts: map[Indication]verdictWords{
			TotalPassed:   {"The signature is valid", "All {0} signatures are valid"},
			TotalFailed:   {"The signature is not valid", "Not valid: {1} of {0} signatures"},
			Indeterminate: {"Whether the signature is valid cannot be said", "Neither valid nor invalid: {1} of {0} signatures"},
		},
		reasons: map[SubIndication]string{
			FormatFailure:            "it breaks the rules of its format",
			HashFailure:              "the document is not the one that was signed",
			SigCryptoFailure:         "the signature value does not belong to this signer and this document",
			RevokedFailure:           "the certificate was revoked before the signature was made",
			Expired:                  "the certificate had expired before the signature was made",
			NotYetValid:              "the signature was made before the certificate became valid",
			SigConstraintsFailure:    "it lacks something that the policy demands",
			ChainConstraintsFailure:  "the policy does not accept a certificate for this use",
			CertificateChainFailure:  "the certificate path breaks a rule",
			CryptoConstraintsFailure: "an algorithm or key size was no longer allowed when the signature was made",
			PolicyProcessingError:    "the signature policy that it names could not be processed",
			PolicyNotAvailable:       "the signature policy that it names is not at hand",
			TimestampOrderFailure:    "the times of its time-stamps contradict each other",
			NoSigningCertificate:     "the signer's certificate could not be found or told for certain",
			NoCertificateChain:       "no path leads from the signer's certificate to a trusted root",
			NoCertificateChainNoPOE:  "no path that is trusted now leads to the signer's certificate, and nothing proves that the signature is older",
			RevokedNoPOE:             "the certificate is revoked, and nothing proves that the signature is older",
			RevokedCANoPOE:           "a certificate authority is revoked, and nothing proves that the signature is older",
			OutOfBoundsNotRevoked:    "the certificate is outside its validity period; it was not revoked",
			OutOfBoundsNoPOE:         "a certificate is outside its validity period, and nothing proves that the signature is from within it",
			RevocationOutOfBounds:    "the certificate of who answered for revocation is outside its validity period",
			CryptoConstraintsNoPOE:   "an algorithm or key size is not supported or not allowed, and nothing proves that the signature is from when it was",
			NoPOE:                    "nothing proves that something existed before it lost its worth",
			TryLater:                 "whether a certificate is revoked could not be found out; it may be known later",
			SignedDataNotFound:       "the signed document was not given",
		},
	},
	fault.Russian: {
		document:         "Файл — {0} ({1}), SHA-256 {2}.",
		judged:           "Проверено на момент {0} по политике {1}.",
		signature:        "Подпись {0} из {1}, {2}, {3}",
		counterSignature: "Заверяющая подпись {0} из {1}, {2}, {3}",
		levels: map[string]string{
			"CMS": "обычная CMS", "B": "уровень B", "T": "уровень T", "LT": "уровень LT", "LTA": "уровень LTA",
		},
		signer: "Подписал(а) {0}", organization: ", от имени {0}", iin: "ИИН", bin: "БИН",
		certificate: "Сертификат {0} выдан {1} и действует с {2} по {3}.",
		nobody:      "Кто подписал, установить не удалось.",
		covers: map[string]coverWords{
			"content": {
				intact:  "Подпись охватывает всё содержимое, {0} байт; с тех пор оно не изменилось ({1}).",
				changed: "Содержимое, {0} байт, — не то, что было подписано: оно изменено, или это другой документ.",
				missing: "Содержимое, к которому относится подпись, не предоставлено.",
				unknown: "Проверить, что содержимое — то, что было подписано, не удалось: {1} не поддерживается.",
			},
			"signature": {
				intact:  "Она охватывает значение подписи, указанной выше ({1}).",
				changed: "Она охватывает значение другой подписи, а не указанной выше.",
				missing: "Подписи, к которой она относится, нет.",
				unknown: "Проверить, относится ли она к подписи выше, не удалось: {1} не поддерживается.",
			},
		},
		proven:       "Подпись создана не позднее {0}: это доказывает метка времени {1}.",
		unproven:     "Когда подпись создана, меткой времени не доказано.",
		claimed:      "Подписавший заявляет, что создал её {0}.",
		stampPassed:  "{0}, {1}, служба {2}: действительна",
		stampRefused: "{0}, {1}, служба {2}: не учтена",
		noTime:       "время неизвестно",
		kinds: map[string]string{
			"content": "Метка времени содержимого", "signature": "Метка времени подписи", "cades_c": "Метка времени подписи и ссылок",
			"references": "Метка времени ссылок", "archive": "Архивная метка времени", "archive_v2": "Архивная метка времени (версия 2)",
			"archive_v1": "Архивная метка времени (версия 1)", "long_term_validation": "Метка времени долгосрочной проверки",
		},
		algorithms: "Алгоритмы: {0} и {1}.",
		errors:     "Причины:", warnings: "Следует учесть:",
		verdicts: map[Indication]verdictWords{
			TotalPassed:   {"Подпись действительна", "Все подписи действительны: {0}"},
			TotalFailed:   {"Подпись недействительна", "Недействительны подписи: {1} из {0}"},
			Indeterminate: {"Признать подпись действительной или недействительной нельзя", "Нельзя признать ни действительными, ни недействительными: {1} из {0} подписей"},
		},
		reasons: map[SubIndication]string{
			FormatFailure:            "подпись нарушает правила своего формата",
			HashFailure:              "документ не тот, что был подписан",
			SigCryptoFailure:         "значение подписи не соответствует этому подписавшему и этому документу",
			RevokedFailure:           "сертификат был отозван до создания подписи",
			Expired:                  "срок действия сертификата истёк до создания подписи",
			NotYetValid:              "подпись создана до начала действия сертификата",
			SigConstraintsFailure:    "в подписи нет того, чего требует политика",
			ChainConstraintsFailure:  "политика не допускает сертификат для этой цели",
			CertificateChainFailure:  "цепочка сертификатов нарушает правила",
			CryptoConstraintsFailure: "алгоритм или длина ключа уже не допускались, когда подпись была создана",
			PolicyProcessingError:    "политику подписи, которую она называет, не удалось обработать",
			PolicyNotAvailable:       "политики подписи, которую она называет, нет",
			TimestampOrderFailure:    "времена меток противоречат друг другу",
			NoSigningCertificate:     "сертификат подписавшего не найден или не определён однозначно",
			NoCertificateChain:       "от сертификата подписавшего нет цепочки до доверенного корня",
			NoCertificateChainNoPOE:  "цепочки, которой доверяют сейчас, нет, и ничто не доказывает, что подпись создана раньше",
			RevokedNoPOE:             "сертификат отозван, и ничто не доказывает, что подпись создана раньше",
			RevokedCANoPOE:           "отозван удостоверяющий центр, и ничто не доказывает, что подпись создана раньше",
			OutOfBoundsNotRevoked:    "сертификат вне срока действия; он не был отозван",
			OutOfBoundsNoPOE:         "сертификат вне срока действия, и ничто не доказывает, что подпись создана в этот срок",
			RevocationOutOfBounds:    "сертификат того, кто сообщил об отзыве, вне срока действия",
			CryptoConstraintsNoPOE:   "алгоритм или длина ключа не поддерживается или не разрешены, и ничто не доказывает, что подпись создана, когда они допускались",
			NoPOE:                    "ничто не доказывает, что нечто существовало до того, как потеряло силу",
			TryLater:                 "не удалось узнать, отозван ли сертификат; возможно, это выяснится позже",
			SignedDataNotFound:       "подписанный документ не предоставлен",
		},
	},
	fault.Kazakh: {
		document:         "Файл — {0} ({1}), SHA-256 {2}.",
		judged:           "Ол {0} уақытына {1} саясаты бойынша тексерілді.",
		signature:        "{0}-қолтаңба ({1} ішінен), {2}, {3}",
		counterSignature: "{0}-растайтын қолтаңба ({1} ішінен), {2}, {3}",
		levels: map[string]string{
			"CMS": "жай CMS", "B": "B деңгейі", "T": "T деңгейі", "LT": "LT деңгейі", "LTA": "LTA деңгейі",
		},
		signer: "Қол қойған: {0}", organization: ", ұйым: {0}", iin: "ЖСН", bin: "БСН",
		certificate: "{0} сертификатын {1} берген, ол {2} бастап {3} дейін жарамды.",
		nobody:      "Кім қол қойғаны анықталмады.",
		covers: map[string]coverWords{
			"content": {
				intact:  "Қолтаңба бүкіл мазмұнды, {0} байтты қамтиды; содан бері ол өзгермеген ({1}).",
				changed: "Мазмұн, {0} байт, қол қойылғаны емес: ол өзгертілген немесе басқа құжат.",
				missing: "Қолтаңба қатысты мазмұн берілмеген.",
				unknown: "Мазмұнның қол қойылғаны екені тексерілмеді: {1} қолдауы жоқ.",
			},
			"signature": {
				intact:  "Ол жоғарыдағы қолтаңбаның мәнін қамтиды ({1}).",
				changed: "Ол жоғарыдағы емес, басқа қолтаңбаның мәнін қамтиды.",
				missing: "Ол қатысты қолтаңба жоқ.",
				unknown: "Оның жоғарыдағы қолтаңбаға қатысы тексерілмеді: {1} қолдауы жоқ.",
			},
		},
		proven:       "Қолтаңба {0} кешіктірілмей жасалған: мұны {1} уақыт белгісі дәлелдейді.",
		unproven:     "Қолтаңбаның қашан жасалғаны уақыт белгісімен дәлелденбеген.",
		claimed:      "Қол қоюшы оны {0} жасағанын мәлімдейді.",
		stampPassed:  "{0}, {1}, қызмет {2}: жарамды",
		stampRefused: "{0}, {1}, қызмет {2}: есепке алынбады",
		noTime:       "уақыты белгісіз",
		kinds: map[string]string{
			"content": "Мазмұнның уақыт белгісі", "signature": "Қолтаңбаның уақыт белгісі", "cades_c": "Қолтаңба мен сілтемелердің уақыт белгісі",
			"references": "Сілтемелердің уақыт белгісі", "archive": "Мұрағаттық уақыт белгісі", "archive_v2": "Мұрағаттық уақыт белгісі (2-нұсқа)",
			"archive_v1": "Мұрағаттық уақыт белгісі (1-нұсқа)", "long_term_validation": "Ұзақ мерзімді тексеру уақыт белгісі",
		},
		algorithms: "Алгоритмдері: {0} және {1}.",
		errors:     "Себептер:", warnings: "Ескерілсін:",
		verdicts: map[Indication]verdictWords{
			TotalPassed:   {"Қолтаңба жарамды", "Барлық {0} қолтаңба жарамды"},
			TotalFailed:   {"Қолтаңба жарамсыз", "Жарамсыз қолтаңба саны: {0} ішінен {1}"},
			Indeterminate: {"Қолтаңбаны жарамды не жарамсыз деп тануға болмайды", "Жарамды не жарамсыз деп тануға болмайтын қолтаңба саны: {0} ішінен {1}"},
		},
		reasons: map[SubIndication]string{
			FormatFailure:            "қолтаңба өз пішімінің ережелерін бұзады",
			HashFailure:              "құжат қол қойылған құжат емес",
			SigCryptoFailure:         "қолтаңба мәні осы қол қоюшы мен осы құжатқа сәйкес емес",
			RevokedFailure:           "сертификат қолтаңба жасалғанға дейін кері қайтарылған",
			Expired:                  "сертификаттың мерзімі қолтаңба жасалғанға дейін өткен",
			NotYetValid:              "қолтаңба сертификат күшіне енгенге дейін жасалған",
			SigConstraintsFailure:    "қолтаңбада саясат талап ететін бөлік жоқ",
			ChainConstraintsFailure:  "саясат сертификатты бұл мақсатта қабылдамайды",
			CertificateChainFailure:  "сертификаттар тізбегі ережені бұзады",
			CryptoConstraintsFailure: "алгоритмге не кілт ұзындығына қолтаңба жасалғанда енді рұқсат болмаған",
			PolicyProcessingError:    "қолтаңба атаған қолтаңба саясаты өңделмеді",
			PolicyNotAvailable:       "қолтаңба атаған қолтаңба саясаты жоқ",
			TimestampOrderFailure:    "уақыт белгілерінің уақыттары бір-біріне қайшы",
			NoSigningCertificate:     "қол қоюшының сертификаты табылмады немесе анық емес",
			NoCertificateChain:       "қол қоюшы сертификатынан сенімді түбірге дейін тізбек жоқ",
			NoCertificateChainNoPOE:  "қазір сенімді тізбек жоқ, ал қолтаңбаның одан бұрын жасалғаны дәлелденбеген",
			RevokedNoPOE:             "сертификат кері қайтарылған, ал қолтаңбаның одан бұрын жасалғаны дәлелденбеген",
			RevokedCANoPOE:           "куәландырушы орталық кері қайтарылған, ал қолтаңбаның одан бұрын жасалғаны дәлелденбеген",
			OutOfBoundsNotRevoked:    "сертификат өз мерзімінен тыс; ол кері қайтарылмаған",
			OutOfBoundsNoPOE:         "сертификат өз мерзімінен тыс, ал қолтаңбаның сол мерзімде жасалғаны дәлелденбеген",
			RevocationOutOfBounds:    "кері қайтару туралы жауап берушінің сертификаты өз мерзімінен тыс",
			CryptoConstraintsNoPOE:   "алгоритмге не кілт ұзындығына қолдау жоқ немесе рұқсат етілмеген, ал қолтаңбаның рұқсат болған кезде жасалғаны дәлелденбеген",
			NoPOE:                    "бір нәрсенің күшін жоғалтқанға дейін болғаны дәлелденбеген",
			TryLater:                 "сертификаттың кері қайтарылғаны белгісіз; кейін белгілі болуы мүмкін",
			SignedDataNotFound:       "қол қойылған құжат берілмеген",
		},
	},
}

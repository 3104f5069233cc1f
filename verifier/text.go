package verifier

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// words are the labels of the plain text report.
type words struct {
	file, document, policy, at                                string
	signature, signer, number, organisation, issuer, validity string
	algorithms, claimed, best, timestamp                      string
	errors, warnings, none                                    string

	indications map[Indication]string
	reasons     map[SubIndication]string
}

var wordsIn = map[fault.Language]words{
	fault.English: {
		file: "File", document: "SHA-256", policy: "Policy", at: "Judged at", signature: "Signature", signer: "Signer",
		number: "IIN / BIN", organisation: "Organisation", issuer: "Issued by", validity: "Certificate", algorithms: "Algorithms",
		claimed: "Claimed time", best: "Proven by", timestamp: "Time-stamp", errors: "Reasons", warnings: "Warnings", none: "none",
		indications: map[Indication]string{
			TotalPassed:   "the signature is valid",
			TotalFailed:   "the signature is not valid",
			Indeterminate: "the information at hand is not enough to call the signature valid or invalid",
		},
		reasons: map[SubIndication]string{
			FormatFailure:           "the signature breaks the rules of its format",
			HashFailure:             "the document is not the one that was signed",
			SigCryptoFailure:        "the signature value does not belong to this signer and this document",
			NotYetValid:             "the signature was made before the certificate became valid",
			SigConstraintsFailure:   "the signature lacks something that the policy demands",
			ChainConstraintsFailure: "the policy does not accept a certificate for this use",
			CertificateChainFailure: "the certificate path breaks a rule",
			CryptoConstraintsNoPOE:  "an algorithm or key size is not supported or not allowed",
			NoSigningCertificate:    "the signer's certificate could not be found or told for certain",
			NoCertificateChain:      "no path leads from the signer's certificate to a trusted root",
			RevokedNoPOE:            "the certificate is revoked, and nothing proves that the signature is older",
			RevokedCANoPOE:          "a certificate authority is revoked, and nothing proves that the signature is older",
			OutOfBoundsNotRevoked:   "the certificate is outside its validity period; it was not revoked",
			OutOfBoundsNoPOE:        "a certificate is outside its validity period, and nothing proves that the signature is from within it",
			TryLater:                "whether a certificate is revoked could not be found out; it may be known later",
			SignedDataNotFound:      "the signed document was not given",
		},
	},
	fault.Russian: {
		file: "Файл", document: "SHA-256", policy: "Политика", at: "Проверено на", signature: "Подпись", signer: "Подписал",
		number: "ИИН / БИН", organisation: "Организация", issuer: "Кем выдан", validity: "Сертификат", algorithms: "Алгоритмы",
		claimed: "Заявленное время", best: "Существует с", timestamp: "Метка времени", errors: "Причины", warnings: "Предупреждения", none: "нет",
		indications: map[Indication]string{
			TotalPassed:   "подпись действительна",
			TotalFailed:   "подпись недействительна",
			Indeterminate: "имеющихся сведений недостаточно, чтобы признать подпись действительной или недействительной",
		},
		reasons: map[SubIndication]string{
			FormatFailure:           "подпись нарушает правила своего формата",
			HashFailure:             "документ не тот, что был подписан",
			SigCryptoFailure:        "значение подписи не соответствует этому подписавшему и этому документу",
			NotYetValid:             "подпись создана до начала действия сертификата",
			SigConstraintsFailure:   "в подписи нет того, чего требует политика",
			ChainConstraintsFailure: "политика не допускает сертификат для этой цели",
			CertificateChainFailure: "цепочка сертификатов нарушает правила",
			CryptoConstraintsNoPOE:  "алгоритм или длина ключа не поддерживается или не разрешены",
			NoSigningCertificate:    "сертификат подписавшего не найден или не определён однозначно",
			NoCertificateChain:      "от сертификата подписавшего нет цепочки до доверенного корня",
			RevokedNoPOE:            "сертификат отозван, и ничто не доказывает, что подпись создана раньше",
			RevokedCANoPOE:          "отозван удостоверяющий центр, и ничто не доказывает, что подпись создана раньше",
			OutOfBoundsNotRevoked:   "сертификат вне срока действия; он не был отозван",
			OutOfBoundsNoPOE:        "сертификат вне срока действия, и ничто не доказывает, что подпись создана в этот срок",
			TryLater:                "не удалось узнать, отозван ли сертификат; возможно, это выяснится позже",
			SignedDataNotFound:      "подписанный документ не предоставлен",
		},
	},
	fault.Kazakh: {
		file: "Файл", document: "SHA-256", policy: "Саясат", at: "Тексеру уақыты", signature: "Қолтаңба", signer: "Қол қойған",
		number: "ЖСН / БСН", organisation: "Ұйым", issuer: "Берген", validity: "Сертификат", algorithms: "Алгоритмдер",
		claimed: "Мәлімделген уақыт", best: "Дәлелденген уақыт", timestamp: "Уақыт белгісі", errors: "Себептер", warnings: "Ескертулер", none: "жоқ",
		indications: map[Indication]string{
			TotalPassed:   "қолтаңба жарамды",
			TotalFailed:   "қолтаңба жарамсыз",
			Indeterminate: "қолтаңбаны жарамды не жарамсыз деп тану үшін мәлімет жеткіліксіз",
		},
		reasons: map[SubIndication]string{
			FormatFailure:           "қолтаңба өз пішімінің ережелерін бұзады",
			HashFailure:             "құжат қол қойылған құжат емес",
			SigCryptoFailure:        "қолтаңба мәні осы қол қоюшы мен осы құжатқа сәйкес емес",
			NotYetValid:             "қолтаңба сертификат күшіне енгенге дейін жасалған",
			SigConstraintsFailure:   "қолтаңбада саясат талап ететін бөлік жоқ",
			ChainConstraintsFailure: "саясат сертификатты бұл мақсатта қабылдамайды",
			CertificateChainFailure: "сертификаттар тізбегі ережені бұзады",
			CryptoConstraintsNoPOE:  "алгоритмге не кілт ұзындығына қолдау жоқ немесе рұқсат етілмеген",
			NoSigningCertificate:    "қол қоюшының сертификаты табылмады немесе анық емес",
			NoCertificateChain:      "қол қоюшы сертификатынан сенімді түбірге дейін тізбек жоқ",
			RevokedNoPOE:            "сертификат кері қайтарылған, ал қолтаңбаның одан бұрын жасалғаны дәлелденбеген",
			RevokedCANoPOE:          "куәландырушы орталық кері қайтарылған, ал қолтаңбаның одан бұрын жасалғаны дәлелденбеген",
			OutOfBoundsNotRevoked:   "сертификаттың мерзімі тыс; ол кері қайтарылмаған",
			OutOfBoundsNoPOE:        "сертификаттың мерзімі тыс, ал қолтаңбаның сол мерзімде жасалғаны дәлелденбеген",
			TryLater:                "сертификаттың кері қайтарылғаны белгісіз; кейін белгілі болуы мүмкін",
			SignedDataNotFound:      "қол қойылған құжат берілмеген",
		},
	},
}

// WriteText writes the report for people. IINs are masked, and names are
// printed without the distinguished name that holds them.
func (r *Report) WriteText(w io.Writer, l fault.Language) error {
	words, ok := wordsIn[l]
	if !ok {
		l, words = fault.English, wordsIn[fault.English]
	}
	out := &textWriter{w: bufio.NewWriter(w), words: words}
	out.line(0, words.file, r.File+" ("+r.Format+")")
	out.line(0, words.document, r.SHA256)
	out.line(0, words.policy, r.Policy)
	out.line(0, words.at, r.ValidationTime)
	out.verdict(0, r.Indication, r.SubIndication)
	for _, s := range r.In(l).Signatures {
		out.signature(s, len(r.Signatures) > 1)
	}
	return out.w.Flush()
}

type textWriter struct {
	w     *bufio.Writer
	words words
}

// line writes a label and a value, nothing if there is no value. Values come
// from the document: control characters do not reach the terminal.
func (t *textWriter) line(indent int, label, value string) {
	if value == "" {
		return
	}
	value = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, value)
	fmt.Fprintf(t.w, "%s%s: %s\n", strings.Repeat("  ", indent), label, value)
}

func (t *textWriter) verdict(indent int, i Indication, sub SubIndication) {
	label := string(i)
	if sub != "" {
		label += " / " + string(sub)
	}
	text := t.words.indications[i]
	if reason := t.words.reasons[sub]; reason != "" {
		text += ": " + reason
	}
	t.line(indent, label, text)
}

// signature writes one signature. The verdict on the only one is the
// document's, and stands there.
func (t *textWriter) signature(s SignatureReport, withVerdict bool) {
	w := t.words
	fmt.Fprintln(t.w)
	t.line(0, w.signature, s.ID+", "+s.Level)
	if withVerdict {
		t.verdict(1, s.Indication, s.SubIndication)
	}
	t.line(1, w.signer, s.Signer.CommonName)
	t.line(1, w.organisation, s.Signer.Organization)
	t.line(1, w.number, numbers(s.Signer))
	t.line(1, w.issuer, s.Signer.IssuerName)
	if s.Signer.Certificate != "" {
		t.line(1, w.validity, fmt.Sprintf("%s, %s … %s", s.Signer.Serial, s.Signer.NotBefore, s.Signer.NotAfter))
	}
	t.line(1, w.algorithms, s.Algorithms.Digest+", "+s.Algorithms.Signature)
	t.line(1, w.claimed, s.ClaimedTime)
	if len(s.Timestamps) == 0 {
		t.line(1, w.timestamp, w.none)
	}
	for _, ts := range s.Timestamps {
		verdict := string(ts.Indication)
		if ts.SubIndication != "" {
			verdict += " / " + string(ts.SubIndication)
		}
		t.line(1, w.timestamp, fmt.Sprintf("%s, %s, %s", ts.Time, verdict, ts.AuthorityName))
	}
	if s.proven() {
		t.line(1, w.best, s.BestSignatureTime)
	}
	t.messages(w.errors, s.Errors)
	t.messages(w.warnings, s.Warnings)
}

// proven reports whether a time-stamp gives the best signature time.
func (s SignatureReport) proven() bool {
	for _, ts := range s.Timestamps {
		if ts.Indication == Passed {
			return true
		}
	}
	return false
}

func numbers(s SignerReport) string {
	var both []string
	if s.IIN != "" {
		both = append(both, kz.IIN(s.IIN).String())
	}
	if s.BIN != "" {
		both = append(both, s.BIN)
	}
	return strings.Join(both, " / ")
}

func (t *textWriter) messages(label string, list []Message) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(t.w, "  %s:\n", label)
	for _, m := range list {
		text := m.Message
		if m.Detail != "" {
			text += " (" + m.Detail + ")"
		}
		t.line(2, string(m.Code), text)
	}
}

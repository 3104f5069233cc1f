package assess

import (
	"fmt"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/charge/tariff"
	"github.com/senim-kz/senim/payments/money"
)

// names of the kinds of payment, by decision 378 in Russian.
var names = map[charge.Kind]tariff.Texts{
	charge.CustomsFee:      {KK: "Кедендік алым", RU: "Таможенный сбор", EN: "Customs fee"},
	charge.ImportDuty:      {KK: "Кедендік әкелу бажы", RU: "Ввозная таможенная пошлина", EN: "Import customs duty"},
	charge.SpecialDuty:     {KK: "Арнайы баж", RU: "Специальная пошлина", EN: "Special duty"},
	charge.AntiDumpingDuty: {KK: "Демпингке қарсы баж", RU: "Антидемпинговая пошлина", EN: "Anti-dumping duty"},
	charge.CountervailDuty: {KK: "Өтемақы бажы", RU: "Компенсационная пошлина", EN: "Countervailing duty"},
	charge.Excise:          {KK: "Акциз", RU: "Акциз", EN: "Excise"},
	charge.ImportVAT:       {KK: "Импортқа ҚҚС", RU: "НДС на импорт", EN: "Import VAT"},
}

// words are the phrases of an explanation.
type words struct {
	of, value, plus, atLeast, greater, share, by, bank, ground, from, until string
}

var phrases = map[fault.Language]words{
	fault.Kazakh: {
		of: "%s%% × %s", value: "кедендік құн %s", plus: "%s + %s", atLeast: "кемінде %s болуы тиіс", greater: "көбі алынды: %s",
		share: "жеңілдік: %s × %s%% = %s", by: "%s %s × %s %s", bank: "Ұлттық Банктің бағамы: %d %s = %s ₸, %s",
		ground: "Негізі: %s, %s", from: "%s күнінен бастап қолданылады", until: "%s – %s аралығында қолданылады",
	},
	fault.Russian: {
		of: "%s%% × %s", value: "таможенная стоимость %s", plus: "%s + %s", atLeast: "но не менее %s", greater: "взято большее: %s",
		share: "преференция: %s × %s%% = %s", by: "%s %s × %s %s", bank: "Курс Национального Банка: %d %s = %s ₸ на %s",
		ground: "Основание: %s, %s", from: "действует с %s", until: "действует с %s по %s",
	},
	fault.English: {
		of: "%s%% × %s", value: "customs value %s", plus: "%s + %s", atLeast: "but not less than %s", greater: "the greater is taken: %s",
		share: "preference: %s × %s%% = %s", by: "%s %s × %s %s", bank: "National Bank's rate: %d %s = %s ₸ on %s",
		ground: "Ground: %s, %s", from: "in force from %s", until: "in force from %s to %s",
	},
}

// Explain writes the computation so that it can be followed with a pencil, in
// one language.
func (l *Line) Explain(language fault.Language) string {
	w, ok := phrases[language]
	if !ok {
		w, language = phrases[fault.English], fault.English
	}
	sentences := []string{nameOf(l).In(language) + ": " + w.computation(l, language)}
	for _, x := range quotes(l) {
		sentences = append(sentences, fmt.Sprintf(w.bank, x.Units, x.Currency, x.Tenge, x.Day))
	}
	sentences = append(sentences, w.grounds(l.Measure))
	if l.Ordinary != nil {
		sentences = append(sentences, w.grounds(l.Ordinary))
	}
	return strings.Join(sentences, ". ") + "."
}

// quotes lists the exchange rates that the computation shows, each once.
func quotes(l *Line) []*money.Exchange {
	var shown []*money.Exchange
	b, r := l.basis, l.result
	if l.Base != 0 && b.exchange != nil {
		shown = append(shown, b.exchange)
	}
	if r.exchange != nil && (len(shown) == 0 || shown[0].Currency != r.exchange.Currency) {
		shown = append(shown, r.exchange)
	}
	return shown
}

func nameOf(l *Line) tariff.Texts {
	if l.Kind == charge.StateServiceFee {
		return l.Measure.Name
	}
	return names[l.Kind]
}

func (w words) computation(l *Line, language fault.Language) string {
	b, r := l.basis, l.result
	m, whole := l.Measure, l.Amount
	if l.Ordinary != nil {
		m, whole = l.Ordinary, r.whole
	}
	percent := fmt.Sprintf(w.of, m.Rate.Percent, w.base(b, language))
	perUnit := fmt.Sprintf(w.by, m.Rate.Amount, m.Rate.Currency, r.quantity, m.Rate.Unit.Name().In(language))
	var text string
	switch m.Rate.Form {
	case tariff.AdValorem:
		text = percent + " = " + whole.Display()
	case tariff.Specific:
		text = perUnit + " = " + whole.Display()
	case tariff.Plus:
		text = fmt.Sprintf(w.plus, percent, perUnit) + " = " +
			fmt.Sprintf(w.plus, r.percent.Display(), r.specific.Display()) + " = " + whole.Display()
	case tariff.AtLeast:
		text = percent + " = " + r.percent.Display() + ", " +
			fmt.Sprintf(w.atLeast, perUnit+" = "+r.specific.Display()) + "; " + fmt.Sprintf(w.greater, whole.Display())
	}
	if l.Ordinary != nil {
		text += "; " + fmt.Sprintf(w.share, whole.Display(), l.Measure.Rate.Percent, l.Amount.Display())
	}
	return text
}

// base names what the percentage is taken of.
func (w words) base(b basis, language fault.Language) string {
	value := b.value.Display()
	if x := b.exchange; x != nil {
		value = fmt.Sprintf("%s (%s %s)", value, b.declared, x.Currency)
	}
	text := fmt.Sprintf(w.value, value)
	if len(b.added) == 0 {
		return text
	}
	for _, t := range b.added {
		text = fmt.Sprintf(w.plus, text, strings.ToLower(names[t.kind].In(language))+" "+t.amount.Display())
	}
	return "(" + text + " = " + b.total.Display() + ")"
}

func (w words) grounds(m *tariff.Measure) string {
	days := fmt.Sprintf(w.from, m.From)
	if !m.To.IsZero() {
		days = fmt.Sprintf(w.until, m.From, m.To)
	}
	return fmt.Sprintf(w.ground, m.Ground+" ("+m.ID+")", days)
}

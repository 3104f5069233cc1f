package pshep

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

// words of the bank's pages.
type words struct {
	Title, Warning, Payer, Beneficiary, Kind, BudgetCode, Identifier, Amount, Total, Pay, Paid, Expired, Missing string
	Hold, Fail, Reverse, Withdrawn, Code, Act, Dead                                                              string
}

var language = map[fault.Language]words{
	fault.Kazakh: {
		Title: "Төлем", Warning: "Бұл — сынақ банкі, ақша қозғалмайды.", Payer: "Төлеушінің БСН", Beneficiary: "Алушы",
		Kind: "Төлем түрі", BudgetCode: "БСК", Identifier: "Төлем нөмірі", Amount: "Сома", Total: "Барлығы",
		Pay: "Төлеу", Paid: "Төленді", Expired: "Шоттың мерзімі өтті", Missing: "Мұндай шот жоқ",
		Hold: "Бұғаттау", Fail: "Ақша жетпейді", Reverse: "Төлемді қайтарып алу", Withdrawn: "Шот кері қайтарылды",
		Code: "QR бойынша төлем", Act: "Әрекет", Dead: "Кодтың мерзімі өтті",
	},
	fault.Russian: {
		Title: "Оплата", Warning: "Это учебный банк, деньги не движутся.", Payer: "БИН плательщика", Beneficiary: "Получатель",
		Kind: "Вид платежа", BudgetCode: "КБК", Identifier: "Номер платежа", Amount: "Сумма", Total: "Итого",
		Pay: "Оплатить", Paid: "Оплачено", Expired: "Срок счёта истёк", Missing: "Такого счёта нет",
		Hold: "Заблокировать", Fail: "Не хватает денег", Reverse: "Отозвать платёж", Withdrawn: "Счёт отозван",
		Code: "Оплата по QR", Act: "Действие", Dead: "Срок кода истёк",
	},
	fault.English: {
		Title: "Payment", Warning: "This is a sandbox bank; no money moves.", Payer: "Payer's BIN", Beneficiary: "Beneficiary",
		Kind: "Kind", BudgetCode: "Budget code", Identifier: "Payment identifier", Amount: "Amount", Total: "Total",
		Pay: "Pay", Paid: "Paid", Expired: "The bill has expired", Missing: "There is no such bill",
		Hold: "Hold", Fail: "Too little money", Reverse: "Take the payment back", Withdrawn: "The bill was withdrawn",
		Code: "Payment by QR", Act: "Act", Dead: "The code is dead",
	},
}

const pageHead = `<!doctype html>
<html lang="{{.Language}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Words.Title}}</title>
<style>body{font:16px/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}td:last-child,th:last-child{text-align:right}button,input{font:inherit;padding:.5rem 1rem}nav a{margin-right:1rem}</style>
<nav><a href="?lang=kk" lang="kk">Қазақша</a><a href="?lang=ru" lang="ru">Русский</a><a href="?lang=en" lang="en">English</a></nav>
`

// page is the bill. The first button pays what the field says, or what is owed
// yet; the others are what else a bank does.
var page = template.Must(template.New("bill").Parse(pageHead + `<h1>{{.Words.Title}}</h1><p><em>{{.Words.Warning}}</em></p>
{{with .Bill}}<p>{{$.Words.Payer}}: {{.Payer}}</p>
<table><tr><th>{{$.Words.Kind}}</th><th>{{$.Words.BudgetCode}}</th><th>{{$.Words.Beneficiary}}</th><th>{{$.Words.Identifier}}</th><th>{{$.Words.Amount}}</th></tr>
{{range .Lines}}<tr><td>{{.Kind}}</td><td>{{.BudgetCode}}</td><td>{{.Requisites.Name}}</td><td>{{.Identifier.Print}}</td><td>{{.Amount.Display}}</td></tr>
{{end}}<tr><th colspan="4">{{$.Words.Total}}</th><th>{{.Amount.Display}}</th></tr>
{{if $.Paid}}<tr><th colspan="4">{{$.Words.Paid}}</th><th>{{$.Paid.Display}}</th></tr>{{end}}</table>{{end}}
{{if .Notice}}<p role="status"><strong>{{.Notice}}</strong></p>{{else}}<form method="post"><input type="hidden" name="lang" value="{{.Language}}">
<p><label>{{.Words.Amount}} <input name="amount" inputmode="decimal" autocomplete="off"></label></p>
<p><button>{{.Words.Pay}}</button> <button name="act" value="authorise">{{.Words.Hold}}</button> <button name="act" value="fail">{{.Words.Fail}}</button></p></form>{{end}}
{{if .Paid}}<form method="post"><input type="hidden" name="lang" value="{{.Language}}"><p><button name="act" value="reverse">{{.Words.Reverse}}</button></p></form>{{end}}
</html>
`))

// codePage is what a payer's phone would show.
var codePage = template.Must(template.New("code").Parse(pageHead + `<h1>{{.Words.Code}}</h1><p><em>{{.Words.Warning}}</em></p>
{{with .Code}}<p>{{$.Words.Total}}: {{.Request.Amount.Display}}</p><p><strong>{{.Status}}</strong></p>{{end}}
{{if .Notice}}<p role="status"><strong>{{.Notice}}</strong></p>{{end}}
{{if .Acts}}<form method="post"><input type="hidden" name="lang" value="{{.Language}}"><p>{{.Words.Act}}: {{range .Acts}}<button name="act" value="{{.}}">{{.}}</button> {{end}}</p></form>{{end}}
</html>
`))

type view struct {
	Language fault.Language
	Words    words
	Bill     *gateway.Bill
	Paid     money.Tiyn
	Code     *code
	Acts     []ActName
	Notice   string
}

func viewOf(r *http.Request) view {
	tag := r.FormValue("lang")
	if tag == "" {
		tag = r.Header.Get("Accept-Language")
	}
	v := view{Language: fault.ParseLanguage(tag)}
	v.Words = language[v.Language]
	return v
}

// refusals of an act that the page shows by itself.
var shown = []fault.Code{fault.OrderExpired, fault.OrderNotFound, fault.OrderState, fault.OrderPaidAlready}

func (g *Gateway) showBill(w http.ResponseWriter, r *http.Request) {
	id, _ := uuid.Parse(r.PathValue("order")) // no order has the zero UUID
	v, status := viewOf(r), http.StatusOK
	g.mu.Lock()
	if b := g.register.Bills[id.String()]; b == nil {
		v.Notice, status = v.Words.Missing, http.StatusNotFound
	} else {
		shownBill := b.Bill
		v.Bill, v.Paid = &shownBill, g.paid(id)
		switch {
		case g.owed(b) <= 0:
			v.Notice = v.Words.Paid
		case b.Cancelled:
			v.Notice, status = v.Words.Withdrawn, http.StatusGone
		case g.config.Now().After(b.Bill.ExpiresAt):
			v.Notice, status = v.Words.Expired, http.StatusGone
		}
	}
	g.mu.Unlock()
	write(w, page, status, v)
}

// payBill does what the button says, and shows the bill.
func (g *Gateway) payBill(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, orderBytesMax)
	id, err := uuid.Parse(r.PathValue("order"))
	if err != nil {
		g.showBill(w, r)
		return
	}
	a := Act{Name: ActName(r.PostFormValue("act")), Order: id}
	if text := r.PostFormValue("amount"); text != "" {
		if a.Tiyn, err = money.Parse(text); err != nil || a.Tiyn <= 0 {
			http.Error(w, "the amount is not a positive number of tenge", http.StatusBadRequest)
			return
		}
	}
	if a.Name == "" && a.Tiyn == 0 {
		err = g.Pay(id)
	} else {
		a.Name = cmp.Or(a.Name, Pay)
		err = g.Do(a)
	}
	if err != nil && !slices.Contains(shown, fault.CodeOf(err)) {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	g.showBill(w, r)
}

func (g *Gateway) showCode(w http.ResponseWriter, r *http.Request) {
	v, status := viewOf(r), http.StatusOK
	g.mu.Lock()
	if c := g.register.Codes[r.PathValue("code")]; c == nil {
		v.Notice, status = v.Words.Missing, http.StatusNotFound
	} else {
		shownCode := *c
		v.Code = &shownCode
		for _, name := range []ActName{Scan, Block, Settle, Reject, Close, Return} {
			if slices.Contains(codeActs[name].from, c.Status) {
				v.Acts = append(v.Acts, name)
			}
		}
		if c.Status == gateway.QRNew && g.config.Now().After(c.Request.ExpiresAt) {
			v.Notice, v.Acts, status = v.Words.Dead, []ActName{Close}, http.StatusGone
		}
	}
	g.mu.Unlock()
	write(w, codePage, status, v)
}

func (g *Gateway) moveCode(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, orderBytesMax)
	id, err := uuid.Parse(r.PathValue("code"))
	if err == nil && id != uuid.Nil {
		err = g.Do(Act{Name: ActName(r.PostFormValue("act")), QR: id})
	}
	if err != nil && !slices.Contains(shown, fault.CodeOf(err)) {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	g.showCode(w, r)
}

func write(w http.ResponseWriter, t *template.Template, status int, v view) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = t.Execute(w, v) // whoever left gets no answer
}

package pshep

import (
	"html/template"
	"net/http"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/gateway"
)

// words of the bank's page.
type words struct {
	Title, Warning, Payer, Beneficiary, Kind, BudgetCode, Identifier, Amount, Total, Pay, Paid, Expired, Missing string
}

var language = map[fault.Language]words{
	fault.Kazakh: {
		Title: "Төлем", Warning: "Бұл — сынақ банкі, ақша қозғалмайды.", Payer: "Төлеушінің БСН", Beneficiary: "Алушы",
		Kind: "Төлем түрі", BudgetCode: "БСК", Identifier: "Төлем нөмірі", Amount: "Сома", Total: "Барлығы",
		Pay: "Төлеу", Paid: "Төленді", Expired: "Шоттың мерзімі өтті", Missing: "Мұндай шот жоқ",
	},
	fault.Russian: {
		Title: "Оплата", Warning: "Это учебный банк, деньги не движутся.", Payer: "БИН плательщика", Beneficiary: "Получатель",
		Kind: "Вид платежа", BudgetCode: "КБК", Identifier: "Номер платежа", Amount: "Сумма", Total: "Итого",
		Pay: "Оплатить", Paid: "Оплачено", Expired: "Срок счёта истёк", Missing: "Такого счёта нет",
	},
	fault.English: {
		Title: "Payment", Warning: "This is a sandbox bank; no money moves.", Payer: "Payer's BIN", Beneficiary: "Beneficiary",
		Kind: "Kind", BudgetCode: "Budget code", Identifier: "Payment identifier", Amount: "Amount", Total: "Total",
		Pay: "Pay", Paid: "Paid", Expired: "The bill has expired", Missing: "There is no such bill",
	},
}

var page = template.Must(template.New("bill").Parse(`<!doctype html>
<html lang="{{.Language}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Words.Title}}</title>
<style>body{font:16px/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}td:last-child,th:last-child{text-align:right}button{font:inherit;padding:.5rem 2rem}nav a{margin-right:1rem}</style>
<nav><a href="?lang=kk" lang="kk">Қазақша</a><a href="?lang=ru" lang="ru">Русский</a><a href="?lang=en" lang="en">English</a></nav>
<h1>{{.Words.Title}}</h1><p><em>{{.Words.Warning}}</em></p>
{{with .Bill}}<p>{{$.Words.Payer}}: {{.Payer}}</p>
<table><tr><th>{{$.Words.Kind}}</th><th>{{$.Words.BudgetCode}}</th><th>{{$.Words.Beneficiary}}</th><th>{{$.Words.Identifier}}</th><th>{{$.Words.Amount}}</th></tr>
{{range .Lines}}<tr><td>{{.Kind}}</td><td>{{.BudgetCode}}</td><td>{{.Requisites.Name}}</td><td>{{.Identifier.Print}}</td><td>{{.Amount.Display}}</td></tr>
{{end}}<tr><th colspan="4">{{$.Words.Total}}</th><th>{{.Amount.Display}}</th></tr></table>{{end}}
{{if .Notice}}<p role="status"><strong>{{.Notice}}</strong></p>{{else}}<form method="post"><input type="hidden" name="lang" value="{{.Language}}"><p><button>{{.Words.Pay}}</button></form>{{end}}
</html>
`))

type view struct {
	Language fault.Language
	Words    words
	Bill     *gateway.Bill
	Notice   string
}

func (g *Gateway) showBill(w http.ResponseWriter, r *http.Request) {
	g.show(w, r, g.billOf(r.PathValue("order")))
}

func (g *Gateway) payBill(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, controlBytesMax)
	id, err := uuid.Parse(r.PathValue("order"))
	if err == nil {
		err = g.Pay(id)
	}
	if err != nil && !fault.Is(err, fault.OrderExpired) && !fault.Is(err, fault.OrderNotFound) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	g.show(w, r, g.billOf(id.String()))
}

// show writes the page of a bill, or that there is none.
func (g *Gateway) show(w http.ResponseWriter, r *http.Request, b *bill) {
	tag := r.FormValue("lang")
	if tag == "" {
		tag = r.Header.Get("Accept-Language")
	}
	v := view{Language: fault.ParseLanguage(tag)}
	v.Words = language[v.Language]
	status := http.StatusOK
	switch {
	case b == nil:
		v.Notice, status = v.Words.Missing, http.StatusNotFound
	case b.Paid:
		v.Notice = v.Words.Paid
	case g.config.Now().After(b.Bill.ExpiresAt):
		v.Notice, status = v.Words.Expired, http.StatusGone
	}
	if b != nil {
		v.Bill = &b.Bill
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = page.Execute(w, v) // whoever left gets no answer
}

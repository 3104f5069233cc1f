package epay

import (
	"html/template"
	"net/http"

	"github.com/senim-kz/senim/internal/fault"
)

// words of the page.
type words struct{ Title, Warning, Invoice, Amount, Pay, Hold, Fail, Status, Missing string }

var language = map[fault.Language]words{
	fault.Kazakh: {
		Title: "Картамен төлеу", Warning: "Бұл — сынақ беті, ақша қозғалмайды.", Invoice: "Шот", Amount: "Сома",
		Pay: "Төлеу", Hold: "Бұғаттау", Fail: "Карта қабылданбайды", Status: "Күйі", Missing: "Мұндай шот жоқ",
	},
	fault.Russian: {
		Title: "Оплата картой", Warning: "Это учебная страница, деньги не движутся.", Invoice: "Счёт", Amount: "Сумма",
		Pay: "Оплатить", Hold: "Заблокировать", Fail: "Карта отклонена", Status: "Состояние", Missing: "Такого счёта нет",
	},
	fault.English: {
		Title: "Payment by card", Warning: "This is a sandbox page; no money moves.", Invoice: "Invoice", Amount: "Amount",
		Pay: "Pay", Hold: "Hold", Fail: "The card is declined", Status: "Status", Missing: "There is no such invoice",
	},
}

var page = template.Must(template.New("invoice").Parse(`<!doctype html>
<html lang="{{.Language}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Words.Title}}</title>
<style>body{font:16px/1.5 sans-serif;max-width:30rem;margin:2rem auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem}nav a{margin-right:1rem}</style>
<nav><a href="?lang=kk" lang="kk">Қазақша</a><a href="?lang=ru" lang="ru">Русский</a><a href="?lang=en" lang="en">English</a></nav>
<h1>{{.Words.Title}}</h1><p><em>{{.Words.Warning}}</em></p>
{{with .Invoice}}<p>{{$.Words.Invoice}} {{.Number}}</p><p>{{$.Words.Amount}}: {{.Amount.Display}}</p>{{with .Status}}<p role="status">{{$.Words.Status}}: <strong>{{.}}</strong></p>{{end}}
{{if $.Payable}}<form method="post"><input type="hidden" name="lang" value="{{$.Language}}"><p><button name="act" value="pay">{{$.Words.Pay}}</button> <button name="act" value="hold">{{$.Words.Hold}}</button> <button name="act" value="fail">{{$.Words.Fail}}</button></p></form>{{end}}
{{else}}<p role="status"><strong>{{.Words.Missing}}</strong></p>{{end}}
</html>
`))

type view struct {
	Language fault.Language
	Words    words
	Invoice  *invoice
	Payable  bool
}

func (g *Gateway) payInvoice(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, orderBytesMax)
	err := g.Do(Act{Name: ActName(r.PostFormValue("act")), Invoice: r.PathValue("invoice")})
	if err != nil && !fault.Is(err, fault.OrderNotFound) && !fault.Is(err, fault.OrderState) {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.showInvoice(w, r)
}

// showInvoice writes the page of an invoice, or that there is none.
func (g *Gateway) showInvoice(w http.ResponseWriter, r *http.Request) {
	tag := r.FormValue("lang")
	if tag == "" {
		tag = r.Header.Get("Accept-Language")
	}
	v, status := view{Language: fault.ParseLanguage(tag)}, http.StatusNotFound
	v.Words = language[v.Language]
	g.mu.Lock()
	if known := g.register.Invoices[r.PathValue("invoice")]; known != nil {
		i := *known
		v.Invoice, status = &i, http.StatusOK
		v.Payable = i.Status == "" || i.Status == statusFailed || i.Status == statusCancel
	}
	g.mu.Unlock()
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = page.Execute(w, v) // whoever left gets no answer
}

package report

import (
	"time"

	"github.com/senim-kz/senim/internal/kz"
)

// exceptions lists the cases of the period's days. What a bank wrote stands
// there only where it has the form of what it should be: a payment identifier,
// or a BIN, whose fifth digit is never an IIN's.
var exceptions = Report{
	Name:  "exceptions",
	Title: Title{"Ерекше жағдайлар", "Исключения", "Exceptions"},
	Columns: []Column{
		{Name: "day", Kind: Date, Title: titleDay},
		{Name: "case", Kind: Text, Title: Title{"Жағдай", "Случай", "Case"}},
		{Name: "reason", Kind: Text, Title: Title{"Себебі", "Причина", "Reason"}, words: reasonWords},
		{Name: "state", Kind: Text, Title: titleState, words: caseStates},
		{Name: "resolution", Kind: Text, Title: Title{"Шешімі", "Решение", "Resolution"}, words: resolutions},
		{Name: "age_business_days", Kind: Count, Title: Title{"Жасы, жұмыс күні", "Возраст, рабочих дней", "Age, business days"}},
		{Name: "identifier", Kind: Text, Title: titleIdentifier},
		{Name: "budget_code", Kind: Text, Title: titleBudgetCode},
		{Name: "payer", Kind: Text, Title: titlePayer},
		{Name: "gateway", Kind: Text, Title: titleGateway},
		{Name: "place", Kind: Text, Title: Title{"Үзінді көшірмедегі орны", "Место в выписке", "Place in the statement"}},
		{Name: "expected", Kind: Amount, Title: Title{"Күтілгені", "Ожидалось", "Expected"}, Summed: true},
		{Name: "amount", Kind: Amount, Title: Title{"Сомасы", "Сумма", "Amount"}, Summed: true},
		{Name: "open", Kind: Amount, Title: Title{"Шешілмегені", "Не решено", "Unresolved"}, Summed: true},
	},
	period: thisHalfYear,
	args: func(r Request) []any {
		days, elapsed := elapsedDays(r)
		return []any{r.Period.From, r.Period.To, days, elapsed}
	},
	query: `
		WITH elapsed AS (SELECT * FROM unnest($3::date[], $4::bigint[]) AS e (day, days))
		SELECT c.day, c.id::text, c.reason, c.state, c.resolution, CASE WHEN c.state IN ('open', 'proposed') THEN coalesce(e.days, 0) ELSE 0 END,
		       CASE WHEN s.identifier ~ '^[0-9]{17}$' THEN s.identifier ELSE c.identifier END,
		       coalesce(nullif(s.budget_code, ''), c.expected_budget_code),
		       CASE WHEN s.payer ~ '^[0-9]{4}[4-6][0-9]{7}$' THEN s.payer ELSE '' END,
		       c.gateway, coalesce(s.place, b.place, ''), c.expected_amount, c.amount,
		       CASE WHEN c.state IN ('open', 'proposed') THEN c.amount ELSE 0 END
		  FROM reconcile_case c
		  LEFT JOIN statement_line s ON s.id = c.line_id
		  LEFT JOIN statement_bad_line b ON b.file_id = c.file_id AND b.position = c.file_position
		  LEFT JOIN elapsed e ON e.day = c.day
		 WHERE c.day BETWEEN $1 AND $2
		 ORDER BY c.day, c.id`,
}

// elapsedDays gives, for each day from the period's first to that of the
// report, how many business days have passed since.
func elapsedDays(r Request) (days []time.Time, elapsed []int64) {
	passed := int64(0)
	for day := kz.DayOf(r.At); !day.Before(r.Period.From); day = day.AddDays(-1) {
		days, elapsed = append(days, day.Start()), append(elapsed, passed)
		if r.Calendar.IsBusiness(day) {
			passed++
		}
	}
	return days, elapsed
}

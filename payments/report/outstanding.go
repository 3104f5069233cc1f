package report

// openLines are the lines of orders drawn up in the period of which something
// is still owed at the moment of the report, with their ages in business days.
// Neither a cancelled nor a refunded order owes anything, nor one of which the
// rest was let go.
const openLines = `
	WITH elapsed AS (SELECT * FROM unnest($4::date[], $5::bigint[]) AS e (day, days)),
	open_line AS (
		SELECT o.id AS order_id, o.payer_bin, l.revenue_office AS office, l.budget_code AS code, l.identifier, o.state, x.made, x.due,
		       coalesce(a.days, 0) AS age, CASE WHEN o.expires_at > $3 THEN NULL ELSE coalesce(d.days, 0) END AS late,
		       l.amount AS owed, x.paid, l.amount - x.paid AS open
		  FROM payment_order o
		  JOIN payment_line l ON l.order_id = o.id AND l.recorded_at = o.recorded_at
		 CROSS JOIN LATERAL (SELECT coalesce(o.paid[l.position + 1], 0) AS paid, (o.recorded_at AT TIME ZONE 'Asia/Almaty')::date AS made,
		                            (o.expires_at AT TIME ZONE 'Asia/Almaty')::date AS due) x
		  LEFT JOIN elapsed a ON a.day = x.made
		  LEFT JOIN elapsed d ON d.day = x.due
		 WHERE o.recorded_at >= $1 AND o.recorded_at < $2 AND o.state NOT IN ('cancelled', 'refunded') AND o.tolerated = 0 AND l.amount > x.paid)`

// openArgs are the parameters of openLines.
func openArgs(r Request) []any {
	days, elapsed := elapsedDays(r)
	return append(instants(r), r.At, days, elapsed)
}

// buckets name the ages, by the business days since the order's time was over.
var buckets = wordsOf(map[string]Title{
	"current": {"мерзімі өтпеген", "срок не истёк", "not due"},
	"0-5":     {"0–5 күн", "0–5 дней", "0–5 days"},
	"6-10":    {"6–10 күн", "6–10 дней", "6–10 days"},
	"11-30":   {"11–30 күн", "11–30 дней", "11–30 days"},
	"over_30": {"30 күннен астам", "более 30 дней", "over 30 days"},
})

const bucketOf = `CASE WHEN late IS NULL THEN 'current' WHEN late <= 5 THEN '0-5' WHEN late <= 10 THEN '6-10' WHEN late <= 30 THEN '11-30' ELSE 'over_30' END`

// outstanding lists what is owed and not paid, line by line.
var outstanding = Report{
	Name:  "outstanding",
	Title: Title{"Төленбеген міндеттемелер", "Неоплаченные обязательства", "Outstanding"},
	Columns: []Column{
		{Name: "order", Kind: Text, Title: titleOrder},
		{Name: "identifier", Kind: Text, Title: titleIdentifier},
		{Name: "payer", Kind: Text, Title: titlePayer},
		{Name: "revenue_office", Kind: Text, Title: titleOffice},
		{Name: "budget_code", Kind: Text, Title: titleBudgetCode},
		{Name: "state", Kind: Text, Title: titleState, words: orderStates},
		{Name: "drawn_up", Kind: Date, Title: Title{"Ұсынылған күні", "Выставлен", "Drawn up"}},
		{Name: "due", Kind: Date, Title: Title{"Мерзімі", "Срок", "Due"}},
		{Name: "age_business_days", Kind: Count, Title: Title{"Жасы, жұмыс күні", "Возраст, рабочих дней", "Age, business days"}},
		{Name: "overdue", Kind: Text, Title: Title{"Кешіктірілгені, жұмыс күні", "Просрочка, рабочих дней", "Overdue, business days"}, words: buckets},
		{Name: "owed", Kind: Amount, Title: titleOwed, Summed: true},
		{Name: "paid", Kind: Amount, Title: titlePaid, Summed: true},
		{Name: "outstanding", Kind: Amount, Title: titleOpen, Summed: true},
	},
	period: lastYear,
	args:   openArgs,
	query: openLines + `
		SELECT order_id::text, identifier, payer_bin, office, code, state, made, due, age, ` + bucketOf + `, owed, paid, open
		  FROM open_line ORDER BY made, identifier COLLATE "C"`,
}

// ageing adds the same lines up by how long they are overdue.
var ageing = Report{
	Name:  "ageing",
	Title: Title{"Берешектің жасы", "Возраст задолженности", "Ageing"},
	Columns: []Column{
		{Name: "overdue", Kind: Text, Title: Title{"Кешіктірілгені, жұмыс күні", "Просрочка, рабочих дней", "Overdue, business days"}, words: buckets},
		{Name: "revenue_office", Kind: Text, Title: titleOffice},
		{Name: "budget_code", Kind: Text, Title: titleBudgetCode},
		{Name: "lines", Kind: Count, Title: titleLines, Summed: true},
		{Name: "owed", Kind: Amount, Title: titleOwed, Summed: true},
		{Name: "paid", Kind: Amount, Title: titlePaid, Summed: true},
		{Name: "outstanding", Kind: Amount, Title: titleOpen, Summed: true},
	},
	period: lastYear,
	args:   openArgs,
	query: openLines + `
		SELECT bucket, office, code, count(*), sum(owed)::bigint, sum(paid)::bigint, sum(open)::bigint
		  FROM (SELECT *, ` + bucketOf + ` AS bucket FROM open_line) b
		 GROUP BY bucket, office, code
		 ORDER BY array_position(ARRAY['current', '0-5', '6-10', '11-30', 'over_30'], bucket), office COLLATE "C", code COLLATE "C"`,
}

package report

// reconciliation is the daily reconciliation: what the statements show, and how
// much of it is matched with what was paid and, negative, paid back. A row's office is that of the
// orders' lines; money that is matched with none, or with a payer's advance,
// has none.
var reconciliation = Report{
	Name:  "reconciliation",
	Title: Title{"Күнделікті салыстыру", "Ежедневная сверка", "Daily reconciliation"},
	Columns: []Column{
		{Name: "day", Kind: Date, Title: titleDay},
		{Name: "state", Kind: Text, Title: titleState, words: dayStates},
		{Name: "budget_code", Kind: Text, Title: titleBudgetCode},
		{Name: "revenue_office", Kind: Text, Title: titleOffice},
		{Name: "matched_parts", Kind: Count, Title: Title{"Сәйкестіктер", "Сопоставлений", "Matches"}, Summed: true},
		{Name: "matched", Kind: Amount, Title: Title{"Сәйкес келгені", "Сопоставлено", "Matched"}, Summed: true},
		{Name: "unmatched_lines", Kind: Count, Title: Title{"Сәйкессіз жолдар", "Строк без пары", "Unmatched lines"}, Summed: true},
		{Name: "unmatched", Kind: Amount, Title: Title{"Сәйкес келмегені", "Не сопоставлено", "Unmatched"}, Summed: true},
		{Name: "shown", Kind: Amount, Title: Title{"Үзінді көшірме бойынша", "По выписке", "On the statement"}, Summed: true},
		{Name: "open_exceptions", Kind: Count, Title: Title{"Ашық ерекше жағдайлар", "Открытых исключений", "Open exceptions"}, Summed: true},
	},
	period: yesterday,
	args:   days,
	query: `
		WITH part AS (
			SELECT s.booking_day AS day, s.budget_code, coalesce(l.revenue_office, '') AS office, count(*) AS matched_parts, sum(m.amount) AS matched,
			       0::bigint AS unmatched_lines, 0::numeric AS unmatched, 0::bigint AS cases
			  FROM statement_match m
			  JOIN statement_line s ON s.id = m.line_id AND s.booked AND s.booking_day BETWEEN $1 AND $2
			  LEFT JOIN payment_line l ON l.order_id = m.order_id AND l.position = m.position
			 WHERE m.booking_day BETWEEN $1 AND $2
			 GROUP BY 1, 2, 3
			UNION ALL
			SELECT s.booking_day, s.budget_code, '', 0, 0, count(*), sum(s.amount - coalesce(a.amount, 0)), 0
			  FROM statement_line s
			  LEFT JOIN (SELECT line_id, sum(amount) AS amount FROM statement_match WHERE booking_day BETWEEN $1 AND $2 GROUP BY line_id) a ON a.line_id = s.id
			 WHERE s.booked AND s.booking_day BETWEEN $1 AND $2 AND s.amount <> coalesce(a.amount, 0)
			 GROUP BY 1, 2
			UNION ALL
			SELECT c.day, coalesce(nullif(s.budget_code, ''), c.expected_budget_code), '', 0, 0, 0, 0, 1
			  FROM reconcile_case c LEFT JOIN statement_line s ON s.id = c.line_id
			 WHERE c.day BETWEEN $1 AND $2 AND c.state IN ('open', 'proposed'))
		SELECT p.day, coalesce(d.state, 'open'), p.budget_code, p.office, sum(p.matched_parts)::bigint, sum(p.matched)::bigint,
		       sum(p.unmatched_lines)::bigint, sum(p.unmatched)::bigint, sum(p.matched + p.unmatched)::bigint, sum(p.cases)::bigint
		  FROM part p LEFT JOIN reconcile_day d ON d.day = p.day
		 GROUP BY p.day, d.state, p.budget_code, p.office
		 ORDER BY p.day, p.budget_code COLLATE "C", p.office COLLATE "C"`,
}

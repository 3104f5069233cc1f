package report

// halfYear is the summary by month, office and budget code. Each amount stands
// in the month in which it happened: owed when the order was drawn up, paid and
// refunded on the ledger's day, matched on the statement's, exceptions on the
// day they are listed under. So a row is no balance of one order, and each
// column is what the ledger, the statements and the cases say of the month.
var halfYear = Report{
	Name:  "half-year",
	Title: Title{"Жартыжылдық жиынтық", "Полугодовая сводка", "Half-yearly summary"},
	Columns: []Column{
		{Name: "month", Kind: Text, Title: Title{"Ай", "Месяц", "Month"}},
		{Name: "revenue_office", Kind: Text, Title: titleOffice},
		{Name: "budget_code", Kind: Text, Title: titleBudgetCode},
		{Name: "owed", Kind: Amount, Title: titleOwed, Summed: true},
		{Name: "paid", Kind: Amount, Title: titlePaid, Summed: true},
		{Name: "let_go", Kind: Amount, Title: titleLetGo, Summed: true},
		{Name: "refunded", Kind: Amount, Title: titleRefunded, Summed: true},
		{Name: "matched", Kind: Amount, Title: Title{"Сәйкес келгені", "Сопоставлено", "Matched"}, Summed: true},
		{Name: "exceptions", Kind: Count, Title: titleCases, Summed: true},
		{Name: "exceptions_amount", Kind: Amount, Title: Title{"Ерекше жағдайлардың сомасы", "Сумма исключений", "Amount of exceptions"}, Summed: true},
	},
	period: thisHalfYear,
	args:   func(r Request) []any { return append(days(r), instants(r)...) },
	query: `
		WITH part (day, office, code, owed, paid, let_go, refunded, matched, cases, case_amount) AS (
			SELECT (o.recorded_at AT TIME ZONE 'Asia/Almaty')::date, l.revenue_office, l.budget_code, l.amount,
			       0::bigint, 0::bigint, 0::bigint, 0::bigint, 0, 0::bigint
			  FROM payment_order o JOIN payment_line l ON l.order_id = o.id AND l.recorded_at = o.recorded_at
			 WHERE o.recorded_at >= $3 AND o.recorded_at < $4 AND o.state <> 'cancelled'
			UNION ALL
			SELECT e.day, split_part(p.account, ':', 2), split_part(p.account, ':', 3), 0,
			       CASE WHEN e.kind IN ('refund', 'refund_failed') THEN 0 ELSE -p.amount END, 0,
			       CASE WHEN e.kind IN ('refund', 'refund_failed') THEN p.amount ELSE 0 END, 0, 0, 0
			  FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
			 WHERE e.day BETWEEN $1 AND $2 AND p.account LIKE 'budget:%'
			UNION ALL
			SELECT e.day, '', split_part(p.account, ':', 2), 0, 0, p.amount, 0, 0, 0, 0
			  FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
			 WHERE e.day BETWEEN $1 AND $2 AND p.account LIKE 'tolerance:%'
			UNION ALL
			SELECT m.booking_day, coalesce(l.revenue_office, ''), coalesce(l.budget_code, ''), 0, 0, 0, 0, m.amount, 0, 0
			  FROM statement_match m LEFT JOIN payment_line l ON l.order_id = m.order_id AND l.position = m.position
			 WHERE m.booking_day BETWEEN $1 AND $2
			UNION ALL
			SELECT c.day, coalesce(l.revenue_office, ''), coalesce(l.budget_code, nullif(s.budget_code, ''), c.expected_budget_code), 0, 0, 0, 0, 0, 1, c.amount
			  FROM reconcile_case c
			  LEFT JOIN payment_line l ON l.order_id = c.order_id AND l.position = c.position
			  LEFT JOIN statement_line s ON s.id = c.line_id
			 WHERE c.day BETWEEN $1 AND $2 AND c.state <> 'cleared')
		SELECT to_char(day, 'YYYY-MM') AS month, office, code, sum(owed)::bigint, sum(paid)::bigint, sum(let_go)::bigint, sum(refunded)::bigint,
		       sum(matched)::bigint, sum(cases)::bigint, sum(case_amount)::bigint
		  FROM part
		 GROUP BY 1, office, code
		 ORDER BY 1, office COLLATE "C", code COLLATE "C"`,
}

package report

// received is what the ledger's budget accounts were credited with, by office
// and budget code, and how it came about. The tolerance accounts, which have no
// office, stand in rows without one, and their money was not received: the sum
// of the column credited is what the budget accounts moved by in the period,
// that of let_go what the tolerance accounts did.
var received = Report{
	Name:  "received",
	Title: Title{"БСК және МКБ бойынша түсімдер", "Поступления по КБК и УГД", "Received by budget code and revenue office"},
	Columns: []Column{
		{Name: "revenue_office", Kind: Text, Title: titleOffice},
		{Name: "budget_code", Kind: Text, Title: titleBudgetCode},
		{Name: "payments", Kind: Amount, Title: Title{"Төлемдер", "Платежи", "Payments"}, Summed: true},
		{Name: "advances", Kind: Amount, Title: Title{"Аванстан", "Из аванса", "From advances"}, Summed: true},
		{Name: "reversals", Kind: Amount, Title: Title{"Күшін жою", "Отмены", "Reversals"}, Summed: true},
		{Name: "refunds", Kind: Amount, Title: Title{"Қайтарымдар", "Возвраты", "Refunds"}, Summed: true},
		{Name: "corrections", Kind: Amount, Title: Title{"Түзетулер", "Исправления", "Corrections"}, Summed: true},
		{Name: "credited", Kind: Amount, Title: Title{"Есепке алынды", "Зачтено", "Credited"}, Summed: true},
		{Name: "let_go", Kind: Amount, Title: titleLetGo, Summed: true},
		{Name: "received", Kind: Amount, Title: Title{"Түсті", "Поступило", "Received"}, Summed: true},
	},
	period: yesterday,
	args:   days,
	query: `
		WITH moved AS (
			SELECT split_part(p.account, ':', 1) AS sort,
			       CASE WHEN p.account LIKE 'budget:%' THEN split_part(p.account, ':', 2) ELSE '' END AS office,
			       CASE WHEN p.account LIKE 'budget:%' THEN split_part(p.account, ':', 3) ELSE split_part(p.account, ':', 2) END AS code,
			       e.kind, p.amount
			  FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
			 WHERE e.day BETWEEN $1 AND $2 AND (p.account LIKE 'budget:%' OR p.account LIKE 'tolerance:%'))
		SELECT office, code,
		       coalesce(-sum(amount) FILTER (WHERE sort = 'budget' AND kind = 'payment'), 0)::bigint,
		       coalesce(-sum(amount) FILTER (WHERE sort = 'budget' AND kind = 'advance_use'), 0)::bigint,
		       coalesce(-sum(amount) FILTER (WHERE sort = 'budget' AND kind = 'reversal'), 0)::bigint,
		       coalesce(-sum(amount) FILTER (WHERE sort = 'budget' AND kind IN ('refund', 'refund_failed')), 0)::bigint,
		       coalesce(-sum(amount) FILTER (WHERE sort = 'budget' AND kind NOT IN ('payment', 'advance_use', 'reversal', 'refund', 'refund_failed')), 0)::bigint,
		       coalesce(-sum(amount) FILTER (WHERE sort = 'budget'), 0)::bigint,
		       coalesce(sum(amount) FILTER (WHERE sort = 'tolerance'), 0)::bigint,
		       -sum(amount)::bigint
		  FROM moved
		 GROUP BY office, code
		 ORDER BY office COLLATE "C", code COLLATE "C"`,
}

// fees is what the gateways kept for their service, by the ledger's fee
// accounts. Where none is posted the report has no rows, and its total is zero.
var fees = Report{
	Name:  "fees",
	Title: Title{"Шлюздердің комиссиясы", "Комиссии шлюзов", "Gateway fees"},
	Columns: []Column{
		{Name: "day", Kind: Date, Title: titleDay},
		{Name: "gateway", Kind: Text, Title: titleGateway},
		{Name: "postings", Kind: Count, Title: Title{"Өткізулер", "Проводок", "Postings"}, Summed: true},
		{Name: "charged", Kind: Amount, Title: Title{"Ұсталды", "Удержано", "Charged"}, Summed: true},
		{Name: "given_back", Kind: Amount, Title: Title{"Қайтарылды", "Возвращено", "Given back"}, Summed: true},
		{Name: "fee", Kind: Amount, Title: Title{"Комиссия", "Комиссия", "Fee"}, Summed: true},
	},
	period: thisHalfYear,
	args:   days,
	query: `
		SELECT e.day, split_part(p.account, ':', 2), count(*), sum(greatest(p.amount, 0))::bigint, sum(-least(p.amount, 0))::bigint, sum(p.amount)::bigint
		  FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at
		 WHERE e.day BETWEEN $1 AND $2 AND p.account LIKE 'fees:%'
		 GROUP BY e.day, p.account
		 ORDER BY e.day, p.account COLLATE "C"`,
}

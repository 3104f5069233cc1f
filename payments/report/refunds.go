package report

// refunds lists the refunds asked for in the period, with what became of their
// money: of each, its amount stands in one of the three columns beside it.
var refunds = Report{
	Name:  "refunds",
	Title: Title{"Қайтарымдар", "Возвраты", "Refunds"},
	Columns: []Column{
		{Name: "refund", Kind: Text, Title: Title{"Қайтарым", "Возврат", "Refund"}},
		{Name: "order", Kind: Text, Title: titleOrder},
		{Name: "payer", Kind: Text, Title: titlePayer},
		{Name: "gateway", Kind: Text, Title: titleGateway},
		{Name: "state", Kind: Text, Title: titleState, words: refundStates},
		{Name: "failure", Kind: Text, Title: Title{"Орындалмау себебі", "Причина неисполнения", "Failure"}, words: reasonWords},
		{Name: "asked_on", Kind: Date, Title: Title{"Сұралған күні", "Запрошен", "Asked"}},
		{Name: "due", Kind: Date, Title: Title{"Мерзімі", "Срок", "Due"}},
		{Name: "decided_on", Kind: Date, Title: Title{"Шешілген күні", "Решение", "Decided"}},
		{Name: "ended_on", Kind: Date, Title: Title{"Аяқталған күні", "Завершён", "Ended"}},
		{Name: "amount", Kind: Amount, Title: Title{"Сомасы", "Сумма", "Amount"}, Summed: true},
		{Name: "executed", Kind: Amount, Title: titleRefunded, Summed: true},
		{Name: "under_way", Kind: Amount, Title: Title{"Орындалуда", "В работе", "Under way"}, Summed: true},
		{Name: "not_refunded", Kind: Amount, Title: Title{"Қайтарылмайды", "Не возвращается", "Not refunded"}, Summed: true},
		{Name: "of_advance", Kind: Amount, Title: Title{"Соның ішінде аванстан", "В том числе из аванса", "Of it from the advance"}, Summed: true},
	},
	period: thisHalfYear,
	args:   instants,
	query: `
		SELECT id::text, order_id::text, payer_bin, gateway, state, failure, (recorded_at AT TIME ZONE 'Asia/Almaty')::date, due,
		       (decided_at AT TIME ZONE 'Asia/Almaty')::date, (ended_at AT TIME ZONE 'Asia/Almaty')::date, amount,
		       CASE WHEN state = 'executed' THEN amount ELSE 0 END, CASE WHEN state IN ('asked', 'approved') THEN amount ELSE 0 END,
		       CASE WHEN state IN ('rejected', 'failed') THEN amount ELSE 0 END, credit
		  FROM payment_refund
		 WHERE recorded_at >= $1 AND recorded_at < $2
		 ORDER BY recorded_at, id`,
}

package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

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

// pastLines are openLines as they were at an earlier moment. What was paid is
// what the ledger put on the budget accounts for the order until then, refunds
// left out; the order's time, and its state, are those of its events. Of lines
// of one order under one office and code the first are paid first, as orders
// do.
const pastLines = `
	WITH elapsed AS (SELECT * FROM unnest($4::date[], $5::bigint[]) AS e (day, days)),
	put AS (
		SELECT o.id AS order_id, p.account, -sum(p.amount)::bigint AS amount
		  FROM payment_order o
		  JOIN ledger_entry e ON e.transaction_id = o.transaction_id AND e.recorded_at BETWEEN o.recorded_at AND $3
		   AND e.recorded_at >= $1 AND e.kind NOT IN ('refund', 'refund_failed')
		  JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at AND p.account LIKE 'budget:%'
		 WHERE o.recorded_at >= $1 AND o.recorded_at < least($2, $3)
		 GROUP BY 1, 2),
	open_line AS (
		SELECT o.id AS order_id, o.payer_bin, l.revenue_office AS office, l.budget_code AS code, l.identifier,
		       CASE WHEN h.refunding THEN 'refunding' WHEN m.any_paid THEN 'partially_paid' WHEN h.state IN ('draft', 'pending', 'authorised', 'expired') THEN h.state ELSE 'presented' END AS state,
		       x.made, x.due, coalesce(a.days, 0) AS age, CASE WHEN h.expires_at > $3 THEN NULL ELSE coalesce(d.days, 0) END AS late,
		       l.amount AS owed, l.paid, l.amount - l.paid AS open
		  FROM payment_order o
		 CROSS JOIN LATERAL (
			SELECT coalesce(sum(p.amount), 0) > 0 AS any_paid FROM put p WHERE p.order_id = o.id) m
		 CROSS JOIN LATERAL (
			SELECT l.*, greatest(0, least(l.amount, coalesce(p.amount, 0) - (sum(l.amount) OVER same - l.amount)))::bigint AS paid
			  FROM payment_line l LEFT JOIN put p ON p.order_id = l.order_id AND p.account = 'budget:' || l.revenue_office || ':' || l.budget_code
			 WHERE l.order_id = o.id AND l.recorded_at = o.recorded_at
			WINDOW same AS (PARTITION BY l.revenue_office, l.budget_code ORDER BY l.position)) l
		 CROSS JOIN LATERAL (
			SELECT coalesce((SELECT (v.data ->> 'expires_at')::timestamptz FROM events v
			                  WHERE o.presentations > 1 AND v.transaction_id = o.transaction_id AND v.type IN ('order.created', 'order.presented')
			                    AND v.at <= $3 AND v.data ->> 'order_id' = o.id::text ORDER BY v.sequence DESC LIMIT 1), o.expires_at) AS expires_at,
			       (SELECT CASE v.type WHEN 'order.created' THEN 'draft' WHEN 'order.presented' THEN 'presented' WHEN 'order.expired' THEN 'expired' ELSE v.data ->> 'order_state' END
			          FROM events v
			         WHERE v.transaction_id = o.transaction_id AND v.at <= $3 AND v.data ->> 'order_id' = o.id::text
			           AND (v.type IN ('order.created', 'order.presented', 'order.expired') OR v.data ->> 'order_state' IS NOT NULL)
			         ORDER BY v.sequence DESC LIMIT 1) AS state,
			       EXISTS (SELECT FROM payment_refund r WHERE r.order_id = o.id AND r.decided_at <= $3 AND r.state IN ('approved', 'executed', 'failed')
			                  AND (r.ended_at IS NULL OR r.ended_at > $3)) AS refunding,
			       o.state = 'cancelled' AND EXISTS (SELECT FROM events v WHERE v.transaction_id = o.transaction_id AND v.type = 'order.cancelled' AND v.at <= $3
			                  AND v.data ->> 'order_id' = o.id::text) AS cancelled,
			       o.state = 'refunded' AND (SELECT max(r.ended_at) FROM payment_refund r WHERE r.order_id = o.id AND r.state = 'executed') <= $3 AS refunded) h
		 CROSS JOIN LATERAL (SELECT (o.recorded_at AT TIME ZONE 'Asia/Almaty')::date AS made, (h.expires_at AT TIME ZONE 'Asia/Almaty')::date AS due) x
		  LEFT JOIN elapsed a ON a.day = x.made
		  LEFT JOIN elapsed d ON d.day = x.due
		 WHERE o.recorded_at >= $1 AND o.recorded_at < least($2, $3) AND NOT h.cancelled AND NOT h.refunded AND l.amount > l.paid)`

// checkHistory refuses a report of the past if what is kept does not tell it:
// what the ledger says was paid on the orders of the period is not what they
// say, or an order that was cancelled or presented again has no such events, as
// of one that an earlier version kept.
func checkHistory(ctx context.Context, q postgres.Querier, r *Request) error {
	var order string
	err := q.QueryRow(ctx, `
		WITH put AS (
			SELECT o.id, -sum(p.amount) AS amount
			  FROM payment_order o
			  JOIN ledger_entry e ON e.transaction_id = o.transaction_id AND e.recorded_at >= o.recorded_at AND e.kind NOT IN ('refund', 'refund_failed')
			  JOIN ledger_posting p ON p.entry_id = e.id AND p.recorded_at = e.recorded_at AND p.account LIKE 'budget:%'
			 WHERE o.recorded_at >= $1 AND o.recorded_at < $2 AND o.state NOT IN ('cancelled', 'refunded')
			 GROUP BY 1)
		SELECT o.id::text
		  FROM payment_order o LEFT JOIN put ON put.id = o.id
		 WHERE o.recorded_at >= $1 AND o.recorded_at < $2
		   AND (o.state NOT IN ('cancelled', 'refunded') AND coalesce(put.amount, 0) <> (SELECT coalesce(sum(u), 0) FROM unnest(o.paid) u) + o.tolerated
		     OR o.state = 'cancelled' AND NOT EXISTS (SELECT FROM events v WHERE v.transaction_id = o.transaction_id AND v.type = 'order.cancelled'
		                                                 AND v.data ->> 'order_id' = o.id::text)
		     OR o.presentations > 1 AND NOT EXISTS (SELECT FROM events v WHERE v.transaction_id = o.transaction_id AND v.type = 'order.created'
		                                                 AND v.data ->> 'order_id' = o.id::text))
		 ORDER BY o.recorded_at LIMIT 1`, instants(*r)...).Scan(&order)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("look at the history of the orders: %w", postgres.Classify(err))
	}
	return fault.New(fault.ReportHistoryMissing, "/as_of", "what is kept of the order %s, and perhaps of others, does not tell what it was on an earlier day", order)
}

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
	query:  openLines + listOpen,
	past:   pastLines + listOpen,
}

const listOpen = `
		SELECT order_id::text, identifier, payer_bin, office, code, state, made, due, age, ` + bucketOf + `, owed, paid, open
		  FROM open_line ORDER BY made, identifier COLLATE "C"`

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
	query:  openLines + addOpen,
	past:   pastLines + addOpen,
}

const addOpen = `
		SELECT bucket, office, code, count(*), sum(owed)::bigint, sum(paid)::bigint, sum(open)::bigint
		  FROM (SELECT *, ` + bucketOf + ` AS bucket FROM open_line) b
		 GROUP BY bucket, office, code
		 ORDER BY array_position(ARRAY['current', '0-5', '6-10', '11-30', 'over_30'], bucket), office COLLATE "C", code COLLATE "C"`

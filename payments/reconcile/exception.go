package reconcile

import (
	"context"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// except finds what is not agreed and brings the cases up to it.
func (r *run) except(ctx context.Context) (err error) {
	if r.overdue, err = r.lastShown(ctx); err != nil {
		return err
	}
	for _, s := range []string{wrongTable, wrongLines, wrongOthers, lateLines, badLines, wrongFacts, missingDues, missingRefunds, failedRefunds, `ANALYZE wrong`} {
		if err := r.exec(ctx, s); err != nil {
			return err
		}
	}
	for _, s := range []string{openCases, clearCases} {
		if _, err := r.tx.Exec(ctx, r.literals(s), r.id, r.at); err != nil {
			return err
		}
	}
	return nil
}

// lastShown is the last day of which the statements should show every payment
// by now. It follows from the statements, not from the clock.
func (r *run) lastShown(ctx context.Context) (kz.Day, error) {
	var last kz.Day
	if err := r.tx.QueryRow(ctx, `SELECT max(booking_day) FROM statement_line`).Scan(&last); err != nil {
		return dayZero, err
	}
	if last.IsZero() {
		return dayZero, nil
	}
	day := last
	for r.Calendar.Add(day, missingAfter).After(last) {
		day = day.AddDays(-1)
	}
	return day, nil
}

// reasons are the codes that the statements below give.
var reasons = map[string]fault.Code{
	"not_booked": fault.NotBooked, "returned": fault.PaymentReturned, "debit": fault.DebitEntry, "duplicate": fault.DuplicatePayment,
	"amount": fault.AmountDiffers, "code": fault.WrongBudgetCode, "office": fault.WrongOffice, "not_posted": fault.NotPosted,
	"ambiguous": fault.AmbiguousMatch, "nameless": fault.MissingIdentifier, "unknown": fault.UnknownIdentifier,
	"late": fault.LateEntry, "missing": fault.PaymentMissing, "refund_returned": fault.RefundReturned, "refund_not_ordered": fault.RefundNotOrdered,
	"refund_missing": fault.RefundMissing, "refund_failed": fault.RefundFailed,
}

// wrongLines are the credits that nothing was found for. The due that one
// names, by the identifier or else the declaration, is what it is compared
// with.
var wrongLines = `
	INSERT INTO wrong
	SELECT 'line:' || s.line_id, s.booking_day,
	       CASE WHEN EXISTS (SELECT FROM duplicate x WHERE x.line_id = s.line_id) THEN {duplicate}
	            WHEN d.order_id IS NULL AND EXISTS (SELECT FROM ambiguous x WHERE x.line_id = s.line_id) THEN {ambiguous}
	            WHEN d.order_id IS NULL AND s.identifier = '' THEN {nameless}
	            WHEN d.order_id IS NULL THEN {unknown}
	            WHEN s.amount NOT IN (d.amount, d.paid) THEN {amount}
	            WHEN s.budget_code NOT IN ('', d.budget_code) THEN {code}
	            WHEN NOT (` + sameOffice("s", "d") + `) THEN {office}
	            WHEN d.paid = 0 OR s.amount > d.paid THEN {not_posted}
	            WHEN EXISTS (SELECT FROM ambiguous x WHERE x.line_id = s.line_id) THEN {ambiguous}
	            ELSE {duplicate} END,
	       s.amount, s.line_id, d.order_id, d.position, '', '', NULL, NULL, coalesce(d.identifier, ''), coalesce(d.amount, 0), coalesce(d.budget_code, '')
	  FROM rest_line s
	  LEFT JOIN LATERAL (
		SELECT l.order_id, l.position, l.identifier, l.amount, l.budget_code, l.revenue_office, l.beneficiary_bin AS office_bin, coalesce(p.paid[l.position + 1], 0) AS paid
		  FROM (SELECT i.identifier, i.recorded_at FROM payment_identifier i WHERE i.identifier = s.identifier
		        UNION ALL
		        SELECT l.identifier, l.recorded_at
		          FROM payment_order o JOIN payment_line l ON l.order_id = o.id AND l.recorded_at = o.recorded_at
		         WHERE s.named IS NULL AND s.numbered AND o.declaration = s.declaration) i
		  JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
		  JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at
		 ORDER BY l.budget_code = s.budget_code DESC, l.amount = s.amount DESC, l.identifier
		 LIMIT 1) d ON true`

const (
	wrongTable = `
	CREATE TEMPORARY TABLE wrong (subject text, day date, reason text, amount bigint, line_id uuid, order_id uuid, position smallint,
		gateway text, reference text, file_id uuid, file_position int, identifier text, expected_amount bigint, expected_budget_code text, refund_id uuid) ON COMMIT DROP`

	// wrongOthers are the lines that are neither a payment nor a refund; one that
	// moves nothing is nobody's matter. The refund that one names, or whose order's
	// line, is what it is compared with.
	wrongOthers = `
	INSERT INTO wrong
	SELECT 'line:' || s.line_id, s.booking_day,
	       CASE WHEN NOT s.booked THEN {not_booked}
	            WHEN s.back AND NOT s.debit THEN CASE WHEN r.id IS NULL THEN {returned} ELSE {refund_returned} END
	            WHEN EXISTS (SELECT FROM duplicate x WHERE x.line_id = s.line_id) THEN {duplicate}
	            WHEN EXISTS (SELECT FROM ambiguous x WHERE x.line_id = s.line_id) THEN {ambiguous}
	            WHEN r.state NOT IN ('approved', 'executed') THEN {refund_not_ordered}
	            WHEN s.debit AND r.id IS NOT NULL AND NOT EXISTS (SELECT FROM rest_refund d WHERE d.order_id = r.id) THEN {duplicate}
	            WHEN s.debit AND s.amount IN (SELECT d.amount FROM rest_refund d WHERE d.order_id = r.id) THEN {code}
	            WHEN s.debit AND r.id IS NOT NULL THEN {amount}
	            WHEN s.back THEN {returned}
	            ELSE {debit} END,
	       s.moved, s.line_id, coalesce(r.order_id, l.order_id), l.position, '', '', NULL, NULL, coalesce(l.identifier, ''),
	       coalesce(r.amount, l.amount, 0), coalesce(l.budget_code, ''), r.id
	  FROM other_line s
	  LEFT JOIN payment_identifier i ON i.identifier = s.identifier
	  LEFT JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
	  LEFT JOIN named_refund n ON n.line_id = s.line_id
	  LEFT JOIN payment_refund r ON r.id = coalesce(n.refund_id,
	       (SELECT min(d.order_id::text)::uuid FROM rest_refund d WHERE s.debit AND d.identifier = nullif(s.identifier, '')))
	 WHERE s.moved <> 0 AND NOT EXISTS (SELECT FROM found_refund f WHERE f.line_id = s.line_id)`

	// lateLines came after their day was closed: when it was, each of its lines
	// had a match or a case. An import that the closing did not see may have
	// begun before it.
	lateLines = `
	INSERT INTO wrong
	SELECT 'line:' || s.id, {next}, {late}, s.amount, s.id, NULL, NULL, '', '', NULL, NULL, '', 0, ''
	  FROM statement_line s
	 WHERE s.booking_day <= {closed} AND s.recorded_at > (SELECT max(closed_at) - interval '1 day' FROM reconcile_day)
	   AND s.amount <> 0 AND NOT EXISTS (SELECT FROM payment_match m WHERE m.line_id = s.id)
	   AND NOT EXISTS (SELECT FROM payment_refund_match m WHERE m.line_id = s.id)
	   AND NOT EXISTS (SELECT FROM reconcile_case c WHERE c.subject = 'line:' || s.id)`

	badLines = `
	INSERT INTO wrong
	SELECT 'bad:' || b.file_id || ':' || b.position, greatest(b.booking_day, {next}), b.code, 0, NULL, NULL, NULL, '', '', b.file_id, b.position, '', 0, ''
	  FROM statement_bad_line b
	 WHERE b.booking_day > {closed}
	    OR b.recorded_at > (SELECT max(closed_at) - interval '1 day' FROM reconcile_day)
	       AND NOT EXISTS (SELECT FROM reconcile_case c WHERE c.subject = 'bad:' || b.file_id || ':' || b.position)`

	// suspended is what of a fact f in suspense was not taken back.
	suspended = `CASE WHEN f.kind = 'captured' THEN f.amount - f.reversed
	     WHEN f.kind = 'refunded' OR f.kind = 'reversed' AND f.reason <> '` + string(fault.OriginalUnknown) + `' THEN -f.amount ELSE 0 END`

	// wrongFacts is money that a gateway told of and that fits no order: its
	// amount is what came and stands in suspense, or, negative, what went and is
	// missing there. A reversal whose payment nobody has told of has moved none,
	// nor has a fact that only says how an attempt goes.
	wrongFacts = `
	INSERT INTO wrong
	SELECT 'fact:' || f.gateway || ':' || f.reference, greatest((f.paid_at AT TIME ZONE 'Asia/Almaty')::date, {next}), f.reason, ` + suspended + `, NULL,
	       o.order_id, NULL, f.gateway, f.reference, NULL, NULL, '', 0, ''
	  FROM gateway_fact f LEFT JOIN payment_order_once o ON o.order_id = f.order_id
	 WHERE f.state = 'exception' AND (f.kind <> 'captured' OR f.reversed < f.amount)`

	// missingDues were paid so long ago that a statement should show them, and
	// no line that is a case itself names them.
	missingDues = `
	INSERT INTO wrong
	SELECT 'due:' || d.order_id || ':' || d.position, greatest(x.paid_day, {next}), {missing}, d.amount, NULL, d.order_id, d.position,
	       d.gateway, '', NULL, NULL, d.identifier, d.amount, d.budget_code
	  FROM rest_due d
	 CROSS JOIN LATERAL (
		SELECT coalesce(max((f.paid_at AT TIME ZONE 'Asia/Almaty')::date), d.from_day + 1) AS paid_day
		  FROM gateway_fact f WHERE f.order_id = d.order_id AND f.state = 'posted') x
	 WHERE x.paid_day <= {overdue}
	   AND NOT EXISTS (SELECT FROM wrong w WHERE w.line_id IS NOT NULL AND w.order_id = d.order_id AND w.position = d.position)`

	// missingRefunds were executed, as the gateway told, so long ago that a
	// statement should show them.
	missingRefunds = `
	INSERT INTO wrong
	SELECT 'refund:' || d.order_id || ':' || d.position, greatest(x.ended_day, {next}), {refund_missing}, d.amount, NULL, r.order_id, d.position,
	       d.gateway, r.reference, NULL, NULL, d.identifier, d.amount, d.budget_code, r.id
	  FROM rest_refund d JOIN payment_refund r ON r.id = d.order_id
	 CROSS JOIN LATERAL (SELECT (r.ended_at AT TIME ZONE 'Asia/Almaty')::date AS ended_day) x
	 WHERE r.state = 'executed' AND r.ended_at >= {horizon} AND x.ended_day <= {overdue}
	   AND NOT EXISTS (SELECT FROM wrong w WHERE w.line_id IS NOT NULL AND w.refund_id = r.id)`

	// failedRefunds were refused by the gateway: the payer waits for the money.
	failedRefunds = `
	INSERT INTO wrong
	SELECT 'refund:' || r.id || ':failed', greatest((r.ended_at AT TIME ZONE 'Asia/Almaty')::date, {next}), {refund_failed}, r.amount, NULL, r.order_id, NULL,
	       r.gateway, '', NULL, NULL, '', r.amount, '', r.id
	  FROM payment_refund r WHERE r.state = 'failed' AND r.ended_at >= {horizon}`

	// openCases opens what has no case yet or whose case was cleared, and tells
	// an open one what has changed; what was proposed for another reason is
	// proposed no longer. A resolved case stays as the persons left it.
	openCases = `
	INSERT INTO reconcile_case AS c (id, subject, day, reason, amount, line_id, order_id, position, gateway, reference, file_id, file_position,
		identifier, expected_amount, expected_budget_code, refund_id, state, opened_at, changed_at, run_id)
	SELECT gen_random_uuid(), subject, day, reason, amount, line_id, order_id, position, gateway, reference, file_id, file_position,
	       identifier, expected_amount, expected_budget_code, refund_id, 'open', $2, $2, $1
	  FROM wrong ORDER BY day, subject
	ON CONFLICT (subject) DO UPDATE
	   SET reason = excluded.reason, amount = excluded.amount, order_id = excluded.order_id, position = excluded.position,
	       identifier = excluded.identifier, expected_amount = excluded.expected_amount, expected_budget_code = excluded.expected_budget_code,
	       refund_id = excluded.refund_id,
	       state = 'open', resolution = '', target = '', proposed_by = '', changed_at = $2, run_id = $1
	 WHERE c.state <> 'resolved'
	   AND (c.state = 'cleared' OR (c.reason, c.amount, c.identifier, c.expected_amount) <> (excluded.reason, excluded.amount, excluded.identifier, excluded.expected_amount))`

	// clearCases ends the cases whose reason is gone. Those of closed days, late
	// lines, bad ones and failed refunds are the persons' alone; a due from beyond the horizon
	// is not looked for, so that its case ends only with its match.
	clearCases = `
	UPDATE reconcile_case c
	   SET state = 'cleared', resolution = '', target = '', proposed_by = '', changed_at = $2, run_id = $1
	 WHERE c.state IN ('open', 'proposed')
	   AND NOT EXISTS (SELECT FROM wrong w WHERE w.subject = c.subject)
	   AND CASE split_part(c.subject, ':', 1)
	            WHEN 'line' THEN c.day > {closed} AND c.reason <> {late}
	            WHEN 'due' THEN NOT EXISTS (
	                 SELECT FROM payment_order_once o JOIN payment_order p ON p.id = o.order_id AND p.recorded_at = o.recorded_at
	                  WHERE o.order_id = c.order_id AND o.recorded_at < {horizon} AND p.paid[c.position + 1] >
	                        (SELECT coalesce(sum(m.amount), 0) FROM payment_match m WHERE m.order_id = c.order_id AND m.position = c.position)
	                        + (SELECT coalesce(sum(u.lines[c.position + 1]), 0) FROM payment_advance_use u WHERE u.order_id = c.order_id))
	            WHEN 'refund' THEN c.position IS NOT NULL AND NOT EXISTS (
	                 SELECT FROM rest_refund d JOIN payment_refund r ON r.id = d.order_id
	                  WHERE d.order_id = c.refund_id AND d.position = c.position AND r.ended_at < {horizon})
	            WHEN 'fact' THEN true
	            ELSE false END`
)

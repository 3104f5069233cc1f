package reconcile

import (
	"context"
	"strconv"
	"strings"
)

// Rule names the level at which a match was found; it is stored with it.
type Rule string

// The rules, from the strongest.
const (
	ByIdentifier Rule = "identifier"       // our unique identifier, the amount and the КБК are the same
	ByOrder      Rule = "identifier_order" // the line names one line of an order and pays all that is open of the order
	ByEndToEnd   Rule = "end_to_end"       // the payer's bank passed on the identifier, the order or the gateway's reference
	ByRequisites Rule = "requisites"       // payer, КБК, КНП and amount, within the order's time
	ByNumber     Rule = "declaration"      // the free text names the declaration
	ByPayer      Rule = "amount_payer"     // payer and amount, within the order's time
	ByPayerSum   Rule = "payer_sum"        // all that is open of a payer under a КБК, in one line or in several for one due
	Accepted     Rule = "accepted"         // two persons have decided so

	// Of debits, which are refunds of ours.
	ByRefund        Rule = "refund"            // the line names the refund, by our identifier of it or the gateway's
	ByRefundLine    Rule = "refund_identifier" // the line has the identifier that the refunded money was paid under
	ByRefundPayment Rule = "refund_payment"    // the line names the payment that goes back, or its order
)

// pair looks at all lines and all dues at once. A due is what was paid on a
// line of an order; the first level, which finds nearly everything, is one full
// join of both by the identifier, and what it leaves over on either side is
// what the other levels and the exceptions are about.
func (r *run) pair(ctx context.Context) error {
	return r.exec(ctx, pairs, again, duplicates,
		`UPDATE pair p SET whole = false FROM duplicate x WHERE x.line_id = p.line_id`,
		foundTable, restLines, restDues, olderDues, dueKeys, `ANALYZE rest_line`, `ANALYZE rest_due`, `ANALYZE due_key`)
}

var pairs = `
	CREATE TEMPORARY TABLE pair ON COMMIT DROP AS
	SELECT s.line_id, s.booking_day, s.amount AS line_amount, s.budget_code AS line_code, s.booked, s.credit,
	       d.order_id, d.position, d.due_amount, d.revenue_office, d.gateway,
	       s.amount = d.due_amount AND s.budget_code IN ('', d.budget_code) AND ` + sameOffice("s", "d") + ` AS whole
	  FROM (SELECT s.id AS line_id, s.booking_day, s.amount, s.budget_code, s.revenue_office, s.office_bin, s.booked, ` + isCredit + ` AS credit,
	               CASE WHEN ` + isCredit + ` THEN s.identifier END AS identifier
	          FROM statement_line s
	         WHERE s.booking_day > {closed}
	           AND NOT EXISTS (SELECT FROM fixed_line f WHERE f.line_id = s.id)) s
	  FULL JOIN
	       (SELECT l.order_id, l.position::smallint AS position, l.identifier, l.budget_code, l.revenue_office, l.beneficiary_bin AS office_bin, p.gateway,
	               p.paid[l.position + 1] AS due_amount
	          FROM payment_line l
	          JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at
	         WHERE l.recorded_at >= {horizon} AND p.recorded_at >= {horizon} AND p.paid[l.position + 1] > 0
	           AND NOT EXISTS (SELECT FROM fixed_due f WHERE f.order_id = l.order_id AND f.position = l.position)) d
	    ON d.identifier = s.identifier`

const (
	// isCredit is what can be a payment.
	isCredit = `s.booked AND s.amount > 0 AND NOT s.reversal AND NOT s.returned`

	// lineOrder puts lines of one day in an order that does not depend on their
	// import; two that are equal in all of it differ in nothing.
	lineOrder = `s.booking_day, s.value_day, s.reference, s.end_to_end, s.payer, s.purpose_code, s.purpose, s.place, s.line_id`

	// Two lines that are both all of a due: the one that was booked first is it,
	// the others are duplicates.
	again = `
	CREATE TEMPORARY TABLE again ON COMMIT DROP AS
	SELECT order_id, position FROM pair WHERE whole GROUP BY 1, 2 HAVING count(*) > 1`

	duplicates = `
	CREATE TEMPORARY TABLE duplicate ON COMMIT DROP AS
	SELECT line_id
	  FROM (SELECT s.line_id, row_number() OVER (PARTITION BY p.order_id, p.position ORDER BY ` + lineOrder + `) AS n
	          FROM again JOIN pair p USING (order_id, position)
	          JOIN (SELECT s.id AS line_id, s.* FROM statement_line s) s ON s.line_id = p.line_id
	         WHERE p.whole) ranked
	 WHERE n > 1`

	// found takes what the other levels find; found_all is all there is.
	foundTable = `
	CREATE TEMPORARY TABLE found (order_id uuid, position smallint, due_part smallint, line_part smallint, booking_day date, line_id uuid,
		amount bigint, due_amount bigint, line_amount bigint, rule text, gateway text, line_code text, revenue_office text) ON COMMIT DROP;
	CREATE TEMPORARY VIEW found_all AS
	SELECT order_id, position, 0::smallint AS due_part, 0::smallint AS line_part, booking_day, line_id,
	       line_amount AS amount, due_amount, line_amount, '` + string(ByIdentifier) + `'::text AS rule, gateway, line_code, revenue_office
	  FROM pair WHERE whole
	UNION ALL SELECT * FROM found;
	CREATE TEMPORARY TABLE ambiguous (line_id uuid) ON COMMIT DROP;
	CREATE TEMPORARY TABLE candidate (line_id uuid, order_id uuid, position smallint, line_amount bigint, amount bigint) ON COMMIT DROP`

	// restLines are the lines that the first level left. One that names an order
	// of ours is never matched to another.
	restLines = `
	CREATE TEMPORARY TABLE rest_line ON COMMIT DROP AS
	SELECT s.id AS line_id, s.booking_day, s.value_day, s.amount, s.identifier, s.budget_code, s.purpose_code, s.revenue_office, s.office_bin, s.payer,
	       s.end_to_end, s.declaration, s.reference, s.purpose, s.place,
	       i.order_id AS named, n.order_id IS NOT NULL AS numbered
	  FROM (SELECT line_id FROM pair WHERE credit AND whole IS NOT TRUE) x
	  JOIN statement_line s ON s.id = x.line_id
	  LEFT JOIN payment_identifier i ON i.identifier = s.identifier
	  LEFT JOIN LATERAL (SELECT p.id AS order_id FROM payment_order p WHERE p.declaration = s.declaration AND s.declaration <> '' LIMIT 1) n ON true`

	// dueColumns are what a level needs to know of a due. Its money is expected
	// from from_day to to_day.
	dueColumns = `l.order_id, l.position::smallint AS position, l.identifier, l.budget_code, l.purpose_code, l.revenue_office,
	l.beneficiary_bin AS office_bin, p.payer_bin AS payer, p.declaration, p.gateway, p.paid[l.position + 1] AS due_amount, ` + window

	window = `(p.recorded_at AT TIME ZONE 'Asia/Almaty')::date - 1 AS from_day, (p.expires_at AT TIME ZONE 'Asia/Almaty')::date + {window} AS to_day`

	// restDues are the dues that the first level left, whole or in part. What
	// was credited to the payer's advance came with the order's money.
	restDues = `
	CREATE TEMPORARY TABLE rest_due ON COMMIT DROP AS
	WITH x AS (
		SELECT DISTINCT order_id, position, 0::bigint AS taken, 0::smallint AS parts FROM pair p
		 WHERE order_id IS NOT NULL AND whole IS NOT TRUE
		   AND NOT EXISTS (SELECT FROM pair w WHERE w.whole AND w.order_id = p.order_id AND w.position = p.position)
		UNION ALL
		SELECT order_id, position, amount, parts FROM fixed_due)
	SELECT ` + dueColumns + `, p.paid[l.position + 1] - x.taken AS amount, x.parts
	  FROM x
	  JOIN payment_line l ON l.order_id = x.order_id AND l.position = x.position AND l.recorded_at >= {horizon}
	  JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at AND p.recorded_at >= {horizon}
	 WHERE p.paid[l.position + 1] > x.taken
	UNION ALL
	SELECT p.id, -1, '', '', '', '', '', p.payer_bin, p.declaration, p.gateway, p.credited, ` + window + `,
	       p.credited - coalesce(f.amount, 0), coalesce(f.parts, 0)
	  FROM payment_order p LEFT JOIN fixed_due f ON f.order_id = p.id AND f.position = -1
	 WHERE p.recorded_at >= {horizon} AND p.credited > 0 AND p.credited > coalesce(f.amount, 0)`

	// olderDues adds dues from beyond the horizon that a line names.
	olderDues = `
	INSERT INTO rest_due
	SELECT ` + dueColumns + `, p.paid[l.position + 1] - m.taken, m.parts
	  FROM (SELECT DISTINCT identifier FROM rest_line WHERE named IS NOT NULL) x
	  JOIN payment_identifier i ON i.identifier = x.identifier AND i.recorded_at < {horizon}
	  JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
	  JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at
	 CROSS JOIN LATERAL (
		SELECT coalesce(sum(m.amount), 0)::bigint
		       + coalesce((SELECT sum(u.lines[l.position + 1]) FROM payment_advance_use u WHERE u.order_id = l.order_id), 0)::bigint AS taken,
		       coalesce(max(m.due_part) + 1, 0)::smallint AS parts
		  FROM payment_match m
		 WHERE m.order_id = l.order_id AND m.position = l.position
		   AND NOT EXISTS (SELECT FROM loose o WHERE o.order_id = m.order_id AND o.position = m.position AND o.due_part = m.due_part)) m
	 WHERE p.paid[l.position + 1] > m.taken`

	// dueKeys are what a payer's bank may pass on as the end-to-end reference.
	dueKeys = `
	CREATE TEMPORARY TABLE due_key ON COMMIT DROP AS
	SELECT order_id, position, identifier AS key FROM rest_due WHERE identifier <> ''
	UNION ALL SELECT order_id, position, order_id::text FROM rest_due
	UNION ALL SELECT order_id, position, replace(order_id::text, '-', '') FROM rest_due
	UNION ALL SELECT d.order_id, d.position, f.reference
	  FROM rest_due d JOIN gateway_fact f ON f.order_id = d.order_id AND f.state = 'posted' AND f.recorded_at >= {horizon}`
)

// side is one of the two ways in which money goes: what is paid to the treasury
// is credits and dues, what it pays back debits and refunds. Its tables have the
// columns of rest_line, rest_due and found; its levels are tried in their order.
type side struct {
	lines, dues, found string
	levels             []level
}

var credits = side{"rest_line", "rest_due", "found", levels}

// sql puts the names of the side's tables where a statement has them in braces.
func (s side) sql(statement string) string {
	return strings.NewReplacer("{lines}", s.lines, "{dues}", s.dues, "{found}", s.found).Replace(statement)
}

// level is one way in which a line may name what it pays. Lines and dues meet
// where their keys are equal; a key with a NULL in it meets nothing.
type level struct {
	rule Rule
	// line and due are the keys, from columns of the side's lines l and dues d.
	line, due string
	// where says what else both must fulfil.
	where string
	// joinLine and joinDue add what a key is looked up in.
	joinLine, joinDue string
	// first: of several lines that are all of one due, the first is it and the
	// others are duplicates.
	// one: a line and a due of the same amount that have only each other.
	// several: one line for all dues of the key, or all its lines for one due.
	first, one, several bool
}

const (
	inTime    = ` AND l.booking_day BETWEEN d.from_day AND d.to_day`
	anonymous = ` AND l.identifier = '' AND NOT l.numbered`

	// A bank gives a non-resident twelve zeros: they name nobody.
	linePayer = `nullif(nullif(l.payer, ''), '000000000000')`
	duePayer  = `nullif(nullif(d.payer, ''), '000000000000')`
)

// compatible: what a line does not say contradicts nothing.
var compatible = `(l.budget_code = d.budget_code OR l.budget_code = '' OR d.budget_code = '') AND ` + sameOffice("l", "d")

// sameOffice compares the body that a line credits with a due's, by the code and
// by the BIN. A code of four digits names the office that another with two more
// names too: the revenue service writes six, declarations four.
func sameOffice(line, due string) string {
	return strings.NewReplacer("{l}", line, "{d}", due).Replace(
		`({l}.revenue_office IN ('', {d}.revenue_office) OR {d}.revenue_office = ''
	   OR {l}.revenue_office ~ '^([0-9]{4}|[0-9]{6})$' AND {d}.revenue_office ~ '^([0-9]{4}|[0-9]{6})$'
	      AND length({l}.revenue_office) <> length({d}.revenue_office) AND left({l}.revenue_office, 4) = left({d}.revenue_office, 4))
	  AND ({l}.office_bin IN ('', {d}.office_bin) OR {d}.office_bin = '')`)
}

// levels in the order of their strength.
var levels = []level{
	{rule: ByIdentifier, line: `nullif(l.identifier, '')`, due: `nullif(d.identifier, '')`, where: compatible, one: true, several: true},
	{rule: ByOrder, line: `l.named::text`, due: `d.order_id::text`, where: compatible, several: true},
	{
		rule: ByEndToEnd, line: `nullif(l.end_to_end, '')`, due: `k.key`, where: compatible + ` AND l.named IS NULL`, one: true, several: true,
		joinDue: ` JOIN due_key k ON k.order_id = d.order_id AND k.position = d.position`,
	},
	{
		rule: ByRequisites, line: linePayer + ` || '/' || l.budget_code || '/' || l.purpose_code || '/' || l.amount`,
		due:   duePayer + ` || '/' || d.budget_code || '/' || d.purpose_code || '/' || d.amount`,
		where: compatible + inTime + anonymous + ` AND l.budget_code <> '' AND l.purpose_code <> ''`, one: true,
	},
	{rule: ByNumber, line: `nullif(l.declaration, '')`, due: `nullif(d.declaration, '')`, where: compatible + ` AND l.named IS NULL`, one: true, several: true},
	{rule: ByPayer, line: linePayer + ` || '/' || l.amount`, due: duePayer + ` || '/' || d.amount`, where: compatible + inTime + anonymous, one: true},
	{rule: ByPayerSum, line: linePayer, due: duePayer, where: compatible + inTime + anonymous, several: true},
}

// levels tries the levels of payments on what the first join left.
func (r *run) levels(ctx context.Context) error { return r.try(ctx, credits) }

// try tries the levels of a side one after the other on what is left.
func (r *run) try(ctx context.Context, s side) error {
	for _, l := range s.levels {
		if err := r.exec(ctx, s.sql(l.candidates())); err != nil {
			return err
		}
		for _, pass := range l.passes() {
			if err := r.exec(ctx, s.sql(pass), s.sql(takenLines), s.sql(takenDues), s.sql(takenCandidates)); err != nil {
				return err
			}
		}
	}
	return nil
}

// candidates are the pairs that the level allows. A key that too many share
// allows none.
func (l level) candidates() string {
	return `TRUNCATE candidate;
	INSERT INTO candidate
	SELECT DISTINCT l.line_id, d.order_id, d.position, l.amount, d.amount
	  FROM (SELECT l.*, count(*) OVER (PARTITION BY l.key) AS sharing
	          FROM (SELECT l.*, ` + l.line + ` AS key FROM {lines} l` + l.joinLine + `) l WHERE l.key IS NOT NULL) l
	  JOIN (SELECT d.*, count(*) OVER (PARTITION BY d.key) AS sharing
	          FROM (SELECT d.*, ` + l.due + ` AS key FROM {dues} d` + l.joinDue + `) d WHERE d.key IS NOT NULL) d
	    ON d.key = l.key AND l.sharing * d.sharing <= ` + strconv.Itoa(groupMax) + `
	 WHERE ` + l.where
}

// passes are what the level does with its candidates, in turn.
func (l level) passes() (all []string) {
	if l.first {
		all = append(all, secondLines)
	}
	if l.one {
		all = append(all, ambiguousLines, match(l.rule, `
			SELECT c.*, count(*) OVER (PARTITION BY line_id) = 1 AND count(*) OVER (PARTITION BY order_id, position) = 1 AS alone
			  FROM candidate c WHERE c.line_amount = c.amount`))
	}
	if l.several {
		all = append(all, match(l.rule, `
			SELECT c.*, line_amount = sum(amount) OVER (PARTITION BY line_id)
			            AND max(lines) OVER (PARTITION BY line_id) = 1 AND count(*) OVER (PARTITION BY line_id) > 1 AS alone
			  FROM (SELECT c.*, count(*) OVER (PARTITION BY order_id, position) AS lines FROM candidate c) c`),
			match(l.rule, `
			SELECT c.*, amount = sum(line_amount) OVER (PARTITION BY order_id, position)
			            AND max(dues) OVER (PARTITION BY order_id, position) = 1 AND count(*) OVER (PARTITION BY order_id, position) > 1 AS alone
			  FROM (SELECT c.*, count(*) OVER (PARTITION BY line_id) AS dues FROM candidate c) c`))
	}
	return all
}

// match takes the candidates that are alone with each other into what is found;
// each takes the smaller of both amounts.
func match(rule Rule, candidates string) string {
	return `
	INSERT INTO {found}
	SELECT d.order_id, d.position, d.parts + row_number() OVER (PARTITION BY d.order_id, d.position ORDER BY ` + lineOrder + `) - 1,
	       row_number() OVER (PARTITION BY s.line_id ORDER BY d.order_id, d.position) - 1, s.booking_day, s.line_id, least(c.line_amount, c.amount),
	       d.due_amount, s.amount, '` + string(rule) + `', d.gateway, s.budget_code, d.revenue_office
	  FROM (` + candidates + `) c
	  JOIN {lines} s ON s.line_id = c.line_id
	  JOIN {dues} d ON d.order_id = c.order_id AND d.position = c.position
	 WHERE c.alone`
}

const (
	ambiguousLines = `
	INSERT INTO ambiguous
	SELECT line_id FROM (SELECT line_id, count(*) OVER (PARTITION BY line_id) AS dues, count(*) OVER (PARTITION BY order_id, position) AS lines
	                       FROM candidate WHERE line_amount = amount) c
	 WHERE dues > 1 OR lines > 1`
	takenLines      = `DELETE FROM {lines} l USING {found} f WHERE f.line_id = l.line_id`
	takenDues       = `DELETE FROM {dues} d USING {found} f WHERE f.order_id = d.order_id AND f.position = d.position`
	takenCandidates = `
	DELETE FROM candidate c USING {found} f WHERE f.line_id = c.line_id;
	DELETE FROM candidate c USING {found} f WHERE f.order_id = c.order_id AND f.position = c.position`

	// secondLines are those behind the first that is all of one due, or all of
	// what is open under one owner.
	secondLines = `
	INSERT INTO duplicate
	SELECT line_id
	  FROM (SELECT c.line_id, row_number() OVER (PARTITION BY c.order_id, c.position ORDER BY ` + lineOrder + `) AS n
	          FROM (SELECT line_id, min(order_id::text)::uuid AS order_id, min(position) AS position FROM candidate
	                 WHERE line_amount = amount GROUP BY line_id HAVING count(*) = 1
	                UNION ALL
	                SELECT line_id, order_id, NULL FROM candidate
	                 GROUP BY line_id, order_id, line_amount HAVING count(*) > 1 AND sum(amount) = line_amount) c
	          JOIN {lines} s ON s.line_id = c.line_id) x
	 WHERE n > 1;
	DELETE FROM {lines} l USING duplicate x WHERE x.line_id = l.line_id;
	DELETE FROM candidate c USING duplicate x WHERE x.line_id = c.line_id`
)

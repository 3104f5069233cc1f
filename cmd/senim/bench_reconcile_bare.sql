SET LOCAL work_mem = '192MB';
SET LOCAL maintenance_work_mem = '192MB';
SET LOCAL jit = off;
-- {statement_line} is the table of the lines. The same keys as ours: a table that stands, into which days are added.
CREATE TABLE bare_match (LIKE payment_match INCLUDING CONSTRAINTS INCLUDING INDEXES);
-- Identifier, amount and КБК.
INSERT INTO bare_match
SELECT l.order_id, l.position, 0, 0, s.booking_day, s.id, s.amount, p.paid[l.position + 1], s.amount, '00000000-0000-0000-0000-000000000000', false,
       'identifier', p.gateway
  FROM {statement_line} s
  JOIN payment_line l ON l.identifier = s.identifier
  JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at
 WHERE s.booking_day = {day} AND s.booked AND s.amount > 0 AND NOT s.reversal AND NOT s.returned
   AND s.amount = p.paid[l.position + 1] AND s.budget_code = l.budget_code
 ORDER BY l.order_id, l.position;
ANALYZE bare_match;
CREATE TEMPORARY TABLE rest_line ON COMMIT DROP AS
SELECT s.id, s.booking_day, s.amount, s.identifier, s.budget_code, s.purpose_code, s.payer, s.end_to_end
  FROM {statement_line} s
 WHERE s.booking_day = {day} AND NOT EXISTS (SELECT FROM bare_match m WHERE m.line_id = s.id);
CREATE TEMPORARY TABLE rest_due ON COMMIT DROP AS
SELECT l.order_id, l.position::smallint AS position, l.identifier, l.budget_code, l.purpose_code, l.amount, p.payer_bin, p.gateway, p.paid[l.position + 1] AS paid,
       p.recorded_at::date AS paid_day, l.revenue_office
  FROM payment_line l JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at
 WHERE p.paid[l.position + 1] > 0 AND NOT EXISTS (SELECT FROM bare_match m WHERE m.order_id = l.order_id AND m.position = l.position);
ANALYZE rest_line;
ANALYZE rest_due;
-- The end-to-end reference.
INSERT INTO bare_match
SELECT d.order_id, d.position, 0, 0, l.booking_day, l.id, l.amount, d.paid, l.amount, '00000000-0000-0000-0000-000000000000', false, 'end_to_end', d.gateway
  FROM rest_line l JOIN rest_due d ON d.identifier = l.end_to_end
 WHERE l.amount = d.paid AND l.budget_code = d.budget_code;
-- Payer, КБК, КНП and amount that only one line and one due have.
INSERT INTO bare_match
SELECT order_id, position, 0, 0, booking_day, id, amount, paid, amount, '00000000-0000-0000-0000-000000000000', false, 'requisites', gateway
  FROM (SELECT d.*, l.id, l.booking_day, l.amount AS line_amount, count(*) OVER (PARTITION BY l.id) AS dues, count(*) OVER (PARTITION BY d.order_id, d.position) AS lines
          FROM rest_line l JOIN rest_due d
            ON d.payer_bin = l.payer AND d.budget_code = l.budget_code AND d.purpose_code = l.purpose_code AND d.paid = l.amount
         WHERE l.identifier = '' AND l.end_to_end = ''
           AND NOT EXISTS (SELECT FROM bare_match m WHERE m.order_id = d.order_id AND m.position = d.position)) x
 WHERE dues = 1 AND lines = 1;
-- What is not matched, and why.
CREATE TABLE bare_case AS
SELECT 'line:' || l.id AS subject, l.booking_day AS day,
       CASE WHEN l.identifier = '' THEN 'missing_identifier' WHEN d.identifier IS NULL THEN 'unknown_identifier' WHEN d.amount <> l.amount THEN 'amount_differs'
            WHEN d.budget_code <> l.budget_code THEN 'wrong_budget_code' ELSE 'duplicate_payment' END AS reason,
       l.amount, l.id AS line_id, d.order_id
  FROM rest_line l LEFT JOIN rest_due d ON d.identifier = l.identifier
 WHERE NOT EXISTS (SELECT FROM bare_match m WHERE m.line_id = l.id);
ANALYZE bare_case;
INSERT INTO bare_case
SELECT 'due:' || d.order_id || ':' || d.position, d.paid_day, 'payment_missing', d.paid, NULL, d.order_id
  FROM rest_due d
 WHERE d.paid_day <= {day} - 3
   AND NOT EXISTS (SELECT FROM bare_match m WHERE m.order_id = d.order_id AND m.position = d.position)
   AND NOT EXISTS (SELECT FROM bare_case c WHERE c.order_id = d.order_id);
ALTER TABLE bare_case ADD PRIMARY KEY (subject);
CREATE TABLE bare_total AS
SELECT booking_day, budget_code, revenue_office, count(*) AS lines, sum(amount) AS amount
  FROM (SELECT m.booking_day, l.budget_code, l.revenue_office, m.amount FROM bare_match m JOIN payment_line l ON l.order_id = m.order_id AND l.position = m.position
        UNION ALL
        SELECT l.booking_day, l.budget_code, '', l.amount FROM rest_line l WHERE NOT EXISTS (SELECT FROM bare_match m WHERE m.line_id = l.id)) t
 GROUP BY 1, 2, 3

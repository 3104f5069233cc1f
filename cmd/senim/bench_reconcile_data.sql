-- Of a hundred lines 93 carry the identifier, 2 carry it as the end-to-end
-- reference only, 3 have nothing but payer, КБК, КНП and amount, 1 has another
-- amount than was paid and 1 names nothing of ours.
CREATE FUNCTION bench_identifier(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
	'SELECT lpad(((261110000000000 + i) * 100 + 98 - (((261110000000000 + i) * 100) % 97))::text, 17, ''0'')';
CREATE FUNCTION bench_id(kind text, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	'SELECT (''019a'' || kind || ''-0000-7000-8000-'' || lpad(to_hex(i), 12, ''0''))::uuid';
INSERT INTO payment_order (id, recorded_at, transaction_id, payer_bin, total, state, expires_at, received, paid, gateway)
SELECT bench_id('0000', i), {day} - interval '20 days' + i * interval '1 ms', bench_id('1000', i), lpad((100000000000 + i % 50000)::text, 12, '0'),
       1000 + i * 7 % 999983, 'paid', {day}::timestamptz + interval '1 day', 1000 + i * 7 % 999983, ARRAY[1000 + i * 7 % 999983], 'pshep'
  FROM generate_series(1, {lines}) i;
INSERT INTO payment_order_once (transaction_id, order_id, recorded_at) SELECT transaction_id, id, recorded_at FROM payment_order;
INSERT INTO payment_line (identifier, recorded_at, order_id, position, kind, budget_code, purpose_code, revenue_office,
	beneficiary_bin, beneficiary_name, bic, iik, kbe, amount)
SELECT bench_identifier(i), {day} - interval '20 days' + i * interval '1 ms', bench_id('0000', i), 0, '2010', (ARRAY['106104', '106201', '105102'])[1 + i % 3], '911',
       (ARRAY['6009', '620301', '5930'])[1 + i % 3], '010240002599', 'УГД', 'KKMFKZ2A', 'KZ24070105KSN0000000', '11', 1000 + i * 7 % 999983
  FROM generate_series(1, {lines}) i;
INSERT INTO payment_identifier (identifier, order_id, recorded_at) SELECT identifier, order_id, recorded_at FROM payment_line;
-- The lines do not come in the order of the payments.
INSERT INTO statement_line (id, recorded_at, file_id, position, place, reference, booked, booking_day, value_day, amount, identifier,
	budget_code, purpose_code, payer, end_to_end, purpose)
SELECT bench_id('2000', n), {day}::timestamptz + interval '1 day', bench_id('2000', 0), n, '/Stmt/0/Ntry/' || n, 'R' || i, true, {day}, {day},
       1000 + i * 7 % 999983 + CASE WHEN i % 100 = 98 THEN 1 ELSE 0 END, CASE WHEN i % 100 < 93 OR i % 100 = 98 THEN bench_identifier(i) ELSE '' END,
       CASE WHEN i % 100 = 99 THEN '101111' ELSE (ARRAY['106104', '106201', '105102'])[1 + i % 3] END, '911',
       lpad((CASE WHEN i % 100 = 99 THEN 900000000000 ELSE 100000000000 + i % 50000 END)::text, 12, '0'),
       CASE WHEN i % 100 IN (93, 94) THEN bench_identifier(i) ELSE '' END, 'Таможенные платежи по декларации на товары, платёж ' || i
  FROM (SELECT n, (n * 7919::bigint) % {lines} + 1 AS i FROM generate_series(1, {lines}) n) x;
VACUUM ANALYZE payment_order;
VACUUM ANALYZE payment_order_once;
VACUUM ANALYZE payment_line;
VACUUM ANALYZE payment_identifier;
VACUUM ANALYZE statement_line

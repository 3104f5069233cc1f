-- Orders of one line, all paid.
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
VACUUM ANALYZE payment_order;
VACUUM ANALYZE payment_order_once;
VACUUM ANALYZE payment_line;
VACUUM ANALYZE payment_identifier

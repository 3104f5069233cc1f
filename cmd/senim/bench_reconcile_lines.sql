-- Of a hundred lines 93 carry the identifier, 2 carry it as the end-to-end
-- reference only, 3 have nothing but payer, КБК, КНП and amount, 1 has another
-- amount than was paid and 1 names nothing of ours.
-- The lines do not come in the order of the payments.
INSERT INTO statement_line (id, recorded_at, file_id, position, place, reference, booked, booking_day, value_day, amount, identifier,
	budget_code, purpose_code, payer, end_to_end, purpose)
SELECT bench_id('2000', n), {day}::timestamptz + interval '1 day', bench_id('2000', 0), n, '/Stmt/0/Ntry/' || n, 'R' || i, true, {day}, {day},
       1000 + i * 7 % 999983 + CASE WHEN i % 100 = 98 THEN 1 ELSE 0 END, CASE WHEN i % 100 < 93 OR i % 100 = 98 THEN bench_identifier(i) ELSE '' END,
       CASE WHEN i % 100 = 99 THEN '101111' ELSE (ARRAY['106104', '106201', '105102'])[1 + i % 3] END, '911',
       lpad((CASE WHEN i % 100 = 99 THEN 900000000000 ELSE 100000000000 + i % 50000 END)::text, 12, '0'),
       CASE WHEN i % 100 IN (93, 94) THEN bench_identifier(i) ELSE '' END, 'Таможенные платежи по декларации на товары, платёж ' || i
  FROM (SELECT n, (n * 7919::bigint) % {lines} + 1 AS i FROM generate_series(1, {lines}) n) x;
VACUUM ANALYZE statement_line

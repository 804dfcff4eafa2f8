-- The whole job in DuckDB: calls in; legs, call log and ids out, sorted, by the tables of rival_duckdb_deck.sql. rival_duckdb.py
-- fills in what stands after a dollar sign and runs section after section. How a price is found is told in rival_duckdb.sql.
--
-- All legs are one wide table, sorted once; a call that bills nothing has a leg there too, without a price. So legs and log are two
-- walks through it in its order.
--
-- Tried with DuckDB 2.0 on a busy machine, in CPU seconds per million calls (this: 8, the legs alone in the same hour: 4), so take
-- them as orders of size:
--   texts that repeat sorted and written as texts, numbers and origins of each leg kept in the wide table     +4
--   second legs joined while the log is written                                       the rows leave their order at a million calls

-- ==== records

SET preserve_insertion_order = false;
SET TimeZone = 'UTC';

CREATE TEMP TABLE records AS
SELECT sid, parent_call_sid, account_sid, trunk_sid, direction, "from" AS a, "to" AS b, refer_to,
       make_timestamptz(epoch_us(start_time::TIMESTAMP)) AS start_time, make_timestamptz(epoch_us(end_time::TIMESTAMP)) AS end_time,
       coalesce(duration, '0')::INTEGER AS duration, status, price::DECIMAL(18, 10) AS carrier_price
FROM $calls;

-- ==== repeated

SELECT count(*) AS read, count(*) - count(DISTINCT sid) AS repeated FROM records;

-- ==== calls, none repeated

CREATE TEMP VIEW calls AS FROM records;

-- ==== calls, one of each id

CREATE TEMP TABLE calls AS SELECT DISTINCT ON (sid) * FROM records;

-- ==== rows

-- What repeats is a number from here on: a table of wide texts is dear to sort.
CREATE TYPE accounts AS ENUM (SELECT DISTINCT account_sid FROM records);
CREATE TYPE trunks AS ENUM (SELECT DISTINCT trunk_sid FROM records);
CREATE TYPE directions AS ENUM (SELECT DISTINCT direction FROM records);
CREATE TYPE statuses AS ENUM (SELECT DISTINCT status FROM records);
CREATE TYPE classes AS ENUM ('rated', 'free', 'ignored', 'suspended');
CREATE TYPE deck_texts AS ENUM (SELECT description FROM lines UNION SELECT deck_file FROM lines);
CREATE TYPE prefixes AS ENUM (SELECT destination FROM destinations UNION SELECT origin FROM group_origins);
ALTER TABLE rates ALTER description TYPE deck_texts;
ALTER TABLE rates ALTER deck_file TYPE deck_texts;
ALTER TABLE rates ALTER destination_prefix TYPE prefixes;
ALTER TABLE admitted ALTER origin_prefix TYPE prefixes;

-- A and B are the root's, C is whom a child was transferred to. A child whose root is not there has no A and B: it is suspended.
CREATE TEMP TABLE children AS
SELECT child.* EXCLUDE (trunk_sid, a, b, refer_to, pstn), coalesce(child.trunk_sid, root.trunk_sid) AS trunk_sid, root.direction AS asked, root.a, root.b,
       pstn, CASE WHEN pstn THEN substr(child.refer_to, 6, strpos(child.refer_to, '@') - 6) ELSE child.refer_to END AS c,
       hash(child.account_sid, child.trunk_sid, child.direction, child.start_time, child.end_time, child.duration, child.status, child.refer_to) AS content
FROM (SELECT *, refer_to LIKE '<sip:+%.pstn.twilio.com>' AS pstn FROM calls WHERE parent_call_sid IS NOT NULL) child
LEFT JOIN calls root ON root.sid = child.parent_call_sid AND root.parent_call_sid IS NULL;

CREATE TEMP VIEW families AS
SELECT *, asked = 'trunking-terminating' AS outward,
       CASE WHEN asked NOT IN ('trunking-terminating', 'trunking-originating') THEN 'ignored'
            WHEN asked IS NULL OR status NOT IN ('completed', 'busy', 'failed', 'no-answer', 'canceled') THEN 'suspended'
            WHEN status = 'completed' AND duration > 0 THEN 'rated' ELSE 'free' END AS class
FROM (
  SELECT * EXCLUDE (refer_to), direction AS asked, NULL AS c, false AS pstn,
         hash(account_sid, trunk_sid, direction, a, b, start_time, end_time, duration, status) AS content
  FROM calls WHERE parent_call_sid IS NULL
  UNION ALL BY NAME
  FROM children
);

-- The published table: the service, the number that is rated and the origin (none: unknown) of each leg.
CREATE TEMP VIEW legs AS
SELECT *, CASE WHEN class = 'rated' THEN left(substr(rated_number, 2) || '000000000', 9)::INTEGER END AS head,
       left(substr(origin_number, 2) || '000000000', 9)::INTEGER AS origin_head,
       CASE WHEN greatest(duration, $minimum) <= $initial_increment THEN $initial_increment
            ELSE $initial_increment + (greatest(duration, $minimum) - $initial_increment + $increment - 1) // $increment * $increment END AS billed_seconds
FROM (
  SELECT *, 1 AS leg, outward AS termination, b AS rated_number, CASE WHEN c IS NULL OR pstn OR NOT outward THEN a END AS origin_number FROM families
  UNION ALL
  SELECT *, 2, true, c, CASE WHEN outward THEN a ELSE b END FROM families WHERE pstn AND class = 'rated'
);

CREATE TEMP TABLE sorted AS
SELECT sid, parent_call_sid, account_sid::accounts AS account_sid, trunk_sid::trunks AS trunk_sid, direction::directions AS direction, a, b, c, pstn, outward,
       start_time, end_time, duration, status::statuses AS status, carrier_price, content, l.class::classes AS class, leg, billed_seconds,
       r.price, r.destination_prefix, w.origin_prefix, r.description, r.deck_file, r.deck_line, (2 * r.price_units * billed_seconds + 60) // 120 + $fee_units AS units,
       NULL::BIGINT AS second_units
FROM legs l
$lookups
LEFT JOIN origins o ON o.longest = coalesce($origin_found, 0)
LEFT JOIN rates r ON r.longest = coalesce($destination_found) AND r.class = o.class
LEFT JOIN admitted w ON w.longest = o.longest AND w.origin_group = r.origin_group
ORDER BY start_time, sid, leg;

-- A call is rated whole or not at all.
UPDATE sorted SET class = 'suspended' WHERE sid IN (SELECT sid FROM sorted WHERE class = 'rated' AND price IS NULL);

-- The log needs both legs' amounts. (A join while it is written would put its rows in another order.)
UPDATE sorted SET second_units = s.units FROM (SELECT sid, units FROM sorted WHERE leg = 2) s WHERE sorted.leg = 1 AND sorted.sid = s.sid;

-- Walks through `sorted` go in its order from here on.
SET preserve_insertion_order = true;

CREATE TEMP VIEW booked AS
SELECT *, start_time::DATE AS date, leg = 2 OR outward AS termination, CASE leg WHEN 1 THEN b ELSE c END AS rated_number,
       CASE WHEN leg = 2 THEN CASE WHEN outward THEN a ELSE b END WHEN c IS NULL OR pstn OR NOT outward THEN a END AS origin_number,
       CASE WHEN outward THEN 'termination' ELSE 'origination' END || CASE WHEN c IS NULL THEN '' WHEN pstn THEN '-to-pstn' ELSE '-to-sip' END AS scenario
FROM sorted WHERE class IN ('rated', 'free');

CREATE TEMP TABLE ids (id UUID, content UBIGINT, carrier_price DECIMAL(18, 10), date DATE, "row" INTEGER, root UUID);

-- ==== a day

COPY (
  SELECT sid AS call_sid, parent_call_sid, account_sid, trunk_sid, scenario, leg::BIGINT AS leg,
         CASE WHEN termination THEN 'termination' ELSE 'origination' END AS service,
         CASE WHEN leg = 2 THEN origin_number WHEN c IS NULL OR pstn OR NOT outward THEN a ELSE c END AS leg_from,
         CASE WHEN leg = 2 OR c IS NOT NULL AND NOT pstn AND NOT outward THEN c ELSE b END AS leg_to, rated_number, origin_number, start_time,
         duration::BIGINT AS duration_seconds, billed_seconds::BIGINT AS billed_seconds, price::DECIMAL(18, 10) AS price_per_minute,
         $connection_fee::DECIMAL(18, 10) AS connection_fee, destination_prefix, nullif(origin_prefix, '') AS origin_prefix, description, '$name' AS deck, deck_file, deck_line,
         '$currency' AS currency, (units * 0.00001::DECIMAL(6, 5))::DECIMAL(18, 8) AS amount, '$run' AS run_id
  FROM booked WHERE class = 'rated' AND date = '$date'
) TO '$out/legs/date=$date/part-0.parquet' ($parquet);

COPY (
  SELECT sid AS call_sid, parent_call_sid, account_sid, trunk_sid, CASE WHEN c IS NULL THEN 'parent' ELSE 'child' END AS role, scenario, direction,
         CASE WHEN c IS NOT NULL AND outward THEN b ELSE a END AS "from", coalesce(c, b) AS "to", "from" AS caller_id, start_time, end_time,
         duration::BIGINT AS duration_seconds, status, class, '$currency' AS currency,
         ((coalesce(units, 0) + coalesce(second_units, 0)) * 0.00001::DECIMAL(6, 5))::DECIMAL(18, 8) AS amount, carrier_price, '$run' AS run_id
  FROM booked WHERE leg = 1 AND date = '$date'
) TO '$out/calls/date=$date/part-0.parquet' ($parquet);

INSERT INTO ids
SELECT substr(sid, 3)::UUID, content, carrier_price, date, row_number() OVER () - 1, substr(parent_call_sid, 3)::UUID
FROM booked WHERE leg = 1 AND date = '$date';

-- ==== ids

COPY (SELECT id, content, carrier_price, date, "row" FROM ids ORDER BY id) TO '$out/ids/part-0.parquet' ($parquet);
COPY (SELECT root, date, "row" FROM ids WHERE root IS NOT NULL ORDER BY root, date, "row") TO '$out/ids/children-0.parquet' ($parquet);

-- ==== waits

SELECT class, count(*) FROM sorted WHERE leg = 1 AND class IN ('ignored', 'suspended') GROUP BY class;

-- ==== log

SELECT class, count(*), sum(amount) FROM read_parquet('$out/calls/*/*.parquet') GROUP BY class;

-- ==== legs

SELECT account_sid, count(*), sum(amount) FROM read_parquet('$out/legs/*/*.parquet') GROUP BY account_sid ORDER BY account_sid;

-- ==== ids read back

SELECT count(*), count(DISTINCT id) FROM read_parquet('$out/ids/part-0.parquet');

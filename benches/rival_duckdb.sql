-- The legs alone in DuckDB: calls in, rated legs and totals out, by the tables of rival_duckdb_deck.sql. rival_duckdb.py fills
-- in what stands after a dollar sign.
--
-- Longest prefix: one hash join per prefix length, the longest that matches wins. The dear part, which row an origin may
-- use, is settled beforehand: origins that are in the same groups are one class, and there are few of them; `rates` has the
-- answer for each prefix and class. So the calls run through in one stream; only they and the children are ever kept.
--
-- Tried with DuckDB 2.0 on a busy machine, in CPU seconds per million calls (this: 2.8), so take them as orders of size;
-- the second and the last were measured as a step alone, the last but two and one while the calls were read and joined:
--   ASOF joins over the prefixes, cut into disjoint spans (they sort the whole rows)     +0.9, and twice the memory
--   each distinct number looked up once, then joined                                      +0.1
--   (prefix, origin) pairs that occur, from a table of unrated legs                       +1.0, at 10 million +2.5 and 7 GiB
--   both legs of a call as an unnested list of structs                                    +0.1
--   calls read two and three times instead of kept in a table                             +0.4
--   parents joined as UUID (128 bits) instead of as text                                  +0.1
--   preserve_insertion_order left on                                                      +0.3
--   Parquet's version 1 and dictionaries for everything                                   +0.2

SET preserve_insertion_order = false;

-- ---- The calls ----

CREATE TEMP TABLE calls AS
SELECT sid, parent_call_sid, account_sid, trunk_sid, direction = 'trunking-terminating' AS termination, "from" AS a, "to" AS b, refer_to,
       start_time, duration::INTEGER AS duration, status = 'completed' AND duration <> '0' AS bills
FROM $calls;

CREATE TEMP TABLE children AS
SELECT child.* EXCLUDE (termination, a, b, refer_to, bills, pstn), root.termination, root.a, root.b, pstn,
       CASE WHEN pstn THEN substr(child.refer_to, 6, strpos(child.refer_to, '@') - 6) ELSE child.refer_to END AS c
FROM (SELECT *, refer_to LIKE '<sip:+%.pstn.twilio.com>' AS pstn FROM calls WHERE bills AND parent_call_sid IS NOT NULL) child
JOIN calls root ON root.sid = child.parent_call_sid AND root.parent_call_sid IS NULL;

-- The published table, line by line: from and to of the leg, the number that is rated, the origin (none: unknown).
CREATE TEMP VIEW legs AS
WITH every_leg AS (
  SELECT * EXCLUDE (termination, a, b, refer_to, bills), 1 AS leg, termination, a AS leg_from, b AS leg_to, b AS rated_number, a AS origin_number,
         CASE WHEN termination THEN 'termination' ELSE 'origination' END AS scenario
  FROM calls WHERE bills AND parent_call_sid IS NULL
  UNION ALL
  SELECT * EXCLUDE (termination, a, b, c, pstn), 1, termination, CASE WHEN termination AND NOT pstn THEN c ELSE a END,
         CASE WHEN termination OR pstn THEN b ELSE c END, b, CASE WHEN pstn OR NOT termination THEN a END,
         CASE WHEN termination THEN 'termination' ELSE 'origination' END || CASE WHEN pstn THEN '-to-pstn' ELSE '-to-sip' END
  FROM children
  UNION ALL
  SELECT * EXCLUDE (termination, a, b, c, pstn), 2, true, CASE WHEN termination THEN a ELSE b END, c, c, CASE WHEN termination THEN a ELSE b END,
         CASE WHEN termination THEN 'termination-to-pstn' ELSE 'origination-to-pstn' END
  FROM children WHERE pstn
)
SELECT *, left(substr(rated_number, 2) || '000000000', 9)::INTEGER AS head, left(substr(origin_number, 2) || '000000000', 9)::INTEGER AS origin_head,
       CASE WHEN greatest(duration, $minimum) <= $initial_increment THEN $initial_increment
            ELSE $initial_increment + (greatest(duration, $minimum) - $initial_increment + $increment - 1) // $increment * $increment END AS billed_seconds
FROM every_leg;

-- The amount: half up at the fifth decimal in whole numbers: DuckDB divides decimals as floats.
COPY (
  SELECT sid AS call_sid, parent_call_sid, account_sid, trunk_sid, scenario, leg::TINYINT AS leg,
         CASE WHEN l.termination THEN 'termination' ELSE 'origination' END AS service, leg_from, leg_to, rated_number, origin_number,
         start_time, duration AS duration_seconds, billed_seconds, r.price AS price_per_minute, r.destination_prefix, w.origin_prefix, 'USD' AS currency,
         (((2 * r.price_units * billed_seconds + 60) // 120 + $fee_units) * 0.00001::DECIMAL(6, 5))::DECIMAL(18, 5) AS amount
  FROM legs l
$lookups
  JOIN origins o ON o.longest = coalesce($origin_found, 0)
  JOIN rates r ON r.longest = coalesce($destination_found) AND r.class = o.class
  JOIN admitted w ON w.longest = o.longest AND w.origin_group = r.origin_group
) TO '$out/legs.parquet' ($parquet);

COPY (SELECT account_sid, sum(amount)::DECIMAL(18, 5) AS amount FROM '$out/legs.parquet' GROUP BY account_sid ORDER BY account_sid)
TO '$out/totals.csv' (HEADER false);

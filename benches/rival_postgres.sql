-- The whole job in PostgreSQL 15 with the `prefix` extension. rival_postgres.py has filled `calls` and `published` with COPY.
-- Parquet it cannot write: the legs stay a table of its own, unlogged. The last statement gives the totals.
--
-- Tried, with CPU seconds per million calls (this: 30 or so, most of them in the index look-ups, 50 microseconds each):
--   a look-up per leg instead of one per number's beginning and origin prefix    +25 (reckoned from 20,000)
--   legs joined to origins and answers in one statement, without statistics      +25

CREATE UNLOGGED TABLE rates AS
SELECT coalesce(service, 'termination') AS service, unnest(string_to_array(destinations, ', '))::prefix_range AS destination,
       coalesce(string_to_array(origins, ', '), ARRAY[''])::prefix_range[] AS origins, price::numeric(18, 5) AS price
FROM published;
CREATE INDEX ON rates USING gist (destination gist_prefix_range_ops) WHERE service = 'termination';
CREATE INDEX ON rates USING gist (destination gist_prefix_range_ops) WHERE service = 'origination';
ANALYZE calls, rates;

CREATE UNLOGGED TABLE children AS
SELECT c.sid, c.parent_call_sid, c.account_sid, c.trunk_sid, c.start_time, c.duration, r.direction = 'trunking-terminating' AS termination,
       r.a, r.b, c.refer_to LIKE '<sip:+%.pstn.twilio.com>' AS pstn,
       CASE WHEN c.refer_to LIKE '<sip:+%' THEN split_part(substr(c.refer_to, 6), '@', 1) ELSE c.refer_to END AS c
FROM calls c JOIN calls r ON r.sid = c.parent_call_sid AND r.parent_call_sid IS NULL
WHERE c.status = 'completed' AND c.duration > 0;

-- The published table, line by line: from and to of the leg, the number that is rated, the origin (none: unknown).
CREATE VIEW legs AS
SELECT sid AS call_sid, parent_call_sid, account_sid, trunk_sid, s.scenario, 1 AS leg, s.scenario AS service, a AS leg_from, b AS leg_to,
       b AS rated_number, a AS origin_number, start_time, duration AS duration_seconds
FROM calls, LATERAL (SELECT CASE direction WHEN 'trunking-terminating' THEN 'termination' ELSE 'origination' END AS scenario) s
WHERE parent_call_sid IS NULL AND status = 'completed' AND duration > 0
UNION ALL
SELECT sid, parent_call_sid, account_sid, trunk_sid, s.service || CASE WHEN pstn THEN '-to-pstn' ELSE '-to-sip' END, 1, s.service,
       CASE WHEN termination AND NOT pstn THEN c ELSE a END, CASE WHEN termination OR pstn THEN b ELSE c END,
       b, CASE WHEN pstn OR NOT termination THEN a END, start_time, duration
FROM children, LATERAL (SELECT CASE WHEN termination THEN 'termination' ELSE 'origination' END AS service) s
UNION ALL
SELECT sid, parent_call_sid, account_sid, trunk_sid, CASE WHEN termination THEN 'termination-to-pstn' ELSE 'origination-to-pstn' END, 2, 'termination',
       f.origin, c, c, f.origin, start_time, duration
FROM children, LATERAL (SELECT CASE WHEN termination THEN a ELSE b END AS origin) f
WHERE pstn;

-- The longest origin prefix of what origins begin with, '' if none: it decides which rows a leg may use.
CREATE UNLOGGED TABLE origin_prefixes AS SELECT DISTINCT unnest(origins) AS origin_prefix FROM rates;

CREATE UNLOGGED TABLE origins AS
SELECT head, coalesce((SELECT origin_prefix FROM origin_prefixes WHERE origin_prefix @> head ORDER BY length(origin_prefix) DESC LIMIT 1), '') AS origin
FROM (SELECT DISTINCT coalesce(substr(origin_number, 2, :origin_digits), '') AS head FROM legs) h;

CREATE UNLOGGED TABLE to_rate AS
SELECT l.*, substr(rated_number, 2, :destination_digits) AS head, o.origin
FROM legs l JOIN origins o ON o.head = coalesce(substr(origin_number, 2, :origin_digits), '');

-- What is asked: each beginning of a rated number, as long as the longest prefix, from each such origin. A third of the legs.
CREATE UNLOGGED TABLE asked AS SELECT DISTINCT service, head, origin FROM to_rate;
ANALYZE to_rate, asked;

CREATE UNLOGGED TABLE answers AS
SELECT a.service, a.head, a.origin, r.destination, r.origin_prefix, r.price
FROM asked a CROSS JOIN LATERAL (
  SELECT r.destination, o.origin_prefix, r.price FROM rates r CROSS JOIN LATERAL unnest(r.origins) o(origin_prefix)
  WHERE r.service = 'termination' AND r.destination @> a.head::prefix_range AND o.origin_prefix @> a.origin
  ORDER BY length(r.destination) DESC, length(o.origin_prefix) DESC LIMIT 1
) r
WHERE a.service = 'termination'
UNION ALL
SELECT a.service, a.head, a.origin, r.destination, r.origin_prefix, r.price
FROM asked a CROSS JOIN LATERAL (
  SELECT r.destination, o.origin_prefix, r.price FROM rates r CROSS JOIN LATERAL unnest(r.origins) o(origin_prefix)
  WHERE r.service = 'origination' AND r.destination @> a.head::prefix_range AND o.origin_prefix @> a.origin
  ORDER BY length(r.destination) DESC, length(o.origin_prefix) DESC LIMIT 1
) r
WHERE a.service = 'origination';

CREATE UNLOGGED TABLE rated_legs AS
SELECT call_sid, parent_call_sid, account_sid, trunk_sid, scenario, leg, service, leg_from, leg_to, rated_number, origin_number, start_time,
       duration_seconds, billed_seconds, price AS price_per_minute, destination AS destination_prefix, origin_prefix, 'USD' AS currency,
       round(:fee + price * billed_seconds / 60, 5) AS amount
FROM to_rate l JOIN answers USING (service, head, origin)
CROSS JOIN LATERAL (SELECT greatest(duration_seconds, :minimum) AS seconds) s
CROSS JOIN LATERAL (SELECT CASE WHEN seconds <= :initial THEN :initial ELSE :initial + (seconds - :initial + :increment - 1) / :increment * :increment END AS billed_seconds) b;

COPY (SELECT account_sid, sum(amount) FROM rated_legs GROUP BY account_sid ORDER BY account_sid) TO STDOUT (FORMAT csv);

-- The deck in DuckDB, for the legs alone and for the whole job: `destinations`, `origins`, `admitted` and `rates`.
--
-- Which row an origin may use is settled here: origins that are in the same groups are one class, and there are few of them;
-- `rates` has the answer for each longest destination prefix and class.

-- ---- The deck: who may call where for how much ----

-- The lines of the price lists as they stand there. They are read in their order: a line's number is its place.
CREATE TEMP TABLE lines AS
SELECT "Origination Prefixes" AS origins, "Destination Prefixes" AS destinations, "Service" AS service, "Price / min" AS price,
       "Description" AS description, parse_filename(filename) AS deck_file, row_number() OVER () AS place
FROM read_csv('$rates/*.csv', header = true, all_varchar = true, delim = ',', quote = '"', filename = true);

CREATE TEMP TABLE published AS
SELECT dense_rank() OVER (ORDER BY coalesce(origins, ''))::INTEGER AS origin_group, coalesce(origins, '') AS origins,
       coalesce(service, 'termination') AS service, price::DECIMAL(18, 5) AS price, description, deck_file,
       place - min(place) OVER (PARTITION BY deck_file) + 2 AS deck_line, unnest(string_split(destinations, ', ')) AS destination
FROM lines;

-- Prefixes have nine digits at most, so they are integers here; negative: of origination.
CREATE TEMP TABLE destinations AS
SELECT DISTINCT CASE service WHEN 'termination' THEN 1 ELSE -1 END * destination::INTEGER AS longest, service, destination, length(destination) AS digits
FROM published;

CREATE TEMP TABLE group_origins AS
SELECT DISTINCT origin_group, unnest(string_split(origins, ', ')) AS origin FROM (SELECT DISTINCT origin_group, origins FROM published);

-- For the longest origin prefix of a number (0: none): the groups that admit it, by which of their prefixes.
CREATE TEMP TABLE admitted AS
SELECT ('0' || o.origin)::INTEGER AS longest, length(o.origin) AS digits, origin_group, max(g.origin) AS origin_prefix
FROM (SELECT '' AS origin UNION SELECT origin FROM group_origins) o JOIN group_origins g ON starts_with(o.origin, g.origin) GROUP BY ALL;

-- Origins with the same groups in the same order are one class.
CREATE TEMP TABLE origins AS
SELECT longest, digits, dense_rank() OVER (ORDER BY groups)::INTEGER AS class, groups
FROM (SELECT longest, digits, list(origin_group ORDER BY length(origin_prefix) DESC, origin_group) AS groups FROM admitted GROUP BY ALL);

-- The answer for each longest destination prefix and class: the longest prefix that the class may use, its first group.
CREATE TEMP TABLE rates AS
WITH shorter AS (
  SELECT longest, service, left(destination, unnest(range(1, digits + 1))::INTEGER) AS destination FROM destinations
), ranked AS (
  SELECT DISTINCT class, unnest(groups) AS origin_group, unnest(range(len(groups))) AS rank FROM origins
), best AS (
  SELECT longest, class, max(row(length(destination), -rank, destination, origin_group, price, description, deck_file, deck_line)) AS b
  FROM shorter JOIN published USING (service, destination) JOIN ranked USING (origin_group) GROUP BY ALL
)
SELECT longest, class, b[3] AS destination_prefix, b[4] AS origin_group, b[5] AS price, (b[5] * 100000)::BIGINT AS price_units,
       b[6] AS description, b[7] AS deck_file, b[8] AS deck_line
FROM best;

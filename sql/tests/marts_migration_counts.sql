/* ---
description: >-
  A migration starts from and arrives at the tiers of its two dates, holds every customer known by then, and its shares
  add up to 1
--- */
WITH tiers AS (
    SELECT as_of, tier, count(*) AS customers FROM marts.customer_tier GROUP BY as_of, tier
),
arrivals AS (
    SELECT to_as_of AS as_of, to_tier AS tier, sum(customers) AS customers
    FROM marts.segment_migration
    WHERE to_tier <> 'inactive'
    GROUP BY to_as_of, to_tier
),
departures AS (
    SELECT from_as_of AS as_of, from_tier AS tier, sum(customers) AS customers, sum(share) AS share
    FROM marts.segment_migration
    WHERE from_tier NOT IN ('not_yet', 'inactive')
    GROUP BY from_as_of, from_tier
),
known AS (
    SELECT periods.as_of, count(*) AS customers
    FROM core.periods AS periods
    JOIN marts.customer_history AS customers
        ON customers.first_ordered_on < periods.as_of AND customers.as_of = DATE '{{ as_of }}'
    GROUP BY periods.as_of
),
everybody AS (
    SELECT to_as_of AS as_of, sum(customers) AS customers FROM marts.segment_migration GROUP BY to_as_of
)
SELECT 'arrivals' AS fault, tiers.as_of, tiers.tier, tiers.customers AS expected, arrivals.customers AS found
FROM tiers LEFT JOIN arrivals ON arrivals.as_of = tiers.as_of AND arrivals.tier = tiers.tier
WHERE tiers.as_of > (SELECT min(as_of) FROM core.periods) AND (arrivals.customers IS DISTINCT FROM tiers.customers)
UNION ALL
SELECT 'departures', tiers.as_of, tiers.tier, tiers.customers, departures.customers
FROM tiers LEFT JOIN departures ON departures.as_of = tiers.as_of AND departures.tier = tiers.tier
WHERE tiers.as_of < (SELECT max(as_of) FROM core.periods)
    AND ((departures.customers IS DISTINCT FROM tiers.customers) OR abs(departures.share - 1) > 0.000001)
UNION ALL
SELECT 'everybody', known.as_of, 'all', known.customers, everybody.customers
FROM known LEFT JOIN everybody ON everybody.as_of = known.as_of
WHERE known.as_of > (SELECT min(as_of) FROM core.periods) AND (everybody.customers IS DISTINCT FROM known.customers)

/* ---
description: >-
  Key customers hold at least their share of the base and would not without the least of them; so do key and ordinary
  customers together; and nobody is in a higher tier than somebody of greater value
--- */
WITH ranked AS (
    SELECT
        as_of,
        tier,
        CASE WHEN value > 0 THEN value ELSE 0 END AS value,
        row_number() OVER (PARTITION BY as_of, tier ORDER BY position DESC) AS place_from_below
    FROM marts.customer_tier
),
sums AS (
    SELECT
        as_of,
        sum(value) AS base,
        sum(value) FILTER (WHERE tier = 'key') AS key_value,
        sum(value) FILTER (WHERE tier = 'key' AND place_from_below > 1) AS key_value_but_one,
        sum(value) FILTER (WHERE tier <> 'small') AS upper_value,
        sum(value) FILTER (WHERE tier = 'key' OR (tier = 'ordinary' AND place_from_below > 1)) AS upper_value_but_one,
        count(*) FILTER (WHERE tier = 'ordinary') AS ordinary_customers,
        min(value) FILTER (WHERE tier = 'key') AS least_key_value,
        max(value) FILTER (WHERE tier <> 'key') AS greatest_other_value,
        min(value) FILTER (WHERE tier <> 'small') AS least_upper_value,
        max(value) FILTER (WHERE tier = 'small') AS greatest_small_value
    FROM ranked
    GROUP BY as_of
)
SELECT *
FROM sums
WHERE base > 0
    AND (
        key_value * 100 < base * {{ var('tier_key_percent', 80) }}
        OR coalesce(key_value_but_one, 0) * 100 >= base * {{ var('tier_key_percent', 80) }}
        OR upper_value * 100 < base * {{ var('tier_ordinary_percent', 95) }}
        OR (ordinary_customers > 0
            AND coalesce(upper_value_but_one, 0) * 100 >= base * {{ var('tier_ordinary_percent', 95) }})
        OR greatest_other_value > least_key_value
        OR greatest_small_value > least_upper_value
    )

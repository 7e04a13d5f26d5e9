/* ---
description: >-
  The customer pyramid at each as-of date, by the 80/95 rule: customers sorted by value, greatest first and ties by
  customer id, are key while the value before them is under 80 % of the whole, ordinary while it is under 95 %, else
  small. Customers of negative value stay outside the base (the whole) and are small. The shares are
  `tier_key_percent` and `tier_ordinary_percent`, the window `tier_window_months`.
grain: [as_of, customer_id]
columns:
  as_of: {description: "End of a month, or the current day", tests: [not_null]}
  customer_id: {description: Who, tests: [not_null]}
  value: {description: Net revenue of the window before as_of, tests: [not_null]}
  tier: {tests: [not_null, {accepted_values: [key, ordinary, small]}], description: "key, ordinary or small"}
  position: {description: "1 for the greatest value", tests: [not_null, {range: {min: 1}}]}
--- */
WITH base AS (
    SELECT as_of, sum(CASE WHEN value > 0 THEN value ELSE 0 END) AS total
    FROM marts.customer_window
    GROUP BY as_of
),
ranked AS (
    SELECT
        as_of,
        customer_id,
        value,
        row_number() OVER (PARTITION BY as_of ORDER BY value DESC, customer_id) AS position,
        sum(CASE WHEN value > 0 THEN value ELSE 0 END) OVER (
            PARTITION BY as_of ORDER BY value DESC, customer_id ROWS UNBOUNDED PRECEDING
        ) - CASE WHEN value > 0 THEN value ELSE 0 END AS value_before
    FROM marts.customer_window
)
SELECT
    ranked.as_of,
    ranked.customer_id,
    ranked.value,
    CASE
        WHEN ranked.value <= 0 THEN 'small'
        WHEN ranked.value_before * 100 < base.total * {{ var('tier_key_percent', 80) }} THEN 'key'
        WHEN ranked.value_before * 100 < base.total * {{ var('tier_ordinary_percent', 95) }} THEN 'ordinary'
        ELSE 'small'
    END AS tier,
    CAST(ranked.position AS BIGINT) AS position
FROM ranked JOIN base ON base.as_of = ranked.as_of

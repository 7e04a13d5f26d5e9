/* ---
description: The bins of the hold-out, its regions and its customers add up to the same check of all
--- */
WITH whole AS (
    SELECT as_of, customers, actual_purchases, earlier_purchases, actual_revenue, expected_purchases
    FROM marts.customer_lifetime_value_check
    WHERE region = 'all'
),
parts AS (
    SELECT
        'regions' AS part, as_of, sum(customers) AS customers, sum(actual_purchases) AS actual_purchases,
        CASE WHEN count(*) = count(expected_purchases) THEN sum(expected_purchases) END AS expected_purchases
    FROM marts.customer_lifetime_value_check
    WHERE region <> 'all'
    GROUP BY as_of
    UNION ALL
    SELECT
        'bins', as_of, sum(customers), sum(actual_purchases),
        CASE WHEN count(*) = count(expected_purchases) THEN sum(expected_purchases) END
    FROM marts.customer_holdout_bin
    GROUP BY as_of
    UNION ALL
    SELECT
        'tracking', as_of, NULL, max(actual_purchases) FILTER (WHERE week_end = as_of)
            - max(actual_purchases) FILTER (WHERE NOT is_held_out), NULL
    FROM marts.customer_base_tracking
    GROUP BY as_of
)
SELECT parts.part, whole.as_of, whole.customers, parts.customers AS customers_found, whole.actual_purchases,
    parts.actual_purchases AS actual_found, whole.expected_purchases, parts.expected_purchases AS expected_found
FROM whole JOIN parts ON parts.as_of = whole.as_of
WHERE parts.customers <> whole.customers
    OR parts.actual_purchases <> whole.actual_purchases
    OR abs(parts.expected_purchases - whole.expected_purchases) > 0.000001 * whole.expected_purchases

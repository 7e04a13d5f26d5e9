/* ---
description: >-
  Who is silent beyond their own rhythm. The overdue ratio is the days since the last purchase / the customer's typical
  gap between purchases: the median of the own gaps, drawn towards the population's median as if `rhythm_prior_gaps`
  (2) gaps of that length had been seen too. Customers with at least two days of purchases; overdue from a ratio of
  `overdue_ratio` (3) on.
grain: [as_of, customer_id]
columns:
  as_of: {description: Only facts dated before it are counted, tests: [not_null]}
  customer_id: {description: Who, tests: [not_null]}
  purchase_days: {description: Days with a purchase, tests: [not_null, {range: {min: 2}}]}
  last_purchased_on: {description: The last of them, tests: [not_null]}
  days_silent: {description: "From it to as_of", tests: [not_null, {range: {min: 1}}]}
  own_gap_days: {description: Median of the customer's gaps, tests: [not_null, {range: {min: 1}}]}
  population_gap_days: {description: Median of all customers' medians, tests: [not_null]}
  typical_gap_days: {description: "What the customer's gap is taken for", tests: [not_null, {range: {min: 1}}]}
  overdue_ratio: {description: "days_silent / typical_gap_days", tests: [not_null]}
  is_overdue: {description: "The ratio is `overdue_ratio` or more", tests: [not_null]}
  value_at_stake: {description: "Net revenue of the window of marts.customer_tier; 0 without a line in it",
    tests: [not_null]}
--- */
{% set prior = var('rhythm_prior_gaps', 2) %}
WITH gaps AS (
    SELECT
        customer_id,
        ordered_on,
        ordered_on - lag(ordered_on) OVER (PARTITION BY customer_id ORDER BY ordered_on) AS gap_days
    FROM marts.customer_day
    WHERE is_purchase
),
own AS (
    SELECT
        dates.as_of,
        gaps.customer_id,
        count(*) AS purchase_days,
        max(gaps.ordered_on) AS last_purchased_on,
        median(CAST(gaps.gap_days AS DOUBLE)) AS own_gap_days
    FROM marts.customer_base_date AS dates
    JOIN gaps ON gaps.ordered_on < dates.as_of
    GROUP BY dates.as_of, gaps.customer_id
    HAVING count(*) > 1
),
population AS (
    SELECT as_of, median(own_gap_days) AS population_gap_days FROM own GROUP BY as_of
),
typical AS (
    SELECT
        own.*,
        own.as_of - own.last_purchased_on AS days_silent,
        population.population_gap_days,
        (own.own_gap_days * (own.purchase_days - 1) + population.population_gap_days * {{ prior }})
            / (own.purchase_days - 1 + {{ prior }}) AS typical_gap_days
    FROM own JOIN population ON population.as_of = own.as_of
)
SELECT
    typical.as_of,
    typical.customer_id,
    typical.purchase_days,
    typical.last_purchased_on,
    typical.days_silent,
    typical.own_gap_days,
    typical.population_gap_days,
    typical.typical_gap_days,
    typical.days_silent / typical.typical_gap_days AS overdue_ratio,
    typical.days_silent >= typical.typical_gap_days * {{ var('overdue_ratio', 3) }} AS is_overdue,
    coalesce(tiers.value, 0) AS value_at_stake
FROM typical
LEFT JOIN marts.customer_tier AS tiers
    ON tiers.as_of = typical.as_of AND tiers.customer_id = typical.customer_id

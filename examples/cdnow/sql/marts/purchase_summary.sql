/* ---
description: >-
  What models of repeat buying are fitted to, per customer who bought before `calibration_until`: the number of repeat
  days, the time of the last one and the length of observation, in weeks of seven days, not calendar weeks. Purchases of
  one day are one. The days from calibration_until to the as-of date are the hold-out.
grain: [customer_id]
columns:
  customer_id: {description: Who, tests: [not_null, unique]}
  first_ordered_on: {description: Day of the first purchase, tests: [not_null]}
  frequency: {description: "x: days with a purchase after the first, in calibration",
    tests: [not_null, {range: {min: 0}}]}
  recency_weeks: {description: "t_x: weeks from the first day to the last in calibration, 0 without a repeat",
    tests: [not_null, {range: {min: 0}}]}
  age_weeks: {description: "T: weeks from the first day to the last day of calibration",
    tests: [not_null, {range: {min: 0}}]}
  holdout_frequency: {description: Days with a purchase in the hold-out, tests: [not_null, {range: {min: 0}}]}
  calibration_revenue: {description: What was spent in calibration, tests: [not_null]}
  holdout_revenue: {description: What was spent in the hold-out, tests: [not_null]}
  mean_repeat_revenue: {description: "Spending per repeat day in calibration, to four decimals; NULL without a repeat"}
--- */
{% set until = var('calibration_until', as_of) %}
WITH days AS (
    SELECT
        customer_id,
        ordered_on,
        sum(revenue) AS revenue,
        min(ordered_on) OVER (PARTITION BY customer_id) AS first_ordered_on,
        ordered_on < DATE '{{ until }}' AS in_calibration
    FROM core.order_lines
    WHERE ordered_on < DATE '{{ as_of }}'
    GROUP BY customer_id, ordered_on
),
customer AS (
    SELECT
        customer_id,
        first_ordered_on,
        count(*) FILTER (WHERE in_calibration) - 1 AS frequency,
        max(CASE WHEN in_calibration THEN ordered_on END) AS last_ordered_on,
        count(*) FILTER (WHERE NOT in_calibration) AS holdout_frequency,
        sum(CASE WHEN in_calibration THEN revenue ELSE 0 END) AS calibration_revenue,
        sum(CASE WHEN NOT in_calibration THEN revenue ELSE 0 END) AS holdout_revenue,
        sum(CASE WHEN in_calibration AND ordered_on > first_ordered_on THEN revenue ELSE 0 END) AS repeat_revenue
    FROM days
    GROUP BY customer_id, first_ordered_on
)
SELECT
    customer_id,
    first_ordered_on,
    frequency,
    (last_ordered_on - first_ordered_on) / 7.0 AS recency_weeks,
    (DATE '{{ until }}' - 1 - first_ordered_on) / 7.0 AS age_weeks,
    holdout_frequency,
    calibration_revenue,
    holdout_revenue,
    CAST(round(repeat_revenue / nullif(frequency, 0), 4) AS DECIMAL(18, 4)) AS mean_repeat_revenue
FROM customer
WHERE first_ordered_on < DATE '{{ until }}'

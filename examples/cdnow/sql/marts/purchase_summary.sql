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
  mean_repeat_revenue: {description: "Spending per repeat day in calibration; NULL without a repeat"}
--- */
{% set until = var('calibration_until', as_of) %}
WITH customer AS (
    SELECT
        customer_id,
        min(ordered_on) AS first_ordered_on,
        purchase_summary(
            ordered_on, revenue, DATE '{{ until }}' - 1, 'week'{% if until < as_of %}, DATE '{{ as_of }}' - 1{% endif %}
        ) AS summary,
        sum(CASE WHEN ordered_on < DATE '{{ until }}' THEN revenue ELSE 0 END) AS calibration_revenue,
        sum(CASE WHEN ordered_on >= DATE '{{ until }}' THEN revenue ELSE 0 END) AS holdout_revenue
    FROM core.order_lines
    WHERE ordered_on < DATE '{{ as_of }}'
    GROUP BY customer_id
)
SELECT
    customer_id,
    first_ordered_on,
    summary['frequency'] AS frequency,
    summary['recency'] AS recency_weeks,
    summary['age'] AS age_weeks,
    coalesce(summary['holdout_frequency'], 0) AS holdout_frequency,
    calibration_revenue,
    holdout_revenue,
    summary['mean_spend'] AS mean_repeat_revenue
FROM customer
WHERE summary['frequency'] IS NOT NULL

/* ---
description: >-
  What models of repeat buying are fitted to, of every customer with a purchase before each date of
  marts.customer_base_date: the whole history, and, for the hold-out check, what was known before `calibration_until`
  beside what came from it on. Time is measured in weeks of seven days from the first purchase.
grain: [as_of, customer_id]
columns:
  as_of: {description: Only facts dated before it are counted, tests: [not_null]}
  customer_id: {description: Who, tests: [not_null]}
  region: {description: "Sales region; `unknown` where there is none", tests: [not_null]}
  frequency: {description: "x: days with a purchase after the first", tests: [not_null, {range: {min: 0}}]}
  recency_weeks: {description: "t_x: weeks from the first to the last purchase", tests: [not_null, {range: {min: 0}}]}
  age_weeks: {description: "T: weeks from the first purchase to the end", tests: [not_null, {range: {min: 0}}]}
  mean_spend: {description: "Revenue of the days after the first purchase / repeat days, so net of what came back; NULL
    without a repeat"}
  calibration_frequency: {description: "As frequency, before calibration_until; NULL, as the next three, for customers
    who came later", tests: [{range: {min: 0}}]}
  calibration_recency_weeks: {description: As recency_weeks, tests: [{range: {min: 0}}]}
  calibration_age_weeks: {description: As age_weeks, tests: [{range: {min: 0}}]}
  calibration_mean_spend: {description: As mean_spend}
  earlier_frequency: {description: "Days with a purchase in as many weeks before calibration_until as are held out; NULL
    for customers who came later", tests: [{range: {min: 0}}]}
  earlier_revenue: {description: "Revenue of those weeks, net of returns"}
  holdout_frequency: {description: "Days with a purchase from calibration_until on; NULL for customers who came later",
    tests: [{range: {min: 0}}]}
  holdout_revenue: {description: "Revenue from then on, net of returns"}
--- */
WITH firsts AS (
    SELECT customer_id, min(ordered_on) AS first_purchased_on
    FROM marts.customer_day
    WHERE is_purchase
    GROUP BY customer_id
),
days AS (
    SELECT
        dates.as_of,
        dates.calibration_until,
        CAST(dates.calibration_until - CAST(7 * dates.holdout_weeks AS INTEGER) AS DATE) AS earlier_from,
        days.customer_id,
        days.ordered_on,
        days.is_purchase,
        days.ordered_on > firsts.first_purchased_on AS is_later,
        days.revenue
    FROM marts.customer_base_date AS dates
    JOIN marts.customer_day AS days ON days.ordered_on < dates.as_of
    JOIN firsts ON firsts.customer_id = days.customer_id
),
customer AS (
    SELECT
        as_of,
        customer_id,
        -- Which days are purchases is told, not seen from the amount: a credit that is taken back is above 0.
        purchase_summary(ordered_on, NULL, as_of - 1, 'week') FILTER (WHERE is_purchase) AS summary,
        purchase_summary(ordered_on, NULL, calibration_until - 1, 'week') FILTER (WHERE is_purchase) AS calibration,
        sum(CASE WHEN is_later THEN revenue ELSE 0 END) AS later_revenue,
        sum(CASE WHEN is_later AND ordered_on < calibration_until THEN revenue ELSE 0 END) AS calibration_later_revenue,
        count(*) FILTER (WHERE is_purchase AND ordered_on >= calibration_until) AS holdout_frequency,
        sum(CASE WHEN ordered_on >= calibration_until THEN revenue ELSE 0 END) AS holdout_revenue,
        count(*) FILTER (WHERE is_purchase AND ordered_on >= earlier_from AND ordered_on < calibration_until)
            AS earlier_frequency,
        sum(CASE WHEN ordered_on >= earlier_from AND ordered_on < calibration_until THEN revenue ELSE 0 END)
            AS earlier_revenue
    FROM days
    GROUP BY as_of, customer_id
),
known AS (
    SELECT *, calibration['frequency'] IS NOT NULL AS is_known FROM customer WHERE summary['frequency'] IS NOT NULL
)
SELECT
    customer.as_of,
    customer.customer_id,
    coalesce(customers.region, 'unknown') AS region,
    customer.summary['frequency'] AS frequency,
    customer.summary['recency'] AS recency_weeks,
    customer.summary['age'] AS age_weeks,
    CAST(customer.later_revenue AS DOUBLE) / nullif(customer.summary['frequency'], 0) AS mean_spend,
    customer.calibration['frequency'] AS calibration_frequency,
    customer.calibration['recency'] AS calibration_recency_weeks,
    customer.calibration['age'] AS calibration_age_weeks,
    CAST(customer.calibration_later_revenue AS DOUBLE) / nullif(customer.calibration['frequency'], 0)
        AS calibration_mean_spend,
    CASE WHEN customer.is_known THEN customer.earlier_frequency END AS earlier_frequency,
    CASE WHEN customer.is_known THEN customer.earlier_revenue END AS earlier_revenue,
    CASE WHEN customer.is_known THEN customer.holdout_frequency END AS holdout_frequency,
    CASE WHEN customer.is_known THEN customer.holdout_revenue END AS holdout_revenue
FROM known AS customer
LEFT JOIN core.customers AS customers ON customers.customer_id = customer.customer_id

/* ---
description: >-
  The hold-out check, customer by customer: what the fit to the days before `calibration_until` expected of the weeks
  held out, and what came. Only customers with a purchase before that day; what the fit expects is NULL where none
  converged.
grain: [as_of, customer_id]
columns:
  as_of: {description: End of the weeks held out, tests: [not_null]}
  customer_id: {description: Who, tests: [not_null]}
  region: {description: Sales region, tests: [not_null]}
  frequency: {description: Repeat days before the weeks held out, tests: [not_null, {range: {min: 0}}]}
  silent_weeks: {description: "Weeks from the last purchase to the hold-out: the plain recency",
    tests: [not_null, {range: {min: 0}}]}
  expected_purchases: {description: Days with a purchase that the fit expects, tests: [{range: {min: 0}}]}
  actual_purchases: {description: Those that came, tests: [not_null, {range: {min: 0}}]}
  earlier_purchases: {description: "Those of as many weeks before, the plain guess",
    tests: [not_null, {range: {min: 0}}]}
  expected_revenue: {description: "expected_purchases times the spending the fit expects", tests: [{range: {min: 0}}]}
  actual_revenue: {description: Revenue of those purchases, tests: [not_null]}
  earlier_revenue: {description: Revenue of as many weeks before, tests: [not_null]}
--- */
WITH fits AS (
    SELECT own.as_of, own.region, used.fit, used.spend_fit
    FROM marts.customer_base_fit AS own
    JOIN marts.customer_base_fit AS used
        ON used.as_of = own.as_of AND used.observed = own.observed AND used.region = own.used_region
    WHERE own.observed = 'calibration'
),
expected AS (
    SELECT
        purchases.*,
        expected_purchases(
            fits.fit, calibration_frequency, calibration_recency_weeks, calibration_age_weeks,
            CAST(dates.holdout_weeks AS DOUBLE), 'week'
        ) AS expected_purchases,
        expected_spend(fits.spend_fit, calibration_frequency, calibration_mean_spend) AS expected_spend,
        -- Who sent back all that was bought again has no positive spending, which the model needs.
        calibration_frequency > 0 AND calibration_mean_spend <= 0 AS spends_nothing
    FROM marts.customer_purchases AS purchases
    JOIN marts.customer_base_date AS dates ON dates.as_of = purchases.as_of
    LEFT JOIN fits ON fits.as_of = purchases.as_of AND fits.region = purchases.region
    WHERE dates.holdout_weeks > 0 AND purchases.calibration_frequency IS NOT NULL
)
SELECT
    as_of,
    customer_id,
    region,
    calibration_frequency AS frequency,
    calibration_age_weeks - calibration_recency_weeks AS silent_weeks,
    expected_purchases,
    holdout_frequency AS actual_purchases,
    earlier_frequency AS earlier_purchases,
    expected_purchases * CASE WHEN spends_nothing THEN 0 ELSE expected_spend END AS expected_revenue,
    holdout_revenue AS actual_revenue,
    earlier_revenue
FROM expected

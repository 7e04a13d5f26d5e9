/* ---
description: >-
  How far the model missed last time: what it expected of the weeks held out against what came, by region and in all,
  beside the plain guess that customers go on as in as many weeks before. Misses are (expected - actual) / actual. The
  rank figures ask whether who was expected to buy more is who bought (area under the curve, 0.5 is chance), and
  compare it with plain recency.
grain: [as_of, region]
columns:
  as_of: {description: End of the weeks held out, tests: [not_null]}
  region: {description: "Sales region; `all` is their sum", tests: [not_null]}
  calibration_until: {description: First day held out, tests: [not_null]}
  holdout_weeks: {description: How many, tests: [not_null, {range: {min: 1}}]}
  used_region: {description: "Whose fit was used; NULL when none converged, and for `all`, which adds up the regions"}
  customers: {description: With a purchase before the weeks held out, tests: [not_null, {range: {min: 1}}]}
  expected_purchases: {description: "NULL when no fit converged", tests: [{range: {min: 0}}]}
  actual_purchases: {description: Days with a purchase that came, tests: [not_null, {range: {min: 0}}]}
  earlier_purchases: {description: Those of as many weeks before, tests: [not_null, {range: {min: 0}}]}
  miss: {description: Of the model in purchases; NULL without expectation or purchases}
  earlier_miss: {description: Of the plain guess}
  expected_revenue: {description: "NULL when no fit converged", tests: [{range: {min: 0}}]}
  actual_revenue: {description: Revenue of the purchases that came, tests: [not_null]}
  earlier_revenue: {description: Revenue of as many weeks before, tests: [not_null]}
  revenue_miss: {description: Of the model in revenue; NULL where no more was bought than came back}
  earlier_revenue_miss: {description: Of the plain guess}
  buyers: {description: Customers who bought in the weeks held out, tests: [not_null, {range: {min: 0}}]}
  auc: {description: Of the expected purchases, tests: [{range: {min: 0, max: 1}}]}
  recency_auc: {description: Of plain recency, tests: [{range: {min: 0, max: 1}}]}
  auc_verdict: {description: Whether the difference is more than chance}
--- */
WITH scoped AS (
    SELECT * FROM marts.customer_holdout
    UNION ALL
    SELECT
        as_of, customer_id, 'all' AS region, frequency, silent_weeks, expected_purchases, actual_purchases,
        earlier_purchases, expected_revenue, actual_revenue, earlier_revenue
    FROM marts.customer_holdout
),
sums AS (
    SELECT
        as_of,
        region,
        count(*) AS customers,
        -- One customer without an expectation leaves the sum without one.
        CASE WHEN count(*) = count(expected_purchases) THEN exact_sum(expected_purchases) END AS expected_purchases,
        CAST(sum(actual_purchases) AS BIGINT) AS actual_purchases,
        CAST(sum(earlier_purchases) AS BIGINT) AS earlier_purchases,
        CASE WHEN count(*) = count(expected_revenue) THEN exact_sum(expected_revenue) END AS expected_revenue,
        sum(actual_revenue) AS actual_revenue,
        sum(earlier_revenue) AS earlier_revenue,
        count(*) FILTER (WHERE actual_purchases > 0) AS buyers,
        auc_compared(expected_purchases, -silent_weeks, actual_purchases > 0) AS ranks
    FROM scoped
    GROUP BY as_of, region
)
SELECT
    sums.as_of,
    sums.region,
    dates.calibration_until,
    dates.holdout_weeks,
    CASE WHEN sums.region <> 'all' THEN fits.used_region END AS used_region,
    sums.customers,
    sums.expected_purchases,
    sums.actual_purchases,
    sums.earlier_purchases,
    (sums.expected_purchases - sums.actual_purchases) / nullif(sums.actual_purchases, 0) AS miss,
    CAST(sums.earlier_purchases - sums.actual_purchases AS DOUBLE) / nullif(sums.actual_purchases, 0) AS earlier_miss,
    sums.expected_revenue,
    sums.actual_revenue,
    sums.earlier_revenue,
    CASE WHEN sums.actual_revenue > 0
        THEN (sums.expected_revenue - CAST(sums.actual_revenue AS DOUBLE)) / CAST(sums.actual_revenue AS DOUBLE)
    END AS revenue_miss,
    CASE WHEN sums.actual_revenue > 0
        THEN CAST(sums.earlier_revenue - sums.actual_revenue AS DOUBLE) / CAST(sums.actual_revenue AS DOUBLE)
    END AS earlier_revenue_miss,
    sums.buyers,
    sums.ranks['auc'] AS auc,
    sums.ranks['baseline_auc'] AS recency_auc,
    sums.ranks['verdict'] AS auc_verdict
FROM sums
JOIN marts.customer_base_date AS dates ON dates.as_of = sums.as_of
LEFT JOIN marts.customer_base_fit AS fits
    ON fits.as_of = sums.as_of AND fits.region = sums.region AND fits.observed = 'calibration'

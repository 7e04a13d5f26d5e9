/* ---
description: >-
  What the customer base is worth, by region and in all: what it has brought so far and what it is expected to bring
  within the horizon, two columns that are never added. A region whose own fit did not converge is valued by that of
  all; where that did not converge either there is no predicted value, and the verdict and its reason say why. How far
  the model missed last time is shown beside it.
grain: [as_of, region]
columns:
  as_of: {description: A date of marts.customer_base_date, tests: [not_null]}
  region: {description: "Sales region; `all` is their sum", tests: [not_null]}
  customers: {description: With a line before as_of, tests: [not_null, {range: {min: 1}}]}
  buyers: {description: "Those of them who ever bought, whose value is predicted", tests: [not_null, {range: {min: 0}}]}
  value_basis: {tests: [not_null, {accepted_values: [margin, revenue]}], description: What both values are made of}
  historical_value: {description: To date, tests: [not_null]}
  predicted_value: {description: "Expected and discounted, of the next horizon_months months; NULL unless the verdict is
    `converged`"}
  predicted_low: {description: "Lower end of its 95 % interval by marts.customer_value_interval: the uncertainty of the
    fit; NULL where the fit gives no standard errors"}
  predicted_high: {description: Upper end}
  horizon_months: {description: Months ahead, tests: [not_null]}
  yearly_discount_rate: {description: Discount a year, tests: [not_null]}
  expected_purchases: {description: Days with a purchase within the horizon}
  verdict: {tests: [not_null, {accepted_values: [converged, boundary, too little data, not converged]}],
    description: Of the fit used}
  reason: {description: "Why it is not `converged`, as one sentence"}
  used_region: {description: "Whose fit was used: the region, or `all`; NULL when none, and for `all`, which adds up the
    regions"}
  own_verdict: {description: Of the region's own fit}
  own_reason: {description: "Why it is not `converged`"}
  holdout_miss: {description: "(expected - actual) / actual purchases of the weeks held out"}
  holdout_revenue_miss: {description: The same of revenue}
--- */
WITH regions AS (
    SELECT
        as_of,
        region,
        count(*) AS customers,
        count(*) FILTER (WHERE orders > 0) AS buyers,
        max(value_basis) AS value_basis,
        sum(historical_value) AS historical_value,
        -- Without a prediction; one of them leaves the sum without one.
        count(*) FILTER (WHERE orders > 0 AND predicted_value IS NULL) AS unpredicted,
        sum(predicted_value) AS predicted_value,
        exact_sum(expected_purchases) AS expected_purchases
    FROM marts.customer_value
    GROUP BY as_of, region
),
bounded AS (
    SELECT
        regions.*,
        -- Of a value below 0, the larger share is the lower end.
        CAST(round(regions.predicted_value
            * CASE WHEN regions.predicted_value < 0 THEN intervals.high ELSE intervals.low END, 2) AS DECIMAL(18, 2))
            AS predicted_low,
        CAST(round(regions.predicted_value
            * CASE WHEN regions.predicted_value < 0 THEN intervals.low ELSE intervals.high END, 2) AS DECIMAL(18, 2))
            AS predicted_high
    FROM regions
    LEFT JOIN marts.customer_value_interval AS intervals
        ON intervals.as_of = regions.as_of AND intervals.region = regions.region
),
sums AS (
    SELECT
        as_of, region, customers, buyers, value_basis, historical_value, unpredicted, predicted_value, predicted_low,
        predicted_high, expected_purchases
    FROM bounded
    UNION ALL
    SELECT
        as_of, 'all' AS region, sum(customers), sum(buyers), max(value_basis), sum(historical_value), sum(unpredicted),
        sum(predicted_value),
        CASE WHEN count(*) FILTER (WHERE predicted_value <> 0 AND predicted_low IS NULL) = 0
            THEN sum(predicted_low) END,
        CASE WHEN count(*) FILTER (WHERE predicted_value <> 0 AND predicted_high IS NULL) = 0
            THEN sum(predicted_high) END,
        exact_sum(expected_purchases)
    FROM bounded
    GROUP BY as_of
),
fits AS (
    SELECT as_of, region, used_region, verdict, reason FROM marts.customer_base_fit WHERE observed = 'full'
),
judged AS (
    SELECT
        sums.*,
        -- Where nobody ever bought, nothing is expected, as long as there is a model to expect it.
        sums.unpredicted = 0 AND (sums.buyers > 0 OR coalesce(whole.verdict, '') = 'converged') AS is_predicted,
        fits.used_region,
        coalesce(fits.verdict, 'too little data') AS own_verdict,
        fits.reason AS own_reason,
        coalesce(whole.verdict, 'too little data') AS all_verdict,
        coalesce(whole.reason, CASE WHEN whole.verdict IS NULL THEN 'nobody has bought yet' END) AS all_reason
    FROM sums
    LEFT JOIN fits ON fits.as_of = sums.as_of AND fits.region = sums.region
    LEFT JOIN fits AS whole ON whole.as_of = sums.as_of AND whole.region = 'all'
)
SELECT
    judged.as_of,
    judged.region,
    judged.customers,
    judged.buyers,
    judged.value_basis,
    judged.historical_value,
    CASE WHEN judged.is_predicted THEN coalesce(judged.predicted_value, 0) END AS predicted_value,
    CASE WHEN judged.is_predicted THEN judged.predicted_low END AS predicted_low,
    CASE WHEN judged.is_predicted THEN judged.predicted_high END AS predicted_high,
    {{ var('clv_horizon_months', 12) }} AS horizon_months,
    CAST({{ var('clv_discount_rate', 0.10) }} AS DOUBLE) AS yearly_discount_rate,
    CASE WHEN judged.is_predicted THEN judged.expected_purchases END AS expected_purchases,
    CASE WHEN judged.is_predicted THEN 'converged' ELSE judged.all_verdict END AS verdict,
    CASE WHEN NOT judged.is_predicted THEN judged.all_reason END AS reason,
    CASE WHEN judged.region <> 'all' THEN judged.used_region END AS used_region,
    judged.own_verdict,
    judged.own_reason,
    checks.miss AS holdout_miss,
    checks.revenue_miss AS holdout_revenue_miss
FROM judged
LEFT JOIN marts.customer_lifetime_value_check AS checks
    ON checks.as_of = judged.as_of AND checks.region = judged.region

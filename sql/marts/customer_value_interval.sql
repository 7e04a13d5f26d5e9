/* ---
description: >-
  How certain the fits make the predicted value of each region, as shares of it: the 95 % interval of the parameters,
  found on up to `clv_interval_sample` (50) of its customers, spread evenly from the least to the most valuable. The
  uncertainty of a fit is common to its customers, so that their intervals are added, not averaged out. What the model
  does not know of (a new rival, a campaign) is not in it.
grain: [as_of, region]
columns:
  as_of: {description: A date of marts.customer_base_date, tests: [not_null]}
  region: {description: Sales region, tests: [not_null]}
  customers: {description: How many it was found on, tests: [not_null, {range: {min: 1}}]}
  low: {description: "Lower end / predicted value; NULL where the fit gives no standard errors",
    tests: [{range: {min: 0, max: 1}}]}
  high: {description: Upper end / predicted value, tests: [{range: {min: 1}}]}
--- */
{% set sample = var('clv_interval_sample', 50) %}
WITH ranked AS (
    SELECT
        as_of,
        customer_id,
        region,
        used_region,
        row_number() OVER (PARTITION BY as_of, region ORDER BY abs(predicted_value), customer_id) AS place,
        count(*) OVER (PARTITION BY as_of, region) AS customers
    FROM marts.customer_value
    WHERE predicted_value <> 0
),
sampled AS (
    SELECT * FROM ranked WHERE place * {{ sample }} / customers > (place - 1) * {{ sample }} / customers
),
intervals AS (
    SELECT
        sampled.as_of,
        sampled.region,
        customer_lifetime_value_interval(
            fits.fit, fits.spend_fit, purchases.frequency, purchases.recency_weeks,
            purchases.age_weeks, purchases.mean_spend, 1,
            {{ var('clv_discount_rate', 0.10) }}, {{ var('clv_horizon_months', 12) }}, 'month'
        ) AS value
    FROM sampled
    JOIN marts.customer_purchases AS purchases
        ON purchases.as_of = sampled.as_of AND purchases.customer_id = sampled.customer_id
    JOIN marts.customer_base_fit AS fits
        ON fits.as_of = sampled.as_of AND fits.observed = 'full' AND fits.region = sampled.used_region
)
SELECT
    as_of,
    region,
    count(*) AS customers,
    exact_sum(value['low']) / exact_sum(value['estimate']) AS low,
    exact_sum(value['high']) / exact_sum(value['estimate']) AS high
FROM intervals
GROUP BY as_of, region

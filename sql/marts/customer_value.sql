/* ---
description: >-
  What each customer has brought and what each is expected to bring, two figures that are never added. The historical
  value is margin to date; the predicted value is the expected margin of the next `clv_horizon_months` (12) months,
  discounted by `clv_discount_rate` (0.10) a year, by the fit of the customer's region, else by that of all; NULL where
  none converged. Where the company knows no costs at all, both are revenue, and value_basis says so in every row.
grain: [as_of, customer_id]
columns:
  as_of: {description: "Only facts dated before it are counted; a date of marts.customer_base_date", tests: [not_null]}
  customer_id: {description: Who, tests: [not_null]}
  region: {description: "Sales region; `unknown` where there is none", tests: [not_null]}
  orders: {description: Distinct orders with a line sold, tests: [not_null, {range: {min: 0}}]}
  revenue: {description: Net of returns, tests: [not_null]}
  value_basis: {tests: [not_null, {accepted_values: [margin, revenue]}], description: What both values are made of}
  historical_value: {description: "Margin to date, or revenue to date where value_basis says so", tests: [not_null]}
  margin_share: {description: "Margin / revenue of the region's lines whose cost is known, else of all lines; 1 where
    value_basis is revenue"}
  used_region: {description: "Whose fit predicted: the region, `all`, or NULL when none converged or the customer never
    bought"}
  expected_purchases: {description: "Days with a purchase within the horizon", tests: [{range: {min: 0}}]}
  expected_spend: {description: Expected revenue of each, tests: [{range: {min: 0}}]}
  predicted_value: {description: "Expected discounted margin of the horizon, to the cent; 0 for repeat buyers who sent
    back all they bought again"}
--- */
{% set months = var('clv_horizon_months', 12) %}
{% set discount_rate = var('clv_discount_rate', 0.10) %}
WITH placed AS (
    SELECT
        history.*,
        coalesce(customers.region, 'unknown') AS region,
        purchases.frequency,
        purchases.recency_weeks,
        purchases.age_weeks,
        purchases.mean_spend
    FROM marts.customer_history AS history
    LEFT JOIN core.customers AS customers ON customers.customer_id = history.customer_id
    LEFT JOIN marts.customer_purchases AS purchases
        ON purchases.as_of = history.as_of AND purchases.customer_id = history.customer_id
),
region_margin AS (
    SELECT
        as_of,
        region,
        sum(margin) AS margin,
        sum(CASE WHEN margin IS NOT NULL THEN revenue - revenue_without_margin END) AS revenue
    FROM placed
    GROUP BY as_of, region
),
shares AS (
    SELECT
        as_of,
        region,
        CASE WHEN sum(margin) OVER everybody IS NULL THEN 'revenue' ELSE 'margin' END AS value_basis,
        CASE
            WHEN sum(margin) OVER everybody IS NULL THEN 1.0
            WHEN margin > 0 AND revenue >= margin THEN CAST(margin AS DOUBLE) / CAST(revenue AS DOUBLE)
            -- Margin is at most all of revenue; where it is not, costs or returns are out of line. Where no more was
            -- sold than came back, nobody can tell what remains of a sale.
            WHEN sum(revenue) OVER everybody > 0 THEN greatest(-1.0, least(1.0,
                CAST(sum(margin) OVER everybody AS DOUBLE) / CAST(sum(revenue) OVER everybody AS DOUBLE)
            ))
            ELSE 0.0
        END AS margin_share
    FROM region_margin
    WINDOW everybody AS (PARTITION BY as_of)
),
fits AS (
    SELECT own.as_of, own.region, used.region AS used_region, used.fit, used.spend_fit
    FROM marts.customer_base_fit AS own
    JOIN marts.customer_base_fit AS used
        ON used.as_of = own.as_of AND used.observed = own.observed AND used.region = own.used_region
    WHERE own.observed = 'full'
),
predicted AS (
    SELECT
        placed.*,
        shares.value_basis,
        shares.margin_share,
        CASE WHEN placed.frequency IS NOT NULL THEN fits.used_region END AS used_region,
        expected_purchases(
            fits.fit, placed.frequency, placed.recency_weeks, placed.age_weeks, {{ months }}, 'month'
        ) AS expected_purchases,
        -- Who sent back all that was bought again has no positive spending, which the model needs.
        placed.frequency > 0 AND placed.mean_spend <= 0 AS spends_nothing,
        expected_spend(fits.spend_fit, placed.frequency, placed.mean_spend) AS expected_spend,
        customer_lifetime_value(
            fits.fit, fits.spend_fit, placed.frequency, placed.recency_weeks, placed.age_weeks, placed.mean_spend,
            shares.margin_share, {{ discount_rate }}, {{ months }}, 'month'
        ) AS predicted_value
    FROM placed
    JOIN shares ON shares.as_of = placed.as_of AND shares.region = placed.region
    LEFT JOIN fits ON fits.as_of = placed.as_of AND fits.region = placed.region
)
SELECT
    as_of,
    customer_id,
    region,
    orders,
    revenue,
    value_basis,
    CASE value_basis WHEN 'margin' THEN coalesce(margin, 0) ELSE revenue END AS historical_value,
    margin_share,
    used_region,
    expected_purchases,
    CASE WHEN spends_nothing AND used_region IS NOT NULL THEN 0 ELSE expected_spend END AS expected_spend,
    CAST(round(
        CASE WHEN spends_nothing AND used_region IS NOT NULL THEN 0 ELSE predicted_value END, 2
    ) AS DECIMAL(18, 2)) AS predicted_value
FROM predicted

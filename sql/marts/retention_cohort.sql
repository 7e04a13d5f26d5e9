/* ---
description: >-
  Of the customers whose first counted line fell in a month (the cohort), how many were active in each month since.
  Cohorts are found over the whole history, before any filter. Every observed cell is there, with 0 where nobody came
  back; cells that lie in the future are absent, and those of the running month say `open`.
grain: [cohort, months_since]
columns:
  cohort: {description: First day of the month of the customers' first line, tests: [not_null]}
  months_since: {description: "0 in the cohort's own month", tests: [not_null, {range: {min: 0}}]}
  period: {description: The month that is looked at, tests: [not_null]}
  period_status: {description: closed or open, tests: [not_null, {accepted_values: [closed, open]}]}
  cohort_customers: {description: Customers of the cohort, tests: [not_null, {range: {min: 1}}]}
  retained_customers: {description: "Active in the month (classic retention)", tests: [not_null, {range: {min: 0}}]}
  retention: {description: "retained_customers / cohort_customers, 0 to 1",
    tests: [not_null, {range: {min: 0, max: 1}}]}
  rolling_retained_customers: {description: "Active in the month or in a later one, as far as is known",
    tests: [not_null, {range: {min: 0}}]}
  revenue: {description: What the cohort spent in the month, tests: [not_null]}
  revenue_retention: {description: "revenue / the cohort's revenue of month 0; NULL where that is not positive"}
--- */
WITH months AS (
    SELECT
        period,
        period_status,
        CAST(date_part('year', period) * 12 + date_part('month', period) - 1 AS INTEGER) AS month_index
    FROM core.periods
),
spans AS (
    SELECT customer_id, min(month_index) AS cohort_index, max(month_index) AS last_index
    FROM marts.customer_month
    GROUP BY customer_id
),
active AS (
    SELECT
        spans.cohort_index,
        own.month_index,
        count(*) AS retained_customers,
        count(*) FILTER (WHERE own.month_index = spans.last_index) AS last_seen_customers,
        sum(own.revenue) AS revenue
    FROM marts.customer_month AS own JOIN spans ON spans.customer_id = own.customer_id
    GROUP BY spans.cohort_index, own.month_index
),
cells AS (
    -- Only months in which a customer was new are cohorts: those are the rows of `active` on the diagonal.
    SELECT
        cohorts.period AS cohort,
        months.period,
        months.period_status,
        months.month_index - cohorts.month_index AS months_since,
        coalesce(active.retained_customers, 0) AS retained_customers,
        coalesce(active.last_seen_customers, 0) AS last_seen_customers,
        coalesce(active.revenue, 0) AS revenue
    FROM months AS cohorts
    JOIN months ON months.month_index >= cohorts.month_index
    LEFT JOIN active ON active.cohort_index = cohorts.month_index AND active.month_index = months.month_index
),
measured AS (
    SELECT
        *,
        first_value(retained_customers) OVER (PARTITION BY cohort ORDER BY months_since) AS cohort_customers,
        first_value(revenue) OVER (PARTITION BY cohort ORDER BY months_since) AS cohort_revenue,
        sum(last_seen_customers) OVER (
            PARTITION BY cohort ORDER BY months_since DESC ROWS UNBOUNDED PRECEDING
        ) AS rolling_retained_customers
    FROM cells
)
SELECT
    cohort,
    CAST(months_since AS INTEGER) AS months_since,
    period,
    period_status,
    cohort_customers,
    retained_customers,
    CAST(retained_customers AS DOUBLE) / cohort_customers AS retention,
    rolling_retained_customers,
    revenue,
    CASE WHEN cohort_revenue > 0 THEN CAST(revenue AS DOUBLE) / CAST(cohort_revenue AS DOUBLE) END AS revenue_retention
FROM measured
WHERE cohort_customers > 0

/* ---
description: The cohorts of a month hold all its active customers and revenue, and no cell of the triangle is missing
--- */
WITH cells AS (
    SELECT
        period,
        sum(retained_customers) AS retained_customers,
        sum(revenue) AS revenue,
        max(months_since) + 1 AS months,
        count(DISTINCT period_status) AS statuses
    FROM marts.retention_cohort
    GROUP BY period
),
months AS (
    SELECT period, active_customers, revenue, row_number() OVER (ORDER BY period) AS months FROM marts.company_month
)
SELECT months.period, months.active_customers, cells.retained_customers, months.revenue, cells.revenue AS cells_revenue
FROM months LEFT JOIN cells ON cells.period = months.period
WHERE (cells.retained_customers IS DISTINCT FROM months.active_customers)
    OR (cells.revenue IS DISTINCT FROM months.revenue)
    OR cells.statuses <> 1
    OR cells.months <> months.months

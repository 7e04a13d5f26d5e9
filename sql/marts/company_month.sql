/* ---
description: >-
  The company month by month: every month from the first sale to the one that is running, also those without a sale.
  The last four columns compare the customers with those of the month before; they are NULL in the first month and in
  an open one, where they are not known yet.
grain: [period]
columns:
  period: {description: First day of the month, tests: [not_null, unique]}
  period_status: {description: closed or open (running), tests: [not_null, {accepted_values: [closed, open]}]}
  as_of: {description: "The day before which the row's facts are dated", tests: [not_null]}
  revenue: {description: "Net of returns, which count on their own date", tests: [not_null]}
  margin: {description: Revenue less cost of the lines whose cost is known; NULL when none is}
  orders: {description: Distinct orders with a line sold, tests: [not_null, {range: {min: 0}}]}
  active_customers: {description: "Customers with a counted line, be it a return or a credit alone",
    tests: [not_null, {range: {min: 0}}]}
  buying_customers: {description: Customers with a line sold, tests: [not_null, {range: {min: 0}}]}
  new_customers: {description: Customers whose first month it is, tests: [not_null, {range: {min: 0}}]}
  average_order_value: {description: "Revenue / orders, rounded to cents; NULL without an order"}
  lost_customers: {description: Active in the month before and not in this one}
  logo_churn: {description: "lost_customers / active customers of the month before", tests: [{range: {min: 0, max: 1}}]}
  net_revenue_retention: {description: "What the customers of the month before spend now / what they spent then"}
  gross_revenue_retention: {description: "Sum over those customers of the smaller of the two / what they spent then"}
--- */
WITH sums AS (
    SELECT
        period,
        sum(revenue) AS revenue,
        sum(margin) AS margin,
        sum(orders) AS orders,
        count(*) AS active_customers,
        -- customer_month counts as orders only those with a line sold.
        count(*) FILTER (WHERE orders > 0) AS buying_customers
    FROM marts.customer_month
    GROUP BY period
),
bridge AS (
    SELECT
        period,
        max(customers) FILTER (WHERE effect = 'new') AS new_customers,
        max(customers) FILTER (WHERE effect = 'lost') AS lost_customers,
        max(customers) FILTER (WHERE effect = 'start') AS start_customers,
        sum(amount) FILTER (WHERE effect = 'start') AS start_revenue,
        sum(amount) FILTER (WHERE effect IN ('start', 'expansion', 'contraction', 'lost')) AS kept_revenue
    FROM marts.revenue_bridge
    GROUP BY period
),
kept AS (
    -- Not from the bridge: who leaves after a month below 0 spends 0 now, and the smaller is what was spent then.
    SELECT
        CAST(period + INTERVAL '1 month' AS DATE) AS period,
        sum(least(revenue, CASE WHEN next_index = month_index + 1 THEN next_revenue ELSE 0 END)) AS kept_at_most_revenue
    FROM (
        SELECT
            period,
            month_index,
            revenue,
            lead(month_index) OVER own AS next_index,
            lead(revenue) OVER own AS next_revenue
        FROM marts.customer_month
        WINDOW own AS (PARTITION BY customer_id ORDER BY month_index)
    ) AS pairs
    GROUP BY period
),
months AS (
    SELECT
        periods.period,
        periods.period_status,
        periods.as_of,
        coalesce(sums.revenue, 0) AS revenue,
        sums.margin,
        coalesce(sums.orders, 0) AS orders,
        coalesce(sums.active_customers, 0) AS active_customers,
        coalesce(sums.buying_customers, 0) AS buying_customers,
        coalesce(bridge.new_customers, 0) AS new_customers,
        bridge.lost_customers,
        nullif(bridge.start_customers, 0) AS start_customers,
        CASE WHEN bridge.start_revenue > 0 THEN CAST(bridge.start_revenue AS DOUBLE) END AS start_revenue,
        CAST(bridge.kept_revenue AS DOUBLE) AS kept_revenue,
        CAST(kept.kept_at_most_revenue AS DOUBLE) AS kept_at_most_revenue,
        periods.period_status = 'closed' AND lag(periods.period) OVER (ORDER BY periods.period) IS NOT NULL AS compares
    FROM core.periods AS periods
    LEFT JOIN sums ON sums.period = periods.period
    LEFT JOIN bridge ON bridge.period = periods.period
    LEFT JOIN kept ON kept.period = periods.period
)
SELECT
    period,
    period_status,
    as_of,
    revenue,
    margin,
    orders,
    active_customers,
    buying_customers,
    new_customers,
    CAST(round(revenue / nullif(orders, 0), 2) AS DECIMAL(18, 2)) AS average_order_value,
    CASE WHEN compares THEN lost_customers END AS lost_customers,
    CASE WHEN compares THEN CAST(lost_customers AS DOUBLE) / start_customers END AS logo_churn,
    CASE WHEN compares THEN kept_revenue / start_revenue END AS net_revenue_retention,
    CASE WHEN compares THEN kept_at_most_revenue / start_revenue END AS gross_revenue_retention
FROM months

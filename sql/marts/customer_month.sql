/* ---
description: >-
  What each customer bought in each month. The base of the monthly figures: one row per customer and month in which the
  customer has a counted line, none where nothing happened.
grain: [customer_id, period]
columns:
  customer_id: {description: Who, tests: [not_null]}
  period: {description: First day of the month, tests: [not_null]}
  month_index: {description: "Year * 12 + month - 1, so that months can be counted", tests: [not_null]}
  revenue: {description: "Net of returns, which count on their own date", tests: [not_null]}
  margin: {description: Revenue less cost of the lines whose cost is known; NULL when none is}
  orders: {description: "Distinct orders with a line sold; a return or credit alone is none",
    tests: [not_null, {range: {min: 0}}]}
--- */
WITH order_month AS (
    -- Two levels of GROUP BY count the orders: count(DISTINCT text) beside sums would cost many times as much.
    SELECT
        customer_id,
        ordered_month AS period,
        order_id,
        sum(revenue) AS revenue,
        sum(margin) AS margin,
        max(CASE WHEN {{ is_sale() }} THEN 1 ELSE 0 END) AS is_order
    FROM core.order_lines
    WHERE ordered_on < DATE '{{ as_of }}'
    GROUP BY customer_id, ordered_month, order_id
)
SELECT
    customer_id,
    period,
    CAST(date_part('year', period) * 12 + date_part('month', period) - 1 AS INTEGER) AS month_index,
    sum(revenue) AS revenue,
    sum(margin) AS margin,
    CAST(sum(is_order) AS BIGINT) AS orders
FROM order_month
GROUP BY customer_id, period

/* ---
description: >-
  What each customer has bought so far, at each date of marts.customer_base_date. It predicts nothing.
grain: [as_of, customer_id]
columns:
  as_of: {description: Only facts dated before it are counted, tests: [not_null]}
  customer_id: {description: Who, tests: [not_null]}
  first_ordered_on: {description: Day of the first counted line, tests: [not_null]}
  last_ordered_on: {description: "Day of the last line sold; of the last line where the customer never bought",
    tests: [not_null]}
  orders: {description: Distinct orders with a line sold, tests: [not_null, {range: {min: 0}}]}
  revenue: {description: Net of returns, tests: [not_null]}
  margin: {description: Revenue less cost of the lines whose cost is known; NULL when none is}
  revenue_without_margin: {description: Revenue of the lines whose cost is not known and which margin leaves out,
    tests: [not_null]}
--- */
WITH customer_order AS (
    SELECT
        dates.as_of,
        lines.customer_id,
        lines.order_id,
        min(lines.ordered_on) AS first_on,
        max(lines.ordered_on) AS last_on,
        max(CASE WHEN {{ is_sale() }} THEN lines.ordered_on END) AS last_sold_on,
        sum(lines.revenue) AS revenue,
        sum(lines.margin) AS margin,
        sum(CASE WHEN lines.margin IS NULL THEN lines.revenue ELSE 0 END) AS revenue_without_margin
    FROM marts.customer_base_date AS dates
    JOIN core.order_lines AS lines ON lines.ordered_on < dates.as_of
    GROUP BY dates.as_of, lines.customer_id, lines.order_id
)
SELECT
    as_of,
    customer_id,
    min(first_on) AS first_ordered_on,
    coalesce(max(last_sold_on), max(last_on)) AS last_ordered_on,
    count(last_sold_on) AS orders,
    sum(revenue) AS revenue,
    sum(margin) AS margin,
    sum(revenue_without_margin) AS revenue_without_margin
FROM customer_order
GROUP BY as_of, customer_id

/* ---
description: >-
  What each customer has brought so far. This is the historical value, margin to date; it predicts nothing. Where the
  company knows no costs at all, it is revenue to date, and value_basis says so in every row: the two are never mixed.
grain: [as_of, customer_id]
columns:
  as_of: {description: Only facts dated before it are counted, tests: [not_null]}
  customer_id: {description: Who, tests: [not_null, unique]}
  first_ordered_on: {description: Day of the first counted line, tests: [not_null]}
  last_ordered_on: {description: "Day of the last line sold; of the last line where the customer only ever returned",
    tests: [not_null]}
  orders: {description: Distinct orders with a line sold, tests: [not_null, {range: {min: 0}}]}
  revenue: {description: Net of returns, tests: [not_null]}
  margin: {description: Revenue less cost of the lines whose cost is known; NULL when none is}
  historical_value: {description: "Margin to date, or revenue to date where value_basis says so", tests: [not_null]}
  value_basis: {tests: [not_null, {accepted_values: [margin, revenue]}], description: What historical_value is made of}
  revenue_without_margin: {description: Revenue of the lines whose cost is not known and which margin leaves out,
    tests: [not_null]}
--- */
WITH customer_order AS (
    SELECT
        customer_id,
        order_id,
        min(ordered_on) AS first_on,
        max(ordered_on) AS last_on,
        max(CASE WHEN quantity > 0 THEN ordered_on END) AS last_sold_on,
        sum(revenue) AS revenue,
        sum(margin) AS margin,
        sum(CASE WHEN margin IS NULL THEN revenue ELSE 0 END) AS revenue_without_margin
    FROM core.order_lines
    WHERE ordered_on < DATE '{{ as_of }}'
    GROUP BY customer_id, order_id
),
customer AS (
    SELECT
        customer_id,
        min(first_on) AS first_ordered_on,
        coalesce(max(last_sold_on), max(last_on)) AS last_ordered_on,
        count(last_sold_on) AS orders,
        sum(revenue) AS revenue,
        sum(margin) AS margin,
        sum(revenue_without_margin) AS revenue_without_margin
    FROM customer_order
    GROUP BY customer_id
),
basis AS (
    SELECT CASE WHEN count(margin) > 0 THEN 'margin' ELSE 'revenue' END AS value_basis
    FROM core.order_lines
    WHERE ordered_on < DATE '{{ as_of }}'
)
SELECT
    DATE '{{ as_of }}' AS as_of,
    customer.customer_id,
    customer.first_ordered_on,
    customer.last_ordered_on,
    customer.orders,
    customer.revenue,
    customer.margin,
    CASE basis.value_basis WHEN 'margin' THEN coalesce(customer.margin, 0) ELSE customer.revenue END
        AS historical_value,
    basis.value_basis,
    customer.revenue_without_margin
FROM customer CROSS JOIN basis

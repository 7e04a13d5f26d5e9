/* ---
description: >-
  One row per purchase. The purchases of one customer and day are one order: the time of day is not known, and the
  models count days with a purchase.
grain: [order_id, line_number]
columns:
  order_id: {description: Customer and day, tests: [not_null]}
  line_number: {description: "Place in the day, sorted by content: the file numbers no purchases", tests: [not_null]}
  customer_id: {description: The customer's number in the sample, tests: [not_null]}
  product_id: {description: Not known}
  ordered_at: {description: Not known}
  ordered_on: {description: Day of the purchase, tests: [not_null]}
  ordered_month: {description: First day of its month, tests: [not_null]}
  quantity: {description: Compact discs, tests: [not_null, {range: {min: 1}}]}
  unit_price: {description: "amount / quantity, rounded to cents; the file has no price", tests: [not_null]}
  revenue: {description: What was paid, tests: [not_null]}
  cost: {description: Not known}
  margin: {description: Not known}
--- */
SELECT
    concat(CAST(sample_id AS TEXT), '/', CAST(purchased_on AS TEXT)) AS order_id,
    CAST(row_number() OVER (PARTITION BY sample_id, purchased_on ORDER BY amount, quantity) AS BIGINT) AS line_number,
    sample_id AS customer_id,
    CAST(NULL AS TEXT) AS product_id,
    CAST(NULL AS TIMESTAMP) AS ordered_at,
    purchased_on AS ordered_on,
    CAST(date_trunc('month', purchased_on) AS DATE) AS ordered_month,
    quantity,
    CAST(round(amount / quantity, 2) AS DECIMAL(18, 2)) AS unit_price,
    amount AS revenue,
    CAST(NULL AS DECIMAL(18, 2)) AS cost,
    CAST(NULL AS DECIMAL(18, 2)) AS margin
FROM {{ source('shop', 'purchases') }}
WHERE purchased_on < DATE '{{ as_of }}'

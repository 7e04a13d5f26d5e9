/* ---
description: >-
  The lines that count as sales under the rule. R1: customer present, quantity above 0 and price above 0. R2: every line
  with a customer, so that cancellations are netted on their own date. A quarter of the lines has no customer and is
  outside both; core.excluded_lines counts them.
grain: [order_id, line_number]
columns:
  order_id: {description: Invoice number; C in front for a cancellation, tests: [not_null]}
  line_number: {description: "Place in the invoice, sorted by content: the file numbers no lines", tests: [not_null]}
  customer_id: {description: The shop's customer number, tests: [not_null]}
  product_id: {description: Stock code, tests: [not_null]}
  ordered_at: {description: When the invoice was written, tests: [not_null]}
  ordered_on: {description: The same as a day in the project's time zone, tests: [not_null]}
  ordered_month: {description: First day of that month, tests: [not_null]}
  quantity: {description: Pieces; negative where cancelled, tests: [not_null]}
  unit_price: {description: Pounds; four prices have a third decimal, tests: [not_null]}
  revenue: {description: "quantity * unit_price, rounded to the penny", tests: [not_null]}
  cost: {description: Not known}
  margin: {description: Not known}
  country: {description: Where the customer lives, tests: [not_null]}
--- */
WITH lines AS (
    SELECT *, {{ local_date('invoiced_at') }} AS invoiced_on
    FROM {{ source('shop', 'invoice_lines') }}
)
SELECT
    invoice_id AS order_id,
    CAST(row_number() OVER (
        PARTITION BY invoice_id ORDER BY stock_code, quantity, unit_price, invoiced_at, customer_id
    ) AS BIGINT) AS line_number,
    customer_id,
    stock_code AS product_id,
    invoiced_at AS ordered_at,
    invoiced_on AS ordered_on,
    CAST(date_trunc('month', invoiced_on) AS DATE) AS ordered_month,
    quantity,
    unit_price,
    CAST(round(quantity * unit_price, 2) AS DECIMAL(18, 2)) AS revenue,
    CAST(NULL AS DECIMAL(18, 2)) AS cost,
    CAST(NULL AS DECIMAL(18, 2)) AS margin,
    country
FROM lines
WHERE invoiced_on < DATE '{{ as_of }}'
    AND customer_id IS NOT NULL
    AND CASE '{{ var('rule', 'R1') }}'
        WHEN 'R1' THEN quantity > 0 AND unit_price > 0
        WHEN 'R2' THEN true
    END

/* ---
description: >-
  Lines of the ERP's orders, whatever the as-of date: a line has the date of its order. The lines of an order that was
  refused stay without it.
columns:
  order_id: {description: Order number, tests: [not_null]}
  line_number: {description: Place in the order, tests: [not_null]}
  product_id: {description: "Article number; `unknown` for a line without one", tests: [not_null]}
  quantity: {description: "Pieces; negative for what came back", tests: [not_null]}
  unit_price: {description: "Before discount; negative for a credit", tests: [not_null]}
  discount_percent: {description: "0 to 100, 0 where the ERP says nothing", tests: [not_null]}
  company_amount: {description: "Net amount of the line as the ERP has it; NULL, as this one has none"}
--- */
SELECT
    order_id,
    line_no AS line_number,
    coalesce(product_id, 'unknown') AS product_id,
    quantity,
    unit_price,
    coalesce(discount_percent, 0) AS discount_percent,
    CAST(NULL AS DECIMAL(18, 2)) AS company_amount
FROM {{ source('erp', 'order_lines') }}

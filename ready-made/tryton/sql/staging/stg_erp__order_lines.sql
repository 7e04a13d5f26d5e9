/* ---
description: >-
  Lines of confirmed sales, whatever the as-of date: a line has the date of its order. What was sent back is in
  staging.stg_erp__returns where the line it belongs to is known, and else here, with a negative quantity: no purchase,
  and its revenue counts. Lines in another currency of whose day the ERP has no rate are out.
columns:
  order_id: {description: Number of the sale in the database, tests: [not_null]}
  line_number: {description: Number of the line in the database, tests: [not_null, unique]}
  product_id: {description: "Product; `unknown` for a line of free text", tests: [not_null]}
  quantity: {description: "In the unit of the product's cost", tests: [not_null]}
  unit_price: {description: "Of that unit, in the company's currency, net of tax and after discount", tests: [not_null]}
  discount_percent: {description: "0: Tryton's price is the one after discount", tests: [not_null]}
  company_amount: {tests: [not_null], description: "Net amount in the company's currency, at the rate of the day"}
  amount: {description: "Net amount in the order's currency", tests: [not_null]}
  currency: {description: "The order's, ISO 4217", tests: [not_null]}
--- */
SELECT
    CAST(sale_id AS TEXT) AS order_id,
    line_id AS line_number,
    product_id,
    quantity,
    unit_price,
    CAST(0 AS DECIMAL(5, 2)) AS discount_percent,
    company_amount,
    amount,
    currency
FROM staging.stg_erp__sale_lines
WHERE returned_line_id IS NULL AND company_amount IS NOT NULL

/* ---
description: >-
  Lines that were sent back before the as-of date. A return whose original is unknown is in
  staging.stg_erp__order_lines instead, with a negative quantity.
materialize: view
columns:
  return_id: {description: Number of the return's line in the database, tests: [not_null, unique]}
  order_id: {description: The order it belongs to, tests: [not_null]}
  line_number: {description: The line of that order, tests: [not_null]}
  quantity: {description: "Sent back, in the unit of the product's cost", tests: [not_null]}
  returned_on: {description: When the return was confirmed, tests: [not_null]}
  reason: {description: Kind of the complaint that led to it}
--- */
SELECT
    CAST(line_id AS TEXT) AS return_id,
    CAST(returned_sale_id AS TEXT) AS order_id,
    returned_line_id AS line_number,
    -quantity AS quantity,
    sale_date AS returned_on,
    reason
FROM staging.stg_erp__sale_lines
WHERE returned_line_id IS NOT NULL AND sale_date < DATE '{{ as_of }}'

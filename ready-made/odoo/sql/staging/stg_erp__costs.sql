/* ---
description: >-
  What one unit of a product cost from which day on, as far as the ERP knows: Odoo knows the present cost alone
materialize: view
grain: [product_id, known_from]
columns:
  product_id: {description: Product, tests: [not_null]}
  known_from: {description: Day from which it held, tests: [not_null]}
  unit_cost: {description: Cost of one unit, tests: [not_null]}
--- */
SELECT CAST(product_id AS TEXT) AS product_id, {{ local_date('entered_at') }} AS known_from, cost AS unit_cost
FROM staging.stg_erp__present_costs
WHERE {{ local_date('entered_at') }} < DATE '{{ as_of }}'

/* ---
description: Products of the ERP. Of several companies' costs those of `erp_company`, else of the first
materialize: view
columns:
  product_id: {description: Number of the variant in the database, tests: [not_null, unique]}
  name: {description: What it is called}
  category: {description: Product category}
  list_price: {description: Present price of one unit}
  unit_cost: {description: Present cost of one unit}
  product_number: {description: Article number}
  active: {description: Not archived}
--- */
SELECT
    CAST(products.id AS TEXT) AS product_id,
    products.name,
    products.category,
    products.list_price,
    costs.cost AS unit_cost,
    products.default_code AS product_number,
    products.active
FROM {{ source('erp', 'products') }} AS products
LEFT JOIN staging.stg_erp__present_costs AS costs ON costs.product_id = products.id

/* ---
description: What the company sells
grain: [product_id]
columns:
  product_id: {description: Article number, tests: [not_null]}
  name: {description: What it is called}
  category: {description: Product group}
  list_price: {description: Present price of one piece}
  unit_cost: {description: Present cost of one piece}
--- */
SELECT product_id, name, category, list_price, unit_cost
FROM staging.stg_erp__products

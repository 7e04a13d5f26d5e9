/* ---
description: Products of the ERP. Of several companies' prices and costs those of `erp_company`, else of the first
materialize: view
columns:
  product_id: {description: Number of the variant in the database, tests: [not_null, unique]}
  name: {description: What it is called}
  category: {description: Accounting category}
  list_price: {description: Present price of one unit}
  unit_cost: {description: Present cost of one unit}
  product_number: {description: Article number}
  active: {description: Not archived}
--- */
WITH prices AS (
    SELECT
        template, product, list_price,
        row_number() OVER (PARTITION BY template, product ORDER BY company, id) AS place
    FROM {{ source('erp', 'list_prices') }}
    WHERE {{ of_company('company') }}
),
costs AS (
    SELECT product, cost_price, row_number() OVER (PARTITION BY product ORDER BY company, id) AS place
    FROM {{ source('erp', 'costs') }}
    WHERE {{ of_company('company') }}
)
SELECT
    CAST(products.id AS TEXT) AS product_id,
    products.name,
    categories.name AS category,
    coalesce(own_prices.list_price, prices.list_price) AS list_price,
    costs.cost_price AS unit_cost,
    products.code AS product_number,
    products.active
FROM {{ source('erp', 'products') }} AS products
LEFT JOIN {{ source('erp', 'product_categories') }} AS categories ON categories.id = products.category
LEFT JOIN prices AS own_prices ON own_prices.product = products.id AND own_prices.place = 1
LEFT JOIN prices ON prices.template = products.template AND prices.product IS NULL AND prices.place = 1
LEFT JOIN costs ON costs.product = products.id AND costs.place = 1

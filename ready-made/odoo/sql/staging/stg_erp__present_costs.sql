/* ---
description: >-
  Present costs of products, from where the version of Odoo keeps them; of several companies those of `erp_company`,
  else of the first
materialize: view
grain: [product_id]
columns:
  product_id: {description: Number of the variant, tests: [not_null]}
  cost: {description: Of one unit, tests: [not_null]}
  entered_at: {description: When it was last changed}
--- */
WITH entered AS (
    SELECT product_id, company, CAST(cost AS DECIMAL(18, 8)) AS cost, write_date AS entered_at
    FROM {{ source('erp', 'costs') }}
    UNION ALL
    SELECT
        CAST(split_part(res_id, ',', 2) AS BIGINT), coalesce(company_id, 0), CAST(value_float AS DECIMAL(18, 8)),
        coalesce(write_date, create_date)
    FROM {{ source('erp', 'properties') }}
    WHERE name = 'standard_price' AND res_id LIKE 'product.product,%'
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY product_id ORDER BY company) AS place
    FROM entered
    WHERE company = 0 OR {{ of_company('company') }}
)
SELECT product_id, cost, entered_at FROM ranked WHERE place = 1

/* ---
description: >-
  What one unit of a product cost from which day on, as far as the ERP knows. Of several changes in a day the last
  counts; of several companies `erp_company`, else the first.
grain: [product_id, known_from]
columns:
  product_id: {description: Product, tests: [not_null]}
  known_from: {description: Day from which it held, tests: [not_null]}
  unit_cost: {description: Cost of one unit, tests: [not_null]}
--- */
WITH entered AS (
    SELECT product, company, cost_price, coalesce(write_date, create_date) AS entered_at, history_id AS place
    FROM {{ source('erp', 'cost_history') }}
    UNION ALL
    SELECT product, company, cost_price, coalesce(write_date, create_date), NULL FROM {{ source('erp', 'costs') }}
),
ranked AS (
    SELECT
        product,
        {{ local_date('entered_at') }} AS known_from,
        cost_price,
        row_number() OVER (
            PARTITION BY product, {{ local_date('entered_at') }}
            ORDER BY company, entered_at DESC, place DESC NULLS LAST
        ) AS rank
    FROM entered
    WHERE entered_at IS NOT NULL AND {{ of_company('company') }}
)
SELECT CAST(product AS TEXT) AS product_id, known_from, cost_price AS unit_cost
FROM ranked
WHERE rank = 1 AND known_from < DATE '{{ as_of }}'

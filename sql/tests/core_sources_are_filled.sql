/* ---
description: Orders, order lines, customers and products of the ERP have been loaded; each row names a table without any
severity: error
--- */
WITH loaded AS (
    SELECT 'erp.orders' AS source_table, count(*) AS accepted_rows FROM {{ source('erp', 'orders') }}
    UNION ALL SELECT 'erp.order_lines', count(*) FROM {{ source('erp', 'order_lines') }}
    UNION ALL SELECT 'erp.customers', count(*) FROM {{ source('erp', 'customers') }}
    UNION ALL SELECT 'erp.products', count(*) FROM {{ source('erp', 'products') }}
)
SELECT source_table, accepted_rows FROM loaded WHERE accepted_rows = 0

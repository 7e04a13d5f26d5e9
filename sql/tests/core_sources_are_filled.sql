/* ---
description: The ERP has delivered orders, order lines, customers and products; each row names a table without any
severity: error
--- */
WITH delivered AS (
    SELECT 'erp.orders' AS source_table, count(*) AS accepted_rows FROM {{ source('erp', 'orders') }}
    UNION ALL SELECT 'erp.order_lines', count(*) FROM {{ source('erp', 'order_lines') }}
    UNION ALL SELECT 'erp.customers', count(*) FROM {{ source('erp', 'customers') }}
    UNION ALL SELECT 'erp.products', count(*) FROM {{ source('erp', 'products') }}
)
SELECT source_table, accepted_rows FROM delivered WHERE accepted_rows = 0

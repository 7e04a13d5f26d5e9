/* ---
description: The file is the published one, row by row counted before any rule
--- */
WITH file AS (
    SELECT
        count(*) AS lines,
        count(*) FILTER (WHERE customer_id IS NULL) AS lines_without_customer,
        count(*) FILTER (WHERE invoice_id LIKE 'C%') AS cancelled_lines,
        count(*) FILTER (WHERE quantity < 0) AS negative_quantities,
        sum(quantity * unit_price) AS amount
    FROM {{ source('shop', 'invoice_lines') }}
),
keys AS (
    SELECT count(DISTINCT customer_id) AS customers FROM {{ source('shop', 'invoice_lines') }}
),
invoices AS (
    SELECT count(DISTINCT invoice_id) AS invoices FROM {{ source('shop', 'invoice_lines') }}
),
repeated AS (
    SELECT coalesce(sum(times - 1), 0) AS duplicates
    FROM (
        SELECT count(*) AS times
        FROM {{ source('shop', 'invoice_lines') }}
        GROUP BY invoice_id, stock_code, description, quantity, invoiced_at, unit_price, customer_id, country
        HAVING count(*) > 1
    )
)
SELECT *
FROM file CROSS JOIN keys CROSS JOIN invoices CROSS JOIN repeated
WHERE lines <> 541909
    OR lines_without_customer <> 135080
    OR cancelled_lines <> 9288
    OR negative_quantities <> 10624
    OR amount <> CAST('9747747.934' AS DECIMAL(18, 3))
    OR customers <> 4372
    OR invoices <> 25900
    OR duplicates <> 5268

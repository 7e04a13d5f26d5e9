/* ---
description: Products sold whose cost is not known; their lines have no margin
severity: warn
--- */
SELECT product_id, count(*) AS lines, sum(revenue) AS revenue
FROM core.order_lines
WHERE cost IS NULL
GROUP BY product_id

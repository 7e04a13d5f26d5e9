/* ---
description: Lines of which more pieces came back than were sold
severity: warn
--- */
SELECT order_id, line_number, sum(quantity) AS quantity
FROM core.order_lines
GROUP BY order_id, line_number
HAVING sum(quantity) < 0

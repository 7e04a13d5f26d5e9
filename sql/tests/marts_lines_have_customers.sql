/* ---
description: Every order line belongs to a known customer
--- */
SELECT lines.order_id, lines.line_number, lines.customer_id
FROM core.order_lines AS lines
LEFT JOIN core.customers AS customers ON customers.customer_id = lines.customer_id
WHERE customers.customer_id IS NULL

/* ---
description: Order lines whose order is not there, mostly because it was refused; their revenue counts nowhere
severity: warn
--- */
SELECT lines.order_id, lines.id
FROM {{ source('erp', 'order_lines') }} AS lines
LEFT JOIN {{ source('erp', 'orders') }} AS orders ON orders.id = lines.order_id
WHERE orders.id IS NULL

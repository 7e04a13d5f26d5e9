/* ---
description: Order lines whose order is not there, mostly because it was refused; their revenue counts nowhere
severity: warn
--- */
SELECT lines.order_id, lines.line_number
FROM staging.stg_erp__order_lines AS lines
-- Not staging, which has no orders from the as-of date on: those are not missing.
LEFT JOIN {{ source('erp', 'orders') }} AS orders ON orders.order_id = lines.order_id
WHERE orders.order_id IS NULL

/* ---
description: Lines of which more pieces came back than were sold, or of which nothing was sold
severity: warn
--- */
SELECT lines.order_id, lines.line_number, lines.quantity, sum(returns.quantity) AS returned_quantity
FROM staging.stg_erp__returns AS returns
JOIN staging.stg_erp__order_lines AS lines
    ON lines.order_id = returns.order_id AND lines.line_number = returns.line_number
JOIN staging.stg_erp__orders AS orders ON orders.order_id = lines.order_id
WHERE orders.status <> 'cancelled'
GROUP BY lines.order_id, lines.line_number, lines.quantity
HAVING sum(returns.quantity) > lines.quantity

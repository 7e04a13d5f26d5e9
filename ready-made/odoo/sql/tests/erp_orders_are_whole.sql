/* ---
description: >-
  The lines of an order add up to the net amount that the ERP shows for it. A fault is an order of which lines were
  refused, or read while it was changed, or whose taxes are rounded on the whole order and included in prices
severity: warn
--- */
WITH lines AS (
    SELECT order_id, sum(amount) AS amount FROM staging.stg_erp__order_lines GROUP BY order_id
)
SELECT orders.order_id, orders.amount, lines.amount AS amount_of_lines
FROM staging.stg_erp__orders AS orders
LEFT JOIN lines ON lines.order_id = orders.order_id
WHERE orders.amount <> coalesce(lines.amount, 0)

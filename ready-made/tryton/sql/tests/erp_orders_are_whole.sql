/* ---
description: >-
  The lines of an order add up to the net amount that the ERP shows for it. A fault is an order of which lines were
  refused, or read while it was changed
severity: warn
--- */
WITH lines AS (
    SELECT sale_id, sum(amount) AS amount FROM staging.stg_erp__sale_lines GROUP BY sale_id
)
SELECT orders.order_id, orders.amount, lines.amount AS amount_of_lines
FROM staging.stg_erp__orders AS orders
LEFT JOIN lines ON CAST(lines.sale_id AS TEXT) = orders.order_id
WHERE orders.amount <> coalesce(lines.amount, 0)

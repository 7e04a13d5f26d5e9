/* ---
description: >-
  The sales are the accepted lines of accepted orders, neither cancelled: no line was lost or doubled on its way through
  identity and prices
--- */
WITH expected AS (
    SELECT count(*) AS lines, sum(lines.quantity) AS quantity
    FROM staging.stg_erp__order_lines AS lines
    JOIN staging.stg_erp__orders AS orders ON orders.order_id = lines.order_id
    WHERE orders.status <> 'cancelled' AND orders.ordered_on < DATE '{{ as_of }}'
        AND orders.ordered_on >= DATE '{{ var('earliest_day', '1980-01-01') }}'
        AND (lines.quantity <> 0 OR lines.company_amount <> 0)
),
found AS (
    SELECT count(*) AS lines, sum(quantity) AS quantity FROM core.order_lines WHERE return_id IS NULL
)
SELECT expected.lines, found.lines AS found_lines, expected.quantity, found.quantity AS found_quantity
FROM expected CROSS JOIN found
WHERE expected.lines <> found.lines OR (expected.quantity IS DISTINCT FROM found.quantity)

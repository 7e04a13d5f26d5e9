/* ---
description: Order lines are dated before the as-of date and belong to the month of their day
--- */
SELECT order_id, line_number, ordered_on, ordered_month
FROM core.order_lines
WHERE ordered_on >= DATE '{{ as_of }}' OR ordered_month <> {{ first_of_month('ordered_on') }}

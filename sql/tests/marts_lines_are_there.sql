/* ---
description: At least one order line counts before the as-of date; without any, every figure would be empty
severity: error
--- */
SELECT DATE '{{ as_of }}' AS as_of, count(*) AS lines
FROM core.order_lines
WHERE ordered_on < DATE '{{ as_of }}'
HAVING count(*) = 0

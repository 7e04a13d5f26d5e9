/* ---
description: >-
  The as-of date lies after the first order line and not more than 62 days after the newest, or deliveries have stopped
  or the date is mistyped: customers would look lost whose rows are only missing
severity: warn
--- */
WITH lines AS (
    SELECT min(ordered_on) AS first_ordered_on, max(ordered_on) AS newest_ordered_on FROM core.order_lines
)
SELECT DATE '{{ as_of }}' AS as_of, first_ordered_on, newest_ordered_on
FROM lines
WHERE DATE '{{ as_of }}' - newest_ordered_on > 62 OR DATE '{{ as_of }}' <= first_ordered_on

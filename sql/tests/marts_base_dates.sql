/* ---
description: The base is valued as of the run's date, and the hold-out is cut whole weeks before it
--- */
SELECT DATE '{{ as_of }}' AS as_of, 'the run''s date is missing' AS fault
FROM (SELECT count(*) AS lines FROM core.order_lines) AS lines
WHERE lines.lines > 0 AND NOT EXISTS (SELECT 1 FROM marts.customer_base_date WHERE as_of = DATE '{{ as_of }}')
UNION ALL
SELECT as_of, 'the hold-out is not of whole weeks'
FROM marts.customer_base_date
WHERE as_of - calibration_until <> 7 * holdout_weeks

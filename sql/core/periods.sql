/* ---
description: >-
  The calendar: every month from the first sale to the one that the as-of date closes or finds running, without gaps.
  Months are half-open, [period, next_period); a month is closed once the as-of date has reached its end.
grain: [period]
columns:
  period: {description: First day of the month, tests: [not_null, unique]}
  next_period: {description: First day of the next month, tests: [not_null]}
  as_of: {description: "The month's end, or the run's date while the month is running", tests: [not_null]}
  period_status: {description: closed or open, tests: [not_null, {accepted_values: [closed, open]}]}
--- */
WITH bounds AS (
    SELECT
        min(ordered_month) AS first_period,
        {{ first_of_month("(DATE '" ~ as_of ~ "' - 1)") }} AS last_period
    FROM core.order_lines
    WHERE ordered_on < DATE '{{ as_of }}'
),
months AS (
    SELECT unnest(generate_series(first_period, last_period, INTERVAL '1 month')) AS period
    FROM bounds
)
SELECT
    period,
    period + INTERVAL '1 month' AS next_period,
    least(period + INTERVAL '1 month', DATE '{{ as_of }}') AS as_of,
    CASE WHEN period + INTERVAL '1 month' <= DATE '{{ as_of }}' THEN 'closed' ELSE 'open' END AS period_status
FROM months

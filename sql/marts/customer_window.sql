/* ---
description: >-
  What each customer was worth at each as-of date: the net revenue of the window before it, [as_of - window, as_of).
  One as-of date per month's end, and the current one when a month is running. Only customers with a line in the window.
  The window is `tier_window_months` long (12 where the project does not say).
columns:
  as_of: {description: The day before which the window ends, tests: [not_null]}
  customer_id: {description: Who, tests: [not_null]}
  value: {description: "Net revenue in the window; negative where returns are larger", tests: [not_null]}
--- */
{% set months = var('tier_window_months', 12) | int %}
WITH closed AS (
    SELECT
        next_period AS as_of,
        CAST(date_part('year', period) * 12 + date_part('month', period) - 1 AS INTEGER) AS month_index
    FROM core.periods
    WHERE period_status = 'closed'
),
events AS (
    -- A month's revenue enters the window at the month's end and leaves it {{ months }} months later.
    SELECT
        own.customer_id,
        own.month_index + step.leaves * {{ months }} AS month_index,
        CASE step.leaves WHEN 0 THEN own.revenue ELSE -own.revenue END AS revenue,
        1 - 2 * step.leaves AS active_months
    FROM marts.customer_month AS own CROSS JOIN (VALUES (0), (1)) AS step (leaves)
    WHERE own.month_index + step.leaves * {{ months }} <= (SELECT max(month_index) FROM closed)
),
levels AS (
    -- Two events of one month are peers: RANGE gives both the same sums, and the first of them an empty span.
    SELECT
        customer_id,
        month_index,
        coalesce(
            lead(month_index) OVER (PARTITION BY customer_id ORDER BY month_index),
            (SELECT max(month_index) + 1 FROM closed)
        ) AS next_index,
        sum(revenue) OVER (
            PARTITION BY customer_id ORDER BY month_index RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS value,
        sum(active_months) OVER (
            PARTITION BY customer_id ORDER BY month_index RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS active_months
    FROM events
),
month_ends AS (
    SELECT customer_id, value, unnest(range(month_index, next_index)) AS month_index
    FROM levels
    WHERE active_months > 0 AND next_index > month_index
)
SELECT closed.as_of, month_ends.customer_id, month_ends.value
FROM month_ends JOIN closed ON closed.month_index = month_ends.month_index
UNION ALL
-- The running month: a window of the same length that ends on the current day and is cut to the day.
SELECT running.as_of, lines.customer_id, sum(lines.revenue) AS value
FROM core.order_lines AS lines
JOIN (SELECT as_of FROM core.periods WHERE period_status = 'open') AS running
    ON lines.ordered_on >= running.as_of - INTERVAL '{{ months }} months' AND lines.ordered_on < running.as_of
GROUP BY running.as_of, lines.customer_id

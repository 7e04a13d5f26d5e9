/* ---
description: The bridge of each month ends at the revenue of its order lines and starts at that of the month before
--- */
WITH sold AS (
    SELECT ordered_month, sum(revenue) AS revenue FROM core.order_lines GROUP BY ordered_month
),
expected AS (
    SELECT
        periods.period,
        coalesce(sold.revenue, 0) AS end_amount,
        lag(coalesce(sold.revenue, 0), 1, 0) OVER (ORDER BY periods.period) AS start_amount
    FROM core.periods AS periods LEFT JOIN sold ON sold.ordered_month = periods.period
)
SELECT bridge.period, bridge.effect, bridge.amount, expected.start_amount, expected.end_amount
FROM expected JOIN marts.revenue_bridge AS bridge ON bridge.period = expected.period
WHERE (bridge.effect = 'start' AND bridge.amount <> expected.start_amount)
    OR (bridge.effect = 'end' AND bridge.amount <> expected.end_amount)

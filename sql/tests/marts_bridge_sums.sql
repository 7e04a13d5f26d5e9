/* ---
description: Start and effects of each month's bridge add up to its end, to the cent
--- */
SELECT
    period,
    sum(amount) FILTER (WHERE effect <> 'end') AS start_and_effects,
    sum(amount) FILTER (WHERE effect = 'end') AS end_amount
FROM marts.revenue_bridge
GROUP BY period
HAVING sum(amount) FILTER (WHERE effect <> 'end') <> sum(amount) FILTER (WHERE effect = 'end') OR count(*) <> 7

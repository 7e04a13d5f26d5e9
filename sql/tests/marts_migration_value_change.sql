/* ---
description: The value changes of a migration add up to the change of the windows' revenue, to the cent
--- */
{% set months = var('tier_window_months', 12) | int %}
WITH days AS (
    SELECT ordered_on, sum(revenue) AS revenue FROM core.order_lines GROUP BY ordered_on
),
windows AS (
    SELECT periods.as_of, sum(days.revenue) AS revenue
    FROM core.periods AS periods
    LEFT JOIN days
        ON days.ordered_on >= periods.as_of - INTERVAL '{{ months }} months' AND days.ordered_on < periods.as_of
    GROUP BY periods.as_of
),
pairs AS (
    SELECT
        as_of AS to_as_of,
        coalesce(revenue, 0) - lag(coalesce(revenue, 0)) OVER (ORDER BY as_of) AS revenue_change,
        lag(as_of) OVER (ORDER BY as_of) AS from_as_of
    FROM windows
),
moves AS (
    SELECT from_as_of, to_as_of, sum(value_change) AS value_change
    FROM marts.segment_migration
    GROUP BY from_as_of, to_as_of
)
SELECT pairs.from_as_of, pairs.to_as_of, pairs.revenue_change, moves.value_change
FROM pairs LEFT JOIN moves ON moves.to_as_of = pairs.to_as_of AND moves.from_as_of = pairs.from_as_of
WHERE pairs.from_as_of IS NOT NULL AND (moves.value_change IS DISTINCT FROM pairs.revenue_change)

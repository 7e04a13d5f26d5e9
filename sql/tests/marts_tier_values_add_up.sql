/* ---
description: At every as-of date the tiers hold the revenue of the order lines in the window, to the cent
--- */
{% set months = var('tier_window_months', 12) | int %}
WITH days AS (
    SELECT ordered_on, sum(revenue) AS revenue FROM core.order_lines GROUP BY ordered_on
),
windows AS (
    SELECT periods.as_of, sum(days.revenue) AS revenue
    FROM core.periods AS periods
    JOIN days
        ON days.ordered_on >= periods.as_of - INTERVAL '{{ months }} months' AND days.ordered_on < periods.as_of
    GROUP BY periods.as_of
),
tiers AS (
    SELECT as_of, sum(value) AS value FROM marts.customer_tier GROUP BY as_of
)
SELECT coalesce(windows.as_of, tiers.as_of) AS as_of, windows.revenue, tiers.value
FROM windows FULL JOIN tiers ON tiers.as_of = windows.as_of
WHERE (windows.revenue IS DISTINCT FROM tiers.value)

/* ---
description: Purchases so far never become fewer, expected or actual
--- */
WITH steps AS (
    SELECT
        as_of,
        week_end,
        actual_purchases - lag(actual_purchases) OVER weeks AS actual_step,
        expected_purchases - lag(expected_purchases) OVER weeks AS expected_step
    FROM marts.customer_base_tracking
    WINDOW weeks AS (PARTITION BY as_of ORDER BY week_end)
)
SELECT as_of, week_end, actual_step, expected_step FROM steps WHERE actual_step < 0 OR expected_step < 0

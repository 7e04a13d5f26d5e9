/* ---
description: >-
  Repeat purchases week by week since the first purchase of all, as they came and as the fit of the calibration expects
  them, of the customers who came before the hold-out: the sums up to each week's end, weeks being counted back from
  the as-of date. Weeks that end after `calibration_until` are held out.
grain: [as_of, week_end]
columns:
  as_of: {description: A date of marts.customer_base_date, tests: [not_null]}
  week_end: {description: The day before which purchases are counted, tests: [not_null]}
  is_held_out: {description: The week is one that the fit has not seen, tests: [not_null]}
  expected_purchases: {description: "Repeat days so far; NULL when no fit converged", tests: [{range: {min: 0}}]}
  actual_purchases: {description: Repeat days so far, tests: [not_null, {range: {min: 0}}]}
--- */
WITH firsts AS (
    SELECT customer_id, min(ordered_on) AS first_purchased_on
    FROM marts.customer_day
    WHERE is_purchase
    GROUP BY customer_id
),
weeks AS (
    SELECT as_of, calibration_until, holdout_weeks, CAST(as_of - CAST(7 * weeks_back AS INTEGER) AS DATE) AS week_end
    FROM (
        SELECT *, unnest(range(0, history_weeks + 1)) AS weeks_back FROM marts.customer_base_date
    ) AS each
    WHERE holdout_weeks > 0
),
cohorts AS (
    SELECT first_purchased_on, count(*) AS customers FROM firsts GROUP BY first_purchased_on
),
lengths AS (
    -- What a customer is expected to do in so many days is worked out once for each number of days.
    SELECT
        dates.as_of,
        dates.days,
        expected_purchases_new(fits.fit, dates.days / 7.0, 'week') AS expected_purchases
    FROM (
        SELECT as_of, unnest(range(0, 7 * history_weeks + 8)) AS days FROM marts.customer_base_date
    ) AS dates
    JOIN marts.customer_base_fit AS fits
        ON fits.as_of = dates.as_of AND fits.observed = 'calibration' AND fits.region = 'all'
),
followed AS (
    -- Grouped so that the days are joined by equality: as a part of a larger join they would be compared one by one.
    SELECT
        weeks.as_of,
        weeks.week_end,
        weeks.week_end - 1 - cohorts.first_purchased_on AS days,
        sum(cohorts.customers) AS customers
    FROM weeks
    JOIN cohorts ON cohorts.first_purchased_on < weeks.week_end AND cohorts.first_purchased_on < weeks.calibration_until
    GROUP BY weeks.as_of, weeks.week_end, weeks.week_end - 1 - cohorts.first_purchased_on
),
expected AS (
    SELECT
        followed.as_of, followed.week_end,
        exact_sum(followed.customers * lengths.expected_purchases) AS expected_purchases
    FROM followed JOIN lengths ON lengths.as_of = followed.as_of AND lengths.days = followed.days
    GROUP BY followed.as_of, followed.week_end
),
repeats AS (
    SELECT days.ordered_on, firsts.first_purchased_on, count(*) AS purchases
    FROM marts.customer_day AS days
    JOIN firsts ON firsts.customer_id = days.customer_id
    WHERE days.is_purchase AND days.ordered_on > firsts.first_purchased_on
    GROUP BY days.ordered_on, firsts.first_purchased_on
),
came AS (
    SELECT dates.as_of, repeats.ordered_on, sum(repeats.purchases) AS purchases
    FROM marts.customer_base_date AS dates
    JOIN repeats
        ON repeats.ordered_on < dates.as_of AND repeats.first_purchased_on < dates.calibration_until
    GROUP BY dates.as_of, repeats.ordered_on
),
actual AS (
    SELECT weeks.as_of, weeks.week_end, sum(came.purchases) AS actual_purchases
    FROM weeks JOIN came ON came.as_of = weeks.as_of AND came.ordered_on < weeks.week_end
    GROUP BY weeks.as_of, weeks.week_end
)
SELECT
    weeks.as_of,
    weeks.week_end,
    weeks.week_end > weeks.calibration_until AS is_held_out,
    expected.expected_purchases,
    CAST(coalesce(actual.actual_purchases, 0) AS BIGINT) AS actual_purchases
FROM weeks
LEFT JOIN expected ON expected.as_of = weeks.as_of AND expected.week_end = weeks.week_end
LEFT JOIN actual ON actual.as_of = weeks.as_of AND actual.week_end = weeks.week_end

/* ---
description: >-
  What the models are fitted to counts every day with a line sold (pieces above 0, for nothing or more) once, before and
  after the day of calibration, and time runs in order
--- */
WITH days AS (
    SELECT dates.as_of, count(*) AS days
    FROM marts.customer_base_date AS dates
    JOIN (SELECT DISTINCT customer_id, ordered_on FROM core.order_lines WHERE quantity > 0 AND revenue >= 0) AS bought
        ON bought.ordered_on < dates.as_of
    GROUP BY dates.as_of
),
counted AS (
    SELECT as_of, sum(frequency + 1) AS days FROM marts.customer_purchases GROUP BY as_of
)
SELECT days.as_of, 'days' AS fault, CAST(days.days AS TEXT) AS expected, CAST(counted.days AS TEXT) AS found
FROM days LEFT JOIN counted ON counted.as_of = days.as_of
WHERE counted.days IS DISTINCT FROM days.days
UNION ALL
SELECT as_of, 'hold-out', CAST(frequency AS TEXT), CAST(calibration_frequency + holdout_frequency AS TEXT)
FROM marts.customer_purchases
WHERE calibration_frequency + holdout_frequency <> frequency
UNION ALL
SELECT as_of, 'order of time', CAST(age_weeks AS TEXT), CAST(recency_weeks AS TEXT)
FROM marts.customer_purchases
WHERE recency_weeks > age_weeks OR calibration_recency_weeks > calibration_age_weeks
    OR calibration_age_weeks > age_weeks OR (frequency = 0) <> (recency_weeks = 0)

/* ---
description: >-
  The dates for which the customer base is valued: the end of the newest closed month and, while a month is running,
  the run's own date. For the hold-out check a model is fitted to what was known `holdout_weeks` weeks (26 where the
  project does not say) before the date, and compared with what came since; at most half of the history is held out.
grain: [as_of]
columns:
  as_of: {description: Only facts dated before it are counted, tests: [not_null]}
  history_weeks: {description: Whole weeks from the first line to as_of, tests: [not_null, {range: {min: 0}}]}
  holdout_weeks: {description: "Weeks held out; 0 when the history is too short", tests: [not_null, {range: {min: 0}}]}
  calibration_until: {description: "First day held out, as_of less the weeks", tests: [not_null]}
--- */
{% set holdout = var('holdout_weeks', 26) | int %}
WITH history AS (
    SELECT min(ordered_on) AS first_ordered_on FROM marts.customer_day
),
dates AS (
    SELECT periods.as_of, (periods.as_of - history.first_ordered_on) / 7 AS history_weeks
    FROM core.periods AS periods
    CROSS JOIN history
    WHERE periods.as_of > history.first_ordered_on
        AND (periods.period_status = 'open'
            OR periods.as_of = (SELECT max(as_of) FROM core.periods WHERE period_status = 'closed'))
),
cut AS (
    SELECT as_of, history_weeks, least({{ holdout }}, history_weeks / 2) AS holdout_weeks FROM dates
)
SELECT
    as_of,
    history_weeks,
    holdout_weeks,
    CAST(as_of - CAST(7 * holdout_weeks AS INTEGER) AS DATE) AS calibration_until
FROM cut

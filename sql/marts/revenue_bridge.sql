/* ---
description: >-
  Why a month's revenue differs from the month before: start + new + reactivated + expansion + contraction + lost = end,
  to the cent. A customer is in the month when it has a counted line there (a return alone is enough, so that nothing
  is left over). new: first month ever. reactivated: bought before, not in the month before. expansion, contraction:
  in both months, with more or with less. lost: in the month before, not in this one.
grain: [period, effect]
columns:
  period: {description: First day of the month, tests: [not_null]}
  period_status: {tests: [not_null, {accepted_values: [closed, open]}],
    description: "open: the month is still running, so its losses are those so far"}
  effect: {tests: [not_null, {accepted_values: [start, new, reactivated, expansion, contraction, lost, end]}],
    description: Part of the bridge}
  position: {description: "1 to 7, the order in which the parts are drawn", tests: [not_null]}
  amount: {description: "Signed: contraction is negative, and so is lost but for a customer whose month before was net
    negative", tests: [not_null]}
  customers: {description: "Customers of the part; who spent the same as before is in none between start and end",
    tests: [not_null]}
--- */
WITH months AS (
    SELECT
        period,
        period_status,
        CAST(date_part('year', period) * 12 + date_part('month', period) - 1 AS INTEGER) AS month_index
    FROM core.periods
),
neighbours AS (
    SELECT
        month_index,
        revenue,
        lag(month_index) OVER own AS last_index,
        lag(revenue) OVER own AS last_revenue,
        lead(month_index) OVER own AS next_index
    FROM marts.customer_month
    WINDOW own AS (PARTITION BY customer_id ORDER BY month_index)
),
moves AS (
    SELECT
        month_index,
        revenue,
        CASE WHEN last_index = month_index - 1 THEN revenue - last_revenue ELSE revenue END AS change,
        CASE
            WHEN last_index IS NULL THEN 'new'
            WHEN last_index < month_index - 1 THEN 'reactivated'
            WHEN revenue > last_revenue THEN 'expansion'
            WHEN revenue < last_revenue THEN 'contraction'
            ELSE 'same'
        END AS effect,
        coalesce(next_index > month_index + 1, true) AS leaves
    FROM neighbours
),
sums AS (
    SELECT
        month_index,
        sum(revenue) AS revenue,
        count(*) AS customers,
        sum(change) FILTER (WHERE effect = 'new') AS new_amount,
        count(*) FILTER (WHERE effect = 'new') AS new_customers,
        sum(change) FILTER (WHERE effect = 'reactivated') AS reactivated_amount,
        count(*) FILTER (WHERE effect = 'reactivated') AS reactivated_customers,
        sum(change) FILTER (WHERE effect = 'expansion') AS expansion_amount,
        count(*) FILTER (WHERE effect = 'expansion') AS expansion_customers,
        sum(change) FILTER (WHERE effect = 'contraction') AS contraction_amount,
        count(*) FILTER (WHERE effect = 'contraction') AS contraction_customers,
        sum(revenue) FILTER (WHERE leaves) AS leaving_amount,
        count(*) FILTER (WHERE leaves) AS leaving_customers
    FROM moves
    GROUP BY month_index
),
timeline AS (
    -- A month without any sale is a month too: it is joined to the calendar before one month looks at the one before.
    SELECT
        months.period,
        months.period_status,
        sums.*,
        lag(sums.revenue) OVER calendar AS last_revenue,
        lag(sums.customers) OVER calendar AS last_customers,
        lag(sums.leaving_amount) OVER calendar AS lost_amount,
        lag(sums.leaving_customers) OVER calendar AS lost_customers
    FROM months LEFT JOIN sums ON sums.month_index = months.month_index
    WINDOW calendar AS (ORDER BY months.month_index)
),
parts AS (
    SELECT * FROM (VALUES
        (1, 'start'), (2, 'new'), (3, 'reactivated'), (4, 'expansion'), (5, 'contraction'), (6, 'lost'), (7, 'end')
    ) AS parts (position, effect)
)
SELECT
    timeline.period,
    timeline.period_status,
    parts.effect,
    CAST(parts.position AS INTEGER) AS position,
    coalesce(CASE parts.effect
        WHEN 'start' THEN timeline.last_revenue
        WHEN 'new' THEN timeline.new_amount
        WHEN 'reactivated' THEN timeline.reactivated_amount
        WHEN 'expansion' THEN timeline.expansion_amount
        WHEN 'contraction' THEN timeline.contraction_amount
        WHEN 'lost' THEN -timeline.lost_amount
        ELSE timeline.revenue
    END, 0) AS amount,
    coalesce(CASE parts.effect
        WHEN 'start' THEN timeline.last_customers
        WHEN 'new' THEN timeline.new_customers
        WHEN 'reactivated' THEN timeline.reactivated_customers
        WHEN 'expansion' THEN timeline.expansion_customers
        WHEN 'contraction' THEN timeline.contraction_customers
        WHEN 'lost' THEN timeline.lost_customers
        ELSE timeline.customers
    END, 0) AS customers
FROM timeline CROSS JOIN parts

/* ---
description: >-
  Who moved between tiers from one as-of date to the next. Besides the tiers a customer can be inactive (known, without
  a line in the window) or, before the first line, not_yet. The value changes of a pair of dates add up to the change of
  the windows' revenue, to the cent. Cells with nobody are absent.
grain: [from_as_of, to_as_of, from_tier, to_tier]
columns:
  from_as_of: {description: The earlier date, tests: [not_null]}
  to_as_of: {description: "The later date: a month further, or the current day", tests: [not_null]}
  from_tier: {tests: [not_null, {accepted_values: [key, ordinary, small, inactive, not_yet]}],
    description: State at from_as_of}
  to_tier: {tests: [not_null, {accepted_values: [key, ordinary, small, inactive]}], description: State at to_as_of}
  movement: {tests: [not_null, {accepted_values: [new, returned, upgrade, same, downgrade, lapsed, inactive]}],
    description: "By rank of the tiers: new (from not_yet), returned (from inactive), upgrade, same, downgrade, lapsed
      (to inactive), inactive (at both dates)"}
  customers: {description: How many, tests: [not_null, {range: {min: 1}}]}
  share: {description: "Of the customers in from_tier, 0 to 1 and adding up to 1; NULL from not_yet",
    tests: [{range: {min: 0, max: 1}}]}
  value_change: {description: Their value at to_as_of less that at from_as_of, tests: [not_null]}
--- */
WITH dates AS (
    SELECT
        CAST(date_part('year', period) * 12 + date_part('month', period) - 1 AS INTEGER) AS month_index,
        as_of AS to_as_of,
        lag(as_of) OVER (ORDER BY period) AS from_as_of
    FROM core.periods
),
states AS (
    -- The month that ends at as_of, or in which it lies, is that of the day before. Tiers travel as ranks: 3 key,
    -- 2 ordinary, 1 small, 0 inactive, -1 not yet.
    SELECT
        customer_id,
        CASE tier WHEN 'key' THEN 3 WHEN 'ordinary' THEN 2 ELSE 1 END AS rank,
        value,
        CAST(date_part('year', as_of - INTERVAL '1 day') * 12 + date_part('month', as_of - INTERVAL '1 day') - 1
            AS INTEGER) AS month_index
    FROM marts.customer_tier
),
neighbours AS (
    SELECT
        month_index,
        rank,
        value,
        lag(month_index) OVER own AS last_index,
        lag(rank) OVER own AS last_rank,
        lag(value) OVER own AS last_value,
        lead(month_index) OVER own AS next_index
    FROM states
    WINDOW own AS (PARTITION BY customer_id ORDER BY month_index)
),
sums AS (
    SELECT
        month_index,
        CASE WHEN last_index IS NULL THEN -1 WHEN last_index < month_index - 1 THEN 0 ELSE last_rank END AS last_rank,
        rank,
        coalesce(next_index > month_index + 1, true) AS leaves,
        count(*) AS customers,
        sum(value) AS value,
        sum(CASE WHEN last_index = month_index - 1 THEN value - last_value ELSE value END) AS value_change
    FROM neighbours
    GROUP BY 1, 2, 3, 4
),
moves AS (
    -- Each sum is the arrival in its month and, of those who leave, the departure in the next.
    SELECT
        sums.month_index + step.departs AS month_index,
        CASE step.departs WHEN 0 THEN sums.last_rank ELSE sums.rank END AS from_rank,
        CASE step.departs WHEN 0 THEN sums.rank ELSE 0 END AS to_rank,
        sum(sums.customers) AS customers,
        sum(CASE step.departs WHEN 0 THEN sums.value_change ELSE -sums.value END) AS value_change
    FROM sums CROSS JOIN (VALUES (0), (1)) AS step (departs)
    WHERE step.departs = 0 OR sums.leaves
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT month_index, 0, 0, 0, 0 FROM dates
),
balanced AS (
    -- Inactive now = all who ever lapsed less all who ever returned; who has not just lapsed was inactive before.
    SELECT
        month_index,
        from_rank,
        to_rank,
        value_change,
        CASE
            WHEN from_rank = 0 AND to_rank = 0 THEN
                sum(CASE WHEN to_rank = 0 THEN customers WHEN from_rank = 0 THEN -customers ELSE 0 END)
                    OVER (ORDER BY month_index RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
                - sum(CASE WHEN to_rank = 0 THEN customers ELSE 0 END) OVER (PARTITION BY month_index)
            ELSE customers
        END AS customers
    FROM moves
),
names AS (
    SELECT *
    FROM (VALUES (3, 'key'), (2, 'ordinary'), (1, 'small'), (0, 'inactive'), (-1, 'not_yet')) AS names (rank, tier)
)
SELECT
    dates.from_as_of,
    dates.to_as_of,
    from_names.tier AS from_tier,
    to_names.tier AS to_tier,
    CASE
        WHEN balanced.from_rank = -1 THEN 'new'
        WHEN balanced.from_rank = 0 AND balanced.to_rank = 0 THEN 'inactive'
        WHEN balanced.from_rank = 0 THEN 'returned'
        WHEN balanced.to_rank = 0 THEN 'lapsed'
        WHEN balanced.to_rank > balanced.from_rank THEN 'upgrade'
        WHEN balanced.to_rank < balanced.from_rank THEN 'downgrade'
        ELSE 'same'
    END AS movement,
    balanced.customers,
    CASE WHEN balanced.from_rank >= 0 THEN CAST(balanced.customers AS DOUBLE)
        / sum(balanced.customers) OVER (PARTITION BY dates.to_as_of, balanced.from_rank) END AS share,
    balanced.value_change
FROM balanced
JOIN dates ON dates.month_index = balanced.month_index
JOIN names AS from_names ON from_names.rank = balanced.from_rank
JOIN names AS to_names ON to_names.rank = balanced.to_rank
WHERE dates.from_as_of IS NOT NULL AND balanced.customers > 0

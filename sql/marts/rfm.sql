/* ---
description: >-
  Recency, frequency and monetary value of every customer as of the run's date, with scores from 1 to 5 by the edges of
  marts.rfm_cutoffs (5 is best) and a segment made from the scores of recency and frequency.
grain: [as_of, customer_id]
columns:
  as_of: {description: Only facts dated before it are counted, tests: [not_null]}
  customer_id: {description: Who,
    tests: [not_null, {relationships: {to: marts.customer_history, field: customer_id}}]}
  recency_days: {description: Days from the last order to as_of, tests: [not_null, {range: {min: 1}}]}
  frequency: {description: Distinct orders with a line sold, tests: [not_null, {range: {min: 0}}]}
  monetary: {description: Net revenue to date, tests: [not_null]}
  r: {description: "Recency, 5 for the most recent", tests: [not_null, {range: {min: 1, max: 5}}]}
  f: {description: "Frequency, 5 for the most frequent", tests: [not_null, {range: {min: 1, max: 5}}]}
  m: {description: "Monetary, 5 for the greatest", tests: [not_null, {range: {min: 1, max: 5}}]}
  segment: {tests: [not_null, {accepted_values: [champion, loyal, recent, needs_attention, at_risk, dormant]}],
    description: "champion r 4-5 and f 4-5; loyal r 3-5 and f 3-5; recent r 4-5; needs_attention r 3; at_risk r 1-2 and
      f 3-5; dormant the rest"}
--- */
WITH edges AS (
    SELECT
        array_agg(cutoff ORDER BY boundary) FILTER (WHERE measure = 'recency_days') AS recency_days,
        array_agg(cutoff ORDER BY boundary) FILTER (WHERE measure = 'frequency') AS frequency,
        array_agg(cutoff ORDER BY boundary) FILTER (WHERE measure = 'monetary') AS monetary
    FROM marts.rfm_cutoffs
),
customer AS (
    SELECT
        as_of,
        customer_id,
        as_of - last_ordered_on AS recency_days,
        orders AS frequency,
        revenue AS monetary
    FROM marts.customer_history
    WHERE as_of = DATE '{{ as_of }}'
),
scored AS (
    -- A value on an edge is below it; the fewest days get the greatest score.
    SELECT
        customer.*,
        6 - quantile_score(customer.recency_days, edges.recency_days) AS r,
        quantile_score(customer.frequency, edges.frequency) AS f,
        quantile_score(customer.monetary, edges.monetary) AS m
    FROM customer CROSS JOIN edges
)
SELECT
    as_of,
    customer_id,
    CAST(recency_days AS INTEGER) AS recency_days,
    frequency,
    monetary,
    CAST(r AS INTEGER) AS r,
    CAST(f AS INTEGER) AS f,
    CAST(m AS INTEGER) AS m,
    CASE
        WHEN r >= 4 AND f >= 4 THEN 'champion'
        WHEN r >= 3 AND f >= 3 THEN 'loyal'
        WHEN r >= 4 THEN 'recent'
        WHEN r = 3 THEN 'needs_attention'
        WHEN f >= 3 THEN 'at_risk'
        ELSE 'dormant'
    END AS segment
FROM scored

/* ---
description: >-
  The edges between the five scores of recency, frequency and monetary value: quintiles of all customers at the
  reference date `rfm_reference_as_of`, interpolated linearly between neighbours. With a fixed reference date they are
  frozen, so that nobody moves because others did; without one the reference is the run's own as-of date.
grain: [measure, boundary]
columns:
  reference_as_of: {description: Date whose customers gave the edges, tests: [not_null]}
  measure: {tests: [not_null, {accepted_values: [recency_days, frequency, monetary]}], description: What is cut}
  boundary: {description: "1 to 4, at 20, 40, 60 and 80 % of the customers", tests: [not_null]}
  cutoff: {description: "A value up to and including this one is below the edge", tests: [not_null]}
--- */
{% set reference = var('rfm_reference_as_of', as_of) %}
WITH customer_order AS (
    SELECT
        customer_id,
        order_id,
        max(ordered_on) AS last_on,
        max(CASE WHEN {{ is_sale() }} THEN ordered_on END) AS last_sold_on,
        sum(revenue) AS revenue
    FROM core.order_lines
    WHERE ordered_on < DATE '{{ reference }}' AND ordered_on < DATE '{{ as_of }}'
    GROUP BY customer_id, order_id
),
customer AS (
    SELECT
        DATE '{{ reference }}' - coalesce(max(last_sold_on), max(last_on)) AS recency_days,
        count(last_sold_on) AS frequency,
        sum(revenue) AS monetary
    FROM customer_order
    GROUP BY customer_id
),
measured AS (
    SELECT
        measures.measure,
        CAST(CASE measures.measure
            WHEN 'recency_days' THEN customer.recency_days
            WHEN 'frequency' THEN customer.frequency
            ELSE customer.monetary
        END AS DECIMAL(28, 4)) AS value
    FROM customer
    CROSS JOIN (VALUES ('recency_days'), ('frequency'), ('monetary')) AS measures (measure)
),
edges AS (
    SELECT measure, quantile_cutoffs(value, 5) AS cutoffs FROM measured GROUP BY measure
)
SELECT
    DATE '{{ reference }}' AS reference_as_of,
    edges.measure,
    CAST(boundaries.boundary AS INTEGER) AS boundary,
    CAST(edges.cutoffs[boundaries.boundary] AS DECIMAL(28, 4)) AS cutoff
FROM edges CROSS JOIN (VALUES (1), (2), (3), (4)) AS boundaries (boundary)

/* ---
description: >-
  The customers with a line that counts under the rule. The shop gives a number and a country and nothing else; of the
  few with two countries the one of the last invoice is taken.
grain: [customer_id]
columns:
  customer_id: {description: The shop's customer number, tests: [not_null, unique]}
  name: {description: Not known}
  region: {description: Country of the last invoice, tests: [not_null]}
  segment: {description: Not known}
  first_ordered_on: {description: Day of the first counted line, tests: [not_null]}
--- */
WITH ranked AS (
    SELECT
        customer_id,
        country,
        min(ordered_on) OVER (PARTITION BY customer_id) AS first_ordered_on,
        row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at DESC, order_id DESC, country) AS place
    FROM core.order_lines
)
SELECT
    customer_id,
    CAST(NULL AS TEXT) AS name,
    country AS region,
    CAST(NULL AS TEXT) AS segment,
    first_ordered_on
FROM ranked
WHERE place = 1

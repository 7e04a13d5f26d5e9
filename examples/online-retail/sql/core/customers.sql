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
SELECT
    customer_id,
    CAST(NULL AS TEXT) AS name,
    max_by(country, struct(ordered_at, order_id)) AS region,
    CAST(NULL AS TEXT) AS segment,
    min(ordered_on) AS first_ordered_on
FROM core.order_lines
GROUP BY customer_id

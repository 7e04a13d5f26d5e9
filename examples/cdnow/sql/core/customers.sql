/* ---
description: The customers of the sample. Nothing is known of them but their numbers and purchases.
grain: [customer_id]
columns:
  customer_id: {description: The customer's number in the sample, tests: [not_null, unique]}
  name: {description: Not known}
  region: {description: Not known}
  segment: {description: Not known}
  first_ordered_on: {description: Day of the first purchase, tests: [not_null]}
--- */
SELECT
    customer_id,
    CAST(NULL AS TEXT) AS name,
    CAST(NULL AS TEXT) AS region,
    CAST(NULL AS TEXT) AS segment,
    min(ordered_on) AS first_ordered_on
FROM core.order_lines
GROUP BY customer_id

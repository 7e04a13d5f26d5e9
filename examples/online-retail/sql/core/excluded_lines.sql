/* ---
description: >-
  What the rule leaves out, by reason: each line of the file counts in exactly one row, so that the share of anonymous
  buyers and cancellations can be reported.
grain: [reason]
columns:
  reason: {tests: [not_null, {accepted_values: [counted, later, no_customer, not_positive]}],
    description: "counted (a sale under the rule), later (not before the as-of date), no_customer, not_positive
      (quantity or price is not above 0)"}
  lines: {description: How many, tests: [not_null]}
  amount: {description: "quantity * unit_price, rounded to the penny line by line", tests: [not_null]}
--- */
WITH lines AS (
    SELECT
        CASE
            WHEN {{ local_date('invoiced_at') }} >= DATE '{{ as_of }}' THEN 'later'
            WHEN customer_id IS NULL THEN 'no_customer'
            WHEN '{{ var('rule', 'R1') }}' = 'R1' AND (quantity <= 0 OR unit_price <= 0) THEN 'not_positive'
            ELSE 'counted'
        END AS reason,
        round(quantity * unit_price, 2) AS amount
    FROM {{ source('shop', 'invoice_lines') }}
)
SELECT reason, count(*) AS lines, sum(amount) AS amount
FROM lines
GROUP BY reason

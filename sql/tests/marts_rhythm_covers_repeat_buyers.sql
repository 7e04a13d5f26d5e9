/* ---
description: >-
  There is a rhythm for every customer with two or more days of purchases, and the typical gap lies between the
  customer's own and the population's
--- */
WITH buyers AS (
    SELECT as_of, count(*) AS customers FROM marts.customer_purchases WHERE frequency > 0 GROUP BY as_of
),
rhythms AS (
    SELECT as_of, count(*) AS customers FROM marts.customer_rhythm GROUP BY as_of
)
SELECT buyers.as_of, 'customers' AS fault, buyers.customers AS expected, rhythms.customers AS found
FROM buyers LEFT JOIN rhythms ON rhythms.as_of = buyers.as_of
WHERE rhythms.customers IS DISTINCT FROM buyers.customers
UNION ALL
SELECT as_of, 'typical gap', NULL, NULL
FROM marts.customer_rhythm
WHERE typical_gap_days < least(own_gap_days, population_gap_days) - 0.000001
    OR typical_gap_days > greatest(own_gap_days, population_gap_days) + 0.000001

/* ---
description: >-
  The regions of the base's value add up to all, to the cent; customers and historical value are those of
  marts.customer_value, and nothing is predicted in all unless every region is
--- */
WITH sums AS (
    SELECT
        as_of,
        sum(customers) AS customers,
        sum(buyers) AS buyers,
        sum(historical_value) AS historical_value,
        CASE WHEN count(*) FILTER (WHERE predicted_value IS NULL AND buyers > 0) = 0 THEN sum(predicted_value) END
            AS predicted_value
    FROM marts.customer_lifetime_value
    WHERE region <> 'all'
    GROUP BY as_of
),
customers AS (
    SELECT as_of, count(*) AS customers, sum(historical_value) AS historical_value
    FROM marts.customer_value
    GROUP BY as_of
)
SELECT sums.as_of, 'regions' AS fault, sums.customers, sums.historical_value, sums.predicted_value
FROM sums JOIN marts.customer_lifetime_value AS whole ON whole.as_of = sums.as_of AND whole.region = 'all'
WHERE sums.customers <> whole.customers OR sums.buyers <> whole.buyers
    OR sums.historical_value <> whole.historical_value
    OR (whole.buyers > 0 AND (sums.predicted_value IS DISTINCT FROM whole.predicted_value))
UNION ALL
SELECT customers.as_of, 'customers', customers.customers, customers.historical_value, NULL
FROM customers
LEFT JOIN marts.customer_lifetime_value AS whole ON whole.as_of = customers.as_of AND whole.region = 'all'
WHERE (whole.customers IS DISTINCT FROM customers.customers)
    OR (whole.historical_value IS DISTINCT FROM customers.historical_value)

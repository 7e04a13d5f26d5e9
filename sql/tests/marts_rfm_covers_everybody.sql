/* ---
description: Scores cover every customer and all revenue, and their cut-offs rise
--- */
WITH scores AS (
    SELECT count(*) AS customers, sum(monetary) AS revenue FROM marts.rfm
),
customers AS (
    SELECT count(*) AS customers, sum(revenue) AS revenue FROM marts.customer_history WHERE as_of = DATE '{{ as_of }}'
),
edges AS (
    SELECT
        measure,
        boundary,
        cutoff,
        lag(cutoff) OVER (PARTITION BY measure ORDER BY boundary) AS lower_cutoff,
        count(*) OVER () AS edges
    FROM marts.rfm_cutoffs
)
SELECT 'customers' AS fault, CAST(customers.customers AS TEXT) AS expected, CAST(scores.customers AS TEXT) AS found
FROM scores CROSS JOIN customers
WHERE scores.customers <> customers.customers
UNION ALL
SELECT 'revenue', CAST(customers.revenue AS TEXT), CAST(scores.revenue AS TEXT)
FROM scores CROSS JOIN customers
WHERE scores.revenue <> customers.revenue
UNION ALL
SELECT 'edges', '12 edges that rise', concat(measure, ' ', CAST(boundary AS TEXT), ': ', CAST(cutoff AS TEXT))
FROM edges
WHERE cutoff < lower_cutoff OR edges <> 12

/* ---
description: >-
  The figures published for these data, under the rule that is set and as of 2011-12-10: lines, customers, invoices,
  revenue, the cohort of December 2010 in all its months and, under R1, pyramid and scores. README.md names the sources.
--- */
WITH published AS (
    SELECT * FROM (VALUES
        ('R1', 'lines', '397884'),
        ('R1', 'customers', '4338'),
        ('R1', 'invoices', '18532'),
        ('R1', 'revenue', '8911407.90'),
        ('R1', 'cohort of December 2010', '885 324 286 340 321 352 321 309 313 350 331 445 235'),
        ('R1', 'key customers', '1133'),
        ('R1', 'key and ordinary customers', '2602'),
        ('R1', 'revenue of the first fifth of the customers, %', '74.62'),
        ('R1', 'customers with one order', '1493'),
        ('R1', 'edges of recency_days', '13.80 33.00 72.00 180.00'),
        ('R1', 'edges of frequency', '1.00 2.00 3.00 6.00'),
        ('R1', 'edges of monetary', '250.19 490.10 942.28 2058.43'),
        ('R2', 'lines', '406829'),
        ('R2', 'customers', '4372'),
        ('R2', 'revenue', '8300065.81'),
        ('R2', 'cohort of December 2010', '948 362 317 367 341 376 360 336 336 374 354 474 260'),
        -- Published as 42: added up in binary floating point, customer 18072 ends at -5e-15. In pounds and pence the
        -- customer ends at 0.00, so that 41 are below it.
        ('R2', 'customers below zero', '41')
    ) AS published (rule, figure, value)
),
fifth AS (
    SELECT
        sum(value) FILTER (WHERE position <= ceil(customers * 0.2)) AS upper,
        sum(value) AS whole
    FROM (
        SELECT value, position, count(*) OVER () AS customers
        FROM marts.customer_tier WHERE as_of = DATE '{{ as_of }}'
    )
),
found AS (
    SELECT 'lines' AS figure, CAST(count(*) AS TEXT) AS value FROM core.order_lines
    UNION ALL SELECT 'customers', CAST(count(*) AS TEXT) FROM core.customers
    UNION ALL SELECT 'invoices', CAST(count(DISTINCT order_id) AS TEXT) FROM core.order_lines
    UNION ALL SELECT 'revenue', CAST(CAST(sum(revenue) AS DECIMAL(18, 2)) AS TEXT) FROM marts.company_month
    UNION ALL
    SELECT 'cohort of December 2010',
        string_agg(CAST(retained_customers AS TEXT), ' ' ORDER BY months_since)
    FROM marts.retention_cohort WHERE cohort = DATE '2010-12-01'
    UNION ALL
    SELECT 'key customers', CAST(count(*) AS TEXT)
    FROM marts.customer_tier WHERE as_of = DATE '{{ as_of }}' AND tier = 'key'
    UNION ALL
    SELECT 'key and ordinary customers', CAST(count(*) AS TEXT)
    FROM marts.customer_tier WHERE as_of = DATE '{{ as_of }}' AND tier <> 'small'
    UNION ALL
    SELECT 'revenue of the first fifth of the customers, %',
        CAST(CAST(round(upper * 100 / whole, 2) AS DECIMAL(18, 2)) AS TEXT)
    FROM fifth
    UNION ALL
    SELECT 'customers with one order', CAST(count(*) AS TEXT) FROM marts.rfm WHERE frequency = 1
    UNION ALL
    SELECT concat('edges of ', measure),
        string_agg(CAST(CAST(round(cutoff, 2) AS DECIMAL(18, 2)) AS TEXT), ' ' ORDER BY boundary)
    FROM marts.rfm_cutoffs GROUP BY measure
    UNION ALL
    SELECT 'customers below zero', CAST(count(*) AS TEXT)
    FROM marts.customer_history
    WHERE revenue < 0 AND as_of = DATE '{{ as_of }}'
)
SELECT published.figure, published.value AS published_value, found.value AS found_value
FROM published LEFT JOIN found ON found.figure = published.figure
WHERE published.rule = '{{ var('rule', 'R1') }}'
    AND (found.value IS DISTINCT FROM published.value)
    -- On another day these data have other figures.
    AND DATE '{{ as_of }}' = DATE '2011-12-10'

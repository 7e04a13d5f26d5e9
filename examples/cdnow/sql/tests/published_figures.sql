/* ---
description: >-
  The figures published for these data, calibrated to 1997-09-30 and held out to 1998-06-30. README.md names the source.
--- */
WITH published AS (
    SELECT * FROM (VALUES
        ('purchases', '6919'),
        ('customer-days', '6696'),
        ('customers', '2357'),
        ('repeat days', '2457'),
        ('customers without repeat', '1411'),
        ('repeat buyers', '946'),
        ('hold-out days', '1882'),
        ('revenue', '244091.94'),
        ('customers with x = 26, t_x = 30.857143, T = 31', '1')
    ) AS published (figure, value)
),
found AS (
    SELECT 'purchases' AS figure, CAST(count(*) AS TEXT) AS value FROM core.order_lines
    UNION ALL SELECT 'customer-days', CAST(count(DISTINCT order_id) AS TEXT) FROM core.order_lines
    UNION ALL SELECT 'customers', CAST(count(*) AS TEXT) FROM marts.purchase_summary
    UNION ALL SELECT 'repeat days', CAST(sum(frequency) AS TEXT) FROM marts.purchase_summary
    UNION ALL
    SELECT 'customers without repeat', CAST(count(*) AS TEXT) FROM marts.purchase_summary WHERE frequency = 0
    UNION ALL
    SELECT 'repeat buyers', CAST(count(mean_repeat_revenue) AS TEXT) FROM marts.purchase_summary
    UNION ALL SELECT 'hold-out days', CAST(sum(holdout_frequency) AS TEXT) FROM marts.purchase_summary
    UNION ALL SELECT 'revenue', CAST(CAST(sum(revenue) AS DECIMAL(18, 2)) AS TEXT) FROM marts.company_month
    UNION ALL
    SELECT 'customers with x = 26, t_x = 30.857143, T = 31', CAST(count(*) AS TEXT)
    FROM marts.purchase_summary
    WHERE frequency = 26 AND abs(recency_weeks - 30.857143) < 0.000001 AND age_weeks = 31
)
SELECT published.figure, published.value AS published_value, found.value AS found_value
FROM published LEFT JOIN found ON found.figure = published.figure
WHERE (found.value IS DISTINCT FROM published.value)
    -- On other days these data have other figures.
    AND DATE '{{ as_of }}' = DATE '1998-07-01'
    AND DATE '{{ var('calibration_until', as_of) }}' = DATE '1997-10-01'

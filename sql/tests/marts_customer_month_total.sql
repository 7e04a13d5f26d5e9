/* ---
description: Customers' months, companies' months and values hold the revenue and margin of the order lines
--- */
WITH lines AS (
    SELECT sum(revenue) AS revenue, coalesce(sum(margin), 0) AS margin FROM core.order_lines
),
totals AS (
    SELECT 'marts.customer_month' AS mart, sum(revenue) AS revenue, coalesce(sum(margin), 0) AS margin
    FROM marts.customer_month
    UNION ALL
    SELECT 'marts.company_month', sum(revenue), coalesce(sum(margin), 0) FROM marts.company_month
    UNION ALL
    SELECT 'marts.customer_history', sum(revenue), coalesce(sum(margin), 0)
    FROM marts.customer_history
    WHERE as_of = DATE '{{ as_of }}'
)
SELECT totals.mart, totals.revenue, totals.margin, lines.revenue AS lines_revenue, lines.margin AS lines_margin
FROM totals CROSS JOIN lines
WHERE (totals.revenue IS DISTINCT FROM lines.revenue) OR (totals.margin IS DISTINCT FROM lines.margin)

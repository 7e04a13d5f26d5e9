SELECT
  coalesce(customers.name, CAST(now.customer_id AS VARCHAR)) AS customer,
  now.revenue,
  now.orders,
  now.revenue - coalesce(before.revenue, 0) AS change
FROM marts.customer_month AS now
LEFT JOIN marts.customer_month AS before
  ON before.customer_id = now.customer_id AND before.period = DATE '{{ period.start }}' - INTERVAL '1' MONTH
LEFT JOIN core.customers AS customers ON customers.customer_id = now.customer_id
WHERE now.period = DATE '{{ period.start }}'
ORDER BY now.revenue DESC, now.customer_id
LIMIT 10

SELECT
  period, period_status, revenue, margin, orders, average_order_value, buying_customers, new_customers,
  CAST(greatest(buying_customers - new_customers, 0) AS DOUBLE) / NULLIF(buying_customers, 0) AS returning_share
FROM marts.company_month
WHERE period <= DATE '{{ period.start }}' AND period >= DATE '{{ period.start }}' - INTERVAL '13' MONTH
ORDER BY period

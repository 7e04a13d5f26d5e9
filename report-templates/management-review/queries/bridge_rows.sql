SELECT effect, amount, customers
FROM marts.revenue_bridge
WHERE period = DATE '{{ period.start }}'

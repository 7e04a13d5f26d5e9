SELECT tier, count(*) AS customers, sum(value) AS value
FROM marts.customer_tier
WHERE as_of = (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}')
GROUP BY tier
ORDER BY tier

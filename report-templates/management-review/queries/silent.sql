SELECT
  coalesce(customers.name, CAST(rhythm.customer_id AS VARCHAR)) AS customer,
  rhythm.last_purchased_on,
  rhythm.days_silent,
  rhythm.typical_gap_days,
  rhythm.value_at_stake AS at_stake,
  count(*) OVER () AS all_customers,
  sum(rhythm.value_at_stake) OVER () AS all_at_stake
FROM marts.customer_rhythm AS rhythm
LEFT JOIN core.customers AS customers ON customers.customer_id = rhythm.customer_id
WHERE rhythm.as_of = (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}')
  AND rhythm.is_overdue AND rhythm.value_at_stake > 0
ORDER BY rhythm.value_at_stake DESC, rhythm.customer_id
LIMIT 12

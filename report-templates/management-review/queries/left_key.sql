SELECT
  coalesce(customers.name, CAST(before.customer_id AS VARCHAR)) AS customer,
  before.value AS value_before,
  coalesce(after.value, 0) AS value_now,
  before.value - coalesce(after.value, 0) AS at_stake,
  coalesce(after.tier, 'inactive') AS tier_now,
  days.last_ordered_on
FROM marts.customer_tier AS before
LEFT JOIN marts.customer_tier AS after
  ON after.customer_id = before.customer_id
  AND after.as_of = (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}')
LEFT JOIN core.customers AS customers ON customers.customer_id = before.customer_id
LEFT JOIN (
  SELECT customer_id, max(ordered_on) AS last_ordered_on
  FROM marts.customer_day
  WHERE is_purchase AND ordered_on < (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}')
  GROUP BY customer_id
) AS days ON days.customer_id = before.customer_id
WHERE before.as_of = DATE '{{ period.start }}' AND before.tier = 'key' AND coalesce(after.tier, 'inactive') <> 'key'
  -- Who left because the threshold rose has lost nothing.
  AND before.value > coalesce(after.value, 0)
ORDER BY at_stake DESC, before.customer_id

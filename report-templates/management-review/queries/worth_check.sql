SELECT
  customers, calibration_until, as_of - 1 AS until, holdout_weeks, expected_purchases, actual_purchases, miss,
  revenue_miss, earlier_miss, auc, recency_auc
FROM marts.customer_lifetime_value_check
WHERE as_of = (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}') AND region = 'all'

SELECT
  region, buyers, value_basis, historical_value, predicted_value, predicted_low, predicted_high, horizon_months,
  yearly_discount_rate, verdict, used_region, holdout_miss
FROM marts.customer_lifetime_value
WHERE as_of = (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}')
ORDER BY historical_value DESC, region

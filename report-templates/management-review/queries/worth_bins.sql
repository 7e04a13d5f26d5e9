SELECT
  CAST(frequency AS VARCHAR) || CASE WHEN frequency = 7 THEN '+' ELSE '' END AS "group",
  customers, expected_purchases AS expected, actual_purchases AS actual
FROM marts.customer_holdout_bin
WHERE as_of = (SELECT as_of FROM core.periods WHERE period = DATE '{{ period.start }}')
ORDER BY frequency

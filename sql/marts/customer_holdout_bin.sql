/* ---
description: >-
  The hold-out check by how often customers had bought before: expected and actual purchases per bin of repeat days,
  the last bin being open. Bins add up to the row `all` of marts.customer_lifetime_value_check.
grain: [as_of, frequency]
columns:
  as_of: {description: End of the weeks held out, tests: [not_null]}
  frequency: {description: "Repeat days before the weeks held out; 7 means 7 or more",
    tests: [not_null, {range: {min: 0, max: 7}}]}
  customers: {description: How many, tests: [not_null, {range: {min: 1}}]}
  expected_purchases: {description: "NULL when a customer of the bin has no converged fit", tests: [{range: {min: 0}}]}
  actual_purchases: {description: Days with a purchase that came, tests: [not_null, {range: {min: 0}}]}
--- */
SELECT
    as_of,
    least(frequency, 7) AS frequency,
    count(*) AS customers,
    CASE WHEN count(*) = count(expected_purchases) THEN exact_sum(expected_purchases) END AS expected_purchases,
    CAST(sum(actual_purchases) AS BIGINT) AS actual_purchases
FROM marts.customer_holdout
GROUP BY as_of, least(frequency, 7)

/* ---
description: >-
  The hold-out against each model, by repeat days in calibration; the last bin is 7 and more. The models were fitted to
  the calibration alone.
grain: [frequency]
columns:
  frequency: {description: "Repeat days in calibration; 7 means 7 or more", tests: [not_null]}
  customers: {description: How many, tests: [not_null]}
  actual: {description: Days with a purchase in the 39 weeks held out, tests: [not_null]}
  bg_nbd: {description: What BG/NBD expected, tests: [not_null]}
  mbg_nbd: {description: What MBG/NBD expected, tests: [not_null]}
  pareto_nbd: {description: What Pareto/NBD expected, tests: [not_null]}
--- */
{% set models = ['bg_nbd', 'mbg_nbd', 'pareto_nbd'] %}
SELECT
    least(summary.frequency, 7) AS frequency,
    count(*) AS customers,
    CAST(sum(summary.holdout_frequency) AS BIGINT) AS actual,
{%- for model in models %}
    exact_sum(expected_purchases(
        fits.{{ model }}, summary.frequency, summary.recency_weeks, summary.age_weeks, 39, 'week'
    )) AS {{ model }}{{ '' if loop.last else ',' }}
{%- endfor %}
FROM marts.purchase_summary AS summary CROSS JOIN marts.model_fits AS fits
GROUP BY least(summary.frequency, 7)

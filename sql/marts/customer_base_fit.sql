/* ---
description: >-
  The models of each region and of all customers together: how often customers buy and when they stop (`purchase_model`:
  bg_nbd, mbg_nbd or pareto_nbd; bg_nbd where the project does not say) and how much a purchase brings (Gamma-Gamma,
  repeat buyers with positive mean spend). `full` is fitted to the whole history, `calibration` to what came before the
  hold-out. A fit is used for predictions only when both models converged; a region without one borrows that of all.
grain: [as_of, observed, region]
columns:
  as_of: {description: Only facts dated before it are counted, tests: [not_null]}
  observed: {tests: [not_null, {accepted_values: [full, calibration]}], description: "full or calibration"}
  region: {description: "Sales region; `all` is every customer together", tests: [not_null]}
  customers: {description: How many were fitted, tests: [not_null, {range: {min: 1}}]}
  repeat_buyers: {description: Those of them with a repeat, tests: [not_null, {range: {min: 0}}]}
  fit: {description: "Fit of repeat buying, for the functions that predict", tests: [not_null]}
  spend_fit: {description: Fit of spending, tests: [not_null]}
  verdict: {tests: [not_null, {accepted_values: [converged, boundary, too little data, not converged]}],
    description: "Of the two fits together: that of repeat buying unless it converged, else that of spending"}
  reason: {description: "Why it is not `converged`, as one sentence"}
  used_region: {description: "Whose fit predicts for this region: its own, `all`, or NULL when neither converged"}
--- */
{% set model = var('purchase_model', 'bg_nbd') %}
WITH inputs AS (
    SELECT as_of, 'full' AS observed, region, frequency, recency_weeks AS recency, age_weeks AS age, mean_spend
    FROM marts.customer_purchases
    UNION ALL
    SELECT
        as_of, 'calibration' AS observed, region, calibration_frequency AS frequency,
        calibration_recency_weeks AS recency, calibration_age_weeks AS age, calibration_mean_spend AS mean_spend
    FROM marts.customer_purchases
    WHERE calibration_frequency IS NOT NULL
),
scoped AS (
    SELECT * FROM inputs
    UNION ALL
    SELECT as_of, observed, 'all' AS region, frequency, recency, age, mean_spend FROM inputs
),
fitted AS (
    SELECT
        as_of,
        observed,
        region,
        count(*) AS customers,
        count(*) FILTER (WHERE frequency > 0) AS repeat_buyers,
        -- Who first bought on the last day has not been watched yet and tells nothing of repeats.
        {{ model }}_fit(frequency, recency, age, 'week') AS fit,
        gamma_gamma_fit(frequency, mean_spend) AS spend_fit
    FROM scoped
    GROUP BY as_of, observed, region
),
judged AS (
    SELECT
        fitted.*,
        CASE WHEN fit['verdict'] <> 'converged' THEN fit['verdict'] ELSE spend_fit['verdict'] END AS verdict,
        CASE WHEN fit['verdict'] <> 'converged' THEN fit['reason'] ELSE spend_fit['reason'] END AS reason
    FROM fitted
)
SELECT
    as_of,
    observed,
    region,
    customers,
    repeat_buyers,
    fit,
    spend_fit,
    verdict,
    reason,
    CASE
        WHEN verdict = 'converged' THEN region
        ELSE max(CASE WHEN region = 'all' AND verdict = 'converged' THEN 'all' END)
            OVER (PARTITION BY as_of, observed)
    END AS used_region
FROM judged

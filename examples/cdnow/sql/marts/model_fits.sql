/* ---
description: The four published models fitted to marts.purchase_summary; one row
columns:
  bg_nbd: {description: "BG/NBD: Fader, Hardie, Lee 2005", tests: [not_null]}
  mbg_nbd: {description: "MBG/NBD: Batislam, Denizel, Filiztekin 2007", tests: [not_null]}
  pareto_nbd: {description: "Pareto/NBD: Schmittlein, Morrison, Colombo 1987", tests: [not_null]}
  spend: {description: "Gamma-Gamma of the repeat buyers: Fader, Hardie 2013", tests: [not_null]}
--- */
SELECT
    bg_nbd_fit(frequency, recency_weeks, age_weeks, 'week') AS bg_nbd,
    mbg_nbd_fit(frequency, recency_weeks, age_weeks, 'week') AS mbg_nbd,
    pareto_nbd_fit(frequency, recency_weeks, age_weeks, 'week') AS pareto_nbd,
    gamma_gamma_fit(frequency, mean_repeat_revenue) AS spend
FROM marts.purchase_summary

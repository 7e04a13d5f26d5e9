/* ---
description: Rates of exchange as the ERP has them, each with the days it holds for
materialize: view
grain: [currency, valid_from]
columns:
  currency: {description: ISO 4217, tests: [not_null]}
  valid_from: {description: First day, tests: [not_null]}
  valid_until: {description: The day from which another rate holds; NULL for the newest}
  rate: {description: Units of the currency for one of the base, tests: [not_null]}
--- */
SELECT
    currencies.code AS currency,
    rates.date AS valid_from,
    lead(rates.date) OVER (PARTITION BY rates.currency ORDER BY rates.date) AS valid_until,
    rates.rate
FROM {{ source('erp', 'exchange_rates') }} AS rates
JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = rates.currency

/* ---
description: >-
  Rates of exchange as the ERP has them, each with the days it holds for. Where companies have rates of their own, those
  of `erp_company`, else those for all, else those of the first
materialize: view
grain: [currency, valid_from]
columns:
  currency: {description: ISO 4217, tests: [not_null]}
  valid_from: {description: First day, tests: [not_null]}
  valid_until: {description: The day from which another rate holds; NULL for the newest}
  rate: {description: Units of the currency for one of the base, tests: [not_null]}
--- */
WITH ranked AS (
    SELECT
        currency_id, name AS valid_from, rate,
        row_number() OVER (
            PARTITION BY currency_id, name
            ORDER BY
                CASE WHEN company_id = {{ var('erp_company', 0) }} THEN 0 WHEN company_id IS NULL THEN 1 ELSE 2 END,
                company_id, id
        ) AS place
    FROM {{ source('erp', 'exchange_rates') }}
    WHERE {{ of_company('company_id') }}
)
SELECT
    currencies.name AS currency,
    ranked.valid_from,
    lead(ranked.valid_from) OVER (PARTITION BY ranked.currency_id ORDER BY ranked.valid_from) AS valid_until,
    ranked.rate
FROM ranked
JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = ranked.currency_id
WHERE ranked.place = 1

/* ---
description: Up to what a customer may owe, where the ERP sets a limit; as it is now, whatever the as-of date
materialize: view
columns:
  account_id: {description: Party, tests: [not_null]}
  credit_limit: {description: "In the company's currency", tests: [not_null]}
  currency: {description: ISO 4217}
  updated_at: {description: When it was last changed}
--- */
SELECT
    limits.party AS account_id,
    CAST(limits.credit_limit_amount AS DECIMAL(18, 2)) AS credit_limit,
    currencies.code AS currency,
    coalesce(limits.write_date, limits.create_date) AS updated_at
FROM {{ source('erp', 'credit_limits') }} AS limits
LEFT JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = limits.company
LEFT JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = companies.currency
WHERE limits.credit_limit_amount IS NOT NULL AND {{ of_company('limits.company') }}

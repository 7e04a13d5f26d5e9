/* ---
description: >-
  Up to what a customer may owe, where the ERP sets a limit above 0, from where the version of Odoo keeps it; as it is
  now, whatever the as-of date
materialize: view
columns:
  account_id: {description: Partner, tests: [not_null]}
  credit_limit: {description: "In the company's currency", tests: [not_null]}
  currency: {description: ISO 4217; NULL where the limit is for all companies}
  updated_at: {description: When it was last changed}
--- */
WITH limits AS (
    SELECT partner_id, company, CAST(credit_limit AS DECIMAL(18, 2)) AS credit_limit, write_date
    FROM {{ source('erp', 'credit_limits') }}
    UNION ALL
    SELECT
        CAST(split_part(res_id, ',', 2) AS BIGINT), coalesce(company_id, 0), CAST(value_float AS DECIMAL(18, 2)),
        coalesce(write_date, create_date)
    FROM {{ source('erp', 'properties') }}
    WHERE name = 'credit_limit' AND res_id LIKE 'res.partner,%'
)
SELECT
    limits.partner_id AS account_id,
    limits.credit_limit,
    currencies.name AS currency,
    limits.write_date AS updated_at
FROM limits
LEFT JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = limits.company
LEFT JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = companies.currency_id
WHERE limits.credit_limit > 0 AND (limits.company = 0 OR {{ of_company('limits.company') }})

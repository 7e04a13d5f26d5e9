/* ---
description: >-
  The companies that sell keep their books in the project's currency. A fault names one that does not: write its
  currency into perennial.yml, or choose a company with the variable `erp_company`
severity: error
--- */
SELECT DISTINCT companies.id AS company, currencies.code AS currency, '{{ currency }}' AS project_currency
FROM {{ source('erp', 'orders') }} AS orders
JOIN {{ source('erp', 'companies') }} AS companies ON companies.id = orders.company
JOIN {{ source('erp', 'currencies') }} AS currencies ON currencies.id = companies.currency
WHERE currencies.code <> '{{ currency }}' AND {{ of_company('orders.company') }}

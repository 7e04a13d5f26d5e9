/* ---
description: Lines in another currency without a rate of exchange for their day; their revenue counts nowhere
severity: warn
--- */
SELECT sale_id, line_id, sale_date, amount, currency
FROM staging.stg_erp__sale_lines
WHERE company_amount IS NULL AND sale_date < DATE '{{ as_of }}'

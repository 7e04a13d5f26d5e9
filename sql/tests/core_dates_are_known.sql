/* ---
description: >-
  Orders and returns dated before `earliest_day` (1980-01-01), mostly because their date is not known; their revenue
  counts nowhere
severity: warn
--- */
SELECT order_id, CAST(NULL AS TEXT) AS return_id, ordered_on AS dated_on
FROM staging.stg_erp__orders
WHERE status <> 'cancelled' AND ordered_on < DATE '{{ var('earliest_day', '1980-01-01') }}'
UNION ALL
SELECT order_id, return_id, returned_on
FROM staging.stg_erp__returns
WHERE returned_on < DATE '{{ var('earliest_day', '1980-01-01') }}'

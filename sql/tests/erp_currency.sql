/* ---
description: >-
  Orders in another currency than the project's; their revenue counts nowhere, as this ERP keeps no rates to convert it
severity: warn
--- */
SELECT order_id, currency, '{{ currency }}' AS project_currency
FROM {{ source('erp', 'orders') }}
WHERE currency <> '{{ currency }}' AND status <> 'cancelled' AND {{ local_date('ordered_at') }} < DATE '{{ as_of }}'

/* ---
description: Lines that were sent back before the as-of date
materialize: view
columns:
  return_id: {description: Number of the return, tests: [not_null]}
  order_id: {description: The order it belongs to}
  line_number: {description: The line of that order}
  quantity: {description: Pieces sent back}
  returned_on: {description: When}
  reason: {description: Why}
--- */
SELECT return_id, order_id, line_no AS line_number, quantity, returned_on, reason
FROM {{ source('erp', 'returns') }}
WHERE returned_on < DATE '{{ as_of }}'

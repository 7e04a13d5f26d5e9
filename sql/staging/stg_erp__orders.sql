/* ---
description: >-
  Orders of the ERP taken before the as-of date, cancelled ones among them. The status is the one loaded last: an
  order cancelled since is cancelled at every as-of date. Orders in another currency than the project's are out: this
  ERP keeps no rates, and amounts of two currencies are never added.
columns:
  order_id: {description: Order number, tests: [not_null]}
  account_id: {description: Account that ordered, tests: [not_null]}
  ordered_at: {description: When the order was taken, tests: [not_null]}
  ordered_on: {description: The same as a day in the project's time zone, tests: [not_null]}
  status: {description: "invoiced, shipped or cancelled", tests: [not_null]}
  channel: {description: How the order came in}
--- */
SELECT
    order_id,
    customer_id AS account_id,
    ordered_at,
    {{ local_date('ordered_at') }} AS ordered_on,
    status,
    channel
FROM {{ source('erp', 'orders') }}
WHERE currency = '{{ currency }}' AND {{ local_date('ordered_at') }} < DATE '{{ as_of }}'

/* ---
description: >-
  The days on which each customer bought, and those on which something came back or was credited. Purchases of one day
  are one: this is what models of repeat buying and the customer's rhythm count.
grain: [customer_id, ordered_on, is_purchase]
columns:
  customer_id: {description: Who, tests: [not_null]}
  ordered_on: {description: Day, tests: [not_null]}
  is_purchase: {description: "Lines sold; false for the returns and credits of that day, which are not a purchase",
    tests: [not_null]}
  revenue: {description: "Of the day's lines; of a purchase not below 0", tests: [not_null]}
--- */
SELECT customer_id, ordered_on, {{ is_sale() }} AS is_purchase, sum(revenue) AS revenue
FROM core.order_lines
WHERE ordered_on < DATE '{{ as_of }}'
GROUP BY customer_id, ordered_on, {{ is_sale() }}

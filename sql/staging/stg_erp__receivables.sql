/* ---
description: >-
  Invoices issued before the as-of date, and what was paid of them before it. As the orders, those in another currency
  than the project's are out.
materialize: view
columns:
  invoice_id: {description: Invoice number, tests: [not_null]}
  order_id: {description: The order it is for}
  account_id: {description: Who owes}
  issued_on: {description: Date of the invoice}
  due_on: {description: Date by which it is to be paid}
  paid_on: {description: "When it was paid; NULL when it was not before the as-of date"}
  amount: {description: Net amount}
--- */
SELECT
    invoices.invoice_id,
    invoices.order_id,
    invoices.customer_id AS account_id,
    invoices.issued_on,
    invoices.due_on,
    CASE WHEN invoices.paid_on < DATE '{{ as_of }}' THEN invoices.paid_on END AS paid_on,
    invoices.amount
FROM {{ source('erp', 'receivables') }} AS invoices
LEFT JOIN {{ source('erp', 'orders') }} AS orders ON orders.order_id = invoices.order_id
WHERE invoices.issued_on < DATE '{{ as_of }}' AND coalesce(orders.currency = '{{ currency }}', TRUE)

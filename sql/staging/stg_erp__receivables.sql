/* ---
description: Invoices issued before the as-of date, and what was paid of them before it
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
    invoice_id,
    order_id,
    customer_id AS account_id,
    issued_on,
    due_on,
    CASE WHEN paid_on < DATE '{{ as_of }}' THEN paid_on END AS paid_on,
    amount
FROM {{ source('erp', 'receivables') }}
WHERE issued_on < DATE '{{ as_of }}'

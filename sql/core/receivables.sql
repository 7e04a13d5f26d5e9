/* ---
description: Invoices and what was paid of them, as known at the as-of date
grain: [invoice_id]
columns:
  invoice_id: {description: Invoice number, tests: [not_null]}
  order_id: {description: The order it is for; NULL when it is for none or for several}
  customer_id: {description: Who owes, tests: [not_null]}
  issued_on: {description: Date of the invoice, tests: [not_null]}
  due_on: {description: Date by which it is to be paid, tests: [not_null]}
  paid_on: {description: "When it was paid; NULL when it was not before the as-of date"}
  amount: {description: Net amount, tests: [not_null]}
  overdue_days: {description: "Days from the due date to payment, or to the as-of date while unpaid; 0 when in time",
    tests: [not_null, {range: {min: 0}}]}
--- */
WITH known AS (
    SELECT
        invoice_id, order_id, account_id, issued_on, due_on, amount,
        CASE WHEN paid_on < DATE '{{ as_of }}' THEN paid_on END AS paid_on
    FROM staging.stg_erp__receivables
    WHERE issued_on < DATE '{{ as_of }}'
)
SELECT
    known.invoice_id,
    known.order_id,
    coalesce(accounts.customer_id, known.account_id) AS customer_id,
    known.issued_on,
    known.due_on,
    known.paid_on,
    known.amount,
    greatest(coalesce(known.paid_on, DATE '{{ as_of }}') - known.due_on, 0) AS overdue_days
FROM known LEFT JOIN core.account_customers AS accounts ON accounts.account_id = known.account_id

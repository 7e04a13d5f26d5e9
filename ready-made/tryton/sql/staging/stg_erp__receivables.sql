/* ---
description: >-
  Invoices issued before the as-of date, and what was paid of them before it; cancelled ones are out, and credit notes
  are negative
materialize: view
columns:
  invoice_id: {description: Number of the invoice in the database, tests: [not_null]}
  order_id: {description: The order it is for; NULL when it is for none or for several}
  account_id: {description: Who owes}
  issued_on: {description: Date of the invoice}
  due_on: {description: "Date by which it is to be paid; in instalments, that of the earliest unpaid one, or of the last"}
  paid_on: {description: "When it was paid; NULL when it was not before the as-of date"}
  amount: {description: "Net amount in the company's currency, as booked"}
--- */
SELECT invoice_id, order_id, account_id, issued_on, due_on, paid_on, company_amount AS amount
FROM {{ ref('staging.stg_erp__invoices') }}
WHERE status <> 'cancelled'

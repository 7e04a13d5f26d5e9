/* ---
description: >-
  Invoices issued before the as-of date, and what was paid of them before it. Cancelled ones and credit notes are out;
  they are in staging.stg_erp__invoices.
materialize: view
columns:
  invoice_id: {description: Number of the invoice in the database, tests: [not_null]}
  order_id: {description: The order it is for; NULL when it is for none or for several}
  account_id: {description: Who owes}
  issued_on: {description: Date of the invoice}
  due_on: {description: "By when it is to be paid; in instalments, the date of the earliest unpaid one, or of the last"}
  paid_on: {description: "When it was paid; NULL when it was not before the as-of date"}
  amount: {description: "Net amount in the company's currency, as booked"}
--- */
SELECT invoice_id, order_id, account_id, issued_on, due_on, paid_on, company_amount AS amount
FROM staging.stg_erp__invoices
WHERE status <> 'cancelled' AND kind = 'invoice'
